"""Asks the places of sources whether they have the files, without fetching any.

A place is asked with a HEAD request (RFC 9110, 9.3.2), and npm's registry with npm(1). One that
does not answer at its first file is not asked for its others.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import requests

from harness.catalog.reachability import FileState, PlaceAnswer, ReleaseAnswers, name_host
from harness.catalog.releases import Release, Source, SourceKind
from harness.docker_engine.cancel import Cancel, run_program
from harness.sources.downloads import describe_error, innermost_error, is_unreached, local_path

#: Seconds that a place has for one answer, all redirections and the look-up of its name included.
TIME_LIMIT = 5.0
#: The same for npm(1), which takes seconds to start.
_NPM_TIME_LIMIT = 20.0
#: Requests to one place at a time.
_PER_PLACE = 4

_MISSING = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_NO_HEAD = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)

# A certificate that this machine does not trust, or a proxy that refuses: all files of a host.
_WHOLE_HOST = (requests.exceptions.SSLError, requests.exceptions.ProxyError)
_MISSING_FILE = (FileState.MISSING, "no such file")

T = TypeVar("T")
#: Called with the number of files that are about to be asked for, and the places.
Listener = Callable[[int, Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class _Question:
    """A source of a release that a place is asked about."""

    release: str
    source: Source

    @property
    def place(self) -> str:
        """What does or does not answer as a whole."""
        return name_host(self.source)


def check_releases(
    releases: Iterable[Release],
    is_cached: Callable[[Release], bool],
    mirrors: Sequence[str] = (),
    listener: Listener = lambda _files, _places: None,
    time_limit: float = TIME_LIMIT,
) -> tuple[ReleaseAnswers, ...]:
    """What the places of the releases answer; a release's sources are asked until one has it.

    ``mirrors`` are base URLs, asked first. ``time_limit`` in seconds, for each answer.
    """
    known = {each.id: ReleaseAnswers(each, is_cached(each)) for each in releases}
    waiting = {
        name: list_askable(each.release, mirrors) for name, each in known.items() if not each.cached
    }
    unreached: dict[str, str] = {}
    while waiting:
        round_of = [_Question(name, sources[0]) for name, sources in waiting.items() if sources]
        for question, answer in _ask_all(round_of, unreached, listener, time_limit):
            known[question.release] = known[question.release].add(answer)
        waiting = {
            name: sources[1:]
            for name, sources in waiting.items()
            if sources[1:] and not known[name].available
        }
    return tuple(known.values())


def list_askable(release: Release, mirrors: Sequence[str]) -> tuple[Source, ...]:
    """The sources that can be asked, mirrors' first.

    The source package of a suite (kind DEBIAN) is the same file as one in the pool.
    """
    upstream = [source for source in release.sources if source.kind is SourceKind.URL]
    mirrored = [
        Source(
            SourceKind.URL,
            source.sha256,
            source.corroborated,
            source.subdir,
            url=f"{base}/{quote(source.archive)}",
        )
        for base in mirrors
        for source in upstream[:1]
        if source.archive
    ]
    asked = [source for source in release.sources if source.kind is not SourceKind.DEBIAN]
    return tuple(dict.fromkeys([*mirrored, *asked]))


def _ask_all(
    questions: Sequence[_Question],
    unreached: dict[str, str],
    listener: Listener,
    time_limit: float,
) -> list[tuple[_Question, PlaceAnswer]]:
    """The answers of a round; all places are asked at the same time."""
    by_place: dict[str, list[_Question]] = {}
    for question in questions:
        by_place.setdefault(question.place, []).append(question)
    askable = [place for place in by_place if place not in unreached]
    listener(sum(len(by_place[place]) for place in askable), askable)
    with ThreadPoolExecutor(max(1, len(by_place))) as pool:
        answered = pool.map(
            lambda place: _ask_place(by_place[place], unreached.get(place), time_limit), by_place
        )
        pairs = [pair for of_place in answered for pair in of_place]
    for question, answer in pairs:
        if answer.state is FileState.UNREACHED:
            unreached.setdefault(question.place, answer.reason)
    return pairs


def _ask_place(
    questions: Sequence[_Question], reason: str | None, time_limit: float
) -> list[tuple[_Question, PlaceAnswer]]:
    """The answers of one place; none is waited for where it does not answer at the first file."""

    def ask(question: _Question) -> PlaceAnswer:
        return _ask_source(question.source, time_limit)

    first, others = questions[0], questions[1:]
    if reason is None:
        answers = [ask(first)]
        if answers[0].state is not FileState.UNREACHED:
            with ThreadPoolExecutor(_PER_PLACE) as pool:
                return list(zip(questions, [*answers, *pool.map(ask, others)], strict=True))
        reason = answers[0].reason
    return [
        (question, PlaceAnswer(question.source, FileState.UNREACHED, reason))
        for question in questions
    ]


def _ask_source(source: Source, time_limit: float) -> PlaceAnswer:
    if source.kind is SourceKind.LOCAL:
        return PlaceAnswer(source, FileState.THERE)
    try:
        if source.kind is SourceKind.NPM:
            return _ask_npm(source, _NPM_TIME_LIMIT)
        return _call_within(time_limit, lambda: _ask_url(source, time_limit))
    except TimeoutError:
        limit = _NPM_TIME_LIMIT if source.kind is SourceKind.NPM else time_limit
        return PlaceAnswer(source, FileState.UNREACHED, f"no answer within {limit:g} s")


def _ask_url(source: Source, time_limit: float) -> PlaceAnswer:
    if source.url.startswith("file:"):
        there = local_path(source.url).is_file()
        return PlaceAnswer(source, *((FileState.THERE,) if there else _MISSING_FILE))
    try:
        response = requests.head(source.url, allow_redirects=True, timeout=time_limit)
        if response.status_code in _NO_HEAD:
            headers = {"Range": "bytes=0-0"}
            response = requests.get(source.url, headers=headers, timeout=time_limit, stream=True)
            response.close()
    except requests.Timeout as error:
        raise TimeoutError from error
    except requests.RequestException as error:
        cause = innermost_error(error)
        state = FileState.FAILED
        if is_unreached(cause) or isinstance(error, _WHOLE_HOST):
            state = FileState.UNREACHED
        return PlaceAnswer(source, state, describe_error(error))
    return judge_response(source, response.status_code, response.headers)


def check_place(url: str, time_limit: float = TIME_LIMIT) -> str:
    """Why a place does not answer within so many seconds; "" where it does, whatever it answers."""
    try:
        _call_within(
            time_limit, lambda: requests.head(url, allow_redirects=True, timeout=time_limit)
        )
    except (TimeoutError, requests.Timeout):
        return f"no answer within {time_limit:g} s"
    except requests.RequestException as error:
        return describe_error(error)
    except OSError as error:
        # requests raises it itself where the file of CA certificates is missing.
        return str(error)
    return ""


def judge_response(source: Source, status: int, headers: Mapping[str, str]) -> PlaceAnswer:
    """What a response says about a file. Some mirrors answer 200 with a web page for any path."""
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        if headers.get("Content-Type", "").startswith("text/html"):
            return PlaceAnswer(source, FileState.MISSING, "a web page in its place")
        return PlaceAnswer(source, FileState.THERE)
    state = FileState.MISSING if status in _MISSING else FileState.FAILED
    return PlaceAnswer(source, state, f"HTTP {status}")


def _ask_npm(source: Source, time_limit: float) -> PlaceAnswer:
    npm = shutil.which("npm")
    if npm is None:
        return PlaceAnswer(source, FileState.UNREACHED, "npm is not installed")
    command = [npm, "view", "--fetch-retries=0", source.package, "dist.tarball"]
    code, output = run_program(command, Cancel(), time_limit=time_limit, cwd=Path.cwd())
    if code == 0:
        state = FileState.THERE if output.strip() else FileState.MISSING
        return PlaceAnswer(source, state, "" if output.strip() else "no such version")
    if "E404" in output:
        return PlaceAnswer(source, FileState.MISSING, "no such package")
    return PlaceAnswer(source, FileState.UNREACHED, f"npm view failed ({code})")


def _call_within(seconds: float, function: Callable[[], T]) -> T:
    """The result of a function, if it ends in time.

    A look-up of a name cannot be interrupted: its thread is left to end alone, and does not keep
    the program from ending.

    Raises:
        TimeoutError: it did not end in time.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def call() -> None:
        try:
            results.append(function())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"not within {seconds:g} s")
    return results[0]
