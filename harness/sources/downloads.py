"""Downloads that go on where they were broken off.

What a failed, cancelled or killed download got stays in its part file, and a later try asks for the
rest only (RFC 9110, 14). Whether the bytes are right is for whoever knows their hash.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from harness.docker_engine.cancel import Cancel
from harness.errors import SourceError

#: Seconds to connect, and without a byte.
TIME_LIMITS = (10.0, 30.0)

_CHUNK = 1 << 16
#: Seconds between two words of progress.
_SAY_EVERY = 1.0

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH)


class Places:
    """Places that did not answer, each with its reason: nobody waits for them twice.

    A place is what all that is asked of it depends on: a host, or a suite's package index. Safe for
    several threads.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._lock = Lock()

    def check(self, place: str) -> None:
        """Go on only if the place is not known to be lost.

        Raises:
            SourceError: it is; the message has the reason of then.
        """
        with self._lock:
            reason = self._reasons.get(place)
        if reason is not None:
            raise SourceError(f"not reached before: {reason}")

    def lost(self, place: str, reason: str) -> SourceError:
        """Remember that the place did not answer; gives the error to raise."""
        with self._lock:
            self._reasons[place] = reason
        return SourceError(reason)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try at a source: what breaks it off, who hears of its progress, and what is not reached."""

    cancel: Cancel
    say: Callable[[str], None]
    places: Places


class Progress:
    """Says how far a download has come, about once a second. Times are in seconds."""

    def __init__(self, say: Callable[[str], None], total: int | None, now: float) -> None:
        """``total`` is the size in bytes, None where the server does not tell it."""
        self._say = say
        self._total = total
        self._said = now

    def note(self, done: int, now: float) -> None:
        """So many bytes are there at this time."""
        if now - self._said >= _SAY_EVERY:
            self._said = now
            self._say(sizes(done, self._total))


def download(url: str, part: Path, attempt: Attempt) -> bool:
    """Get what a URL (http, https or file) has, into ``part``; it is whole when this returns.

    A part that is there is gone on from, whatever server it came from: the same file is wanted.
    Gives whether it was, for then its beginning may be to blame for a wrong hash.

    Raises:
        SourceError: not reached, an HTTP error, or broken off; what came is kept in ``part``.
        OSError: a file cannot be read or written.
        Cancelled: broken off on purpose; what came is kept.
    """
    if url.startswith("file:"):
        _copy(url, part, attempt)
        return False
    have = part.stat().st_size if part.is_file() else 0
    with _session(attempt.places) as session:
        start = _get(session, url, part, have, attempt)
        if start is None:
            start = _get(session, url, part, 0, attempt)
    return bool(start)


def discard(part: Path) -> None:
    """Remove a part, and what is known of it."""
    part.unlink(missing_ok=True)
    _record(part).unlink(missing_ok=True)


def sizes(done: int, total: int | None) -> str:
    """``3.2 of 4.3 MB``, or ``3.2 MB``; a MB is a million bytes."""
    return f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"


def local_path(url: str) -> Path:
    """The path that a ``file:`` URL names."""
    return Path(unquote(urlsplit(url).path))


class _Adapter(HTTPAdapter):
    """Each request goes through here, those that redirections lead to as well."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self._places = places

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        host = urlsplit(request.url or "").netloc
        self._places.check(str(host))
        try:
            return super().send(request, *args, **options)
        except requests.RequestException as error:
            if _is_unreached(_heart(error)):
                raise self._places.lost(str(host), _words(error)) from error
            raise


def _session(places: Places) -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(places))
    return session


def _get(
    session: requests.Session, url: str, part: Path, have: int, attempt: Attempt
) -> int | None:
    """Ask for all, or for what follows the first ``have`` bytes.

    Gives where the answer began; None if the server does not go on from there.
    """
    try:
        response = session.get(
            url, stream=True, timeout=TIME_LIMITS, headers=_headers(url, part, have)
        )
    except requests.RequestException as error:
        raise SourceError(_words(error)) from error
    with closing(response), attempt.cancel.closing(lambda: _shut(response)):
        start = _start(response, have)
        if start is None:
            return None
        if start == 0:
            _begin(url, part, response)
        _receive(response, part, start, attempt)
    return start


def _headers(url: str, part: Path, have: int) -> dict[str, str]:
    # The archive itself, not a packed form of it that would have another hash.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator := _validator(url, part):
            headers["If-Range"] = validator
    return headers


def _start(response: requests.Response, have: int) -> int | None:
    """Where in the file the answer begins; None: somewhere else than was asked for."""
    status = response.status_code
    if have and status == requests.codes.partial_content:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        return have if match and int(match[1]) == have else None
    if have and status == requests.codes.requested_range_not_satisfiable:
        return None
    if status != requests.codes.ok:
        raise SourceError(f"HTTP {status}")
    return 0


def _receive(response: requests.Response, part: Path, start: int, attempt: Attempt) -> None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    progress = Progress(attempt.say, total, time.monotonic())
    done = start
    try:
        with part.open("ab") as file:
            # Some servers call a .tar.gz a tar that they have packed; it must not be unpacked here.
            for piece in response.raw.stream(_CHUNK, decode_content=False):
                attempt.cancel.check()
                file.write(piece)
                done += len(piece)
                progress.note(done, time.monotonic())
    except HTTPError as error:
        # Also an end before all that Content-Length promised (urllib3 counts).
        raise SourceError(
            f"broken off at {sizes(done, total)}: {_words(error)}; "
            "what came is kept, and the next try goes on from there"
        ) from error


def _begin(url: str, part: Path, response: requests.Response) -> None:
    """Empty the part, and write down which state of the server's file is about to fill it."""
    part.write_bytes(b"")
    tag = response.headers.get("ETag", "")
    # A weak tag is no promise of equal bytes, and may not be asked with (RFC 9110, 13.1.5).
    weak = not tag or tag.startswith("W/")
    validator = response.headers.get("Last-Modified") if weak else tag
    _record(part).write_text(json.dumps({"url": url, "validator": validator}), "utf-8")


def _validator(url: str, part: Path) -> str | None:
    """What the same URL called the file's state; None if unknown, or if the part is of another."""
    try:
        known = json.loads(_record(part).read_text("utf-8"))
        return known["validator"] if known["url"] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _copy(url: str, part: Path, attempt: Attempt) -> None:
    with local_path(url).open("rb") as source:
        discard(part)
        with part.open("wb") as file:
            while piece := source.read(_CHUNK):
                attempt.cancel.check()
                file.write(piece)


def _shut(response: requests.Response) -> None:
    """End a connection that another thread is reading; closing it would wait for that."""
    with suppress(OSError, ValueError, RuntimeError):
        response.raw.shutdown()


def _heart(error: BaseException) -> BaseException:
    """The innermost of a chain of wrapped errors."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _words(error: Exception) -> str:
    heart = _heart(error)
    words = (heart.strerror if isinstance(heart, OSError) else None) or str(heart)
    return words or type(heart).__name__


def _is_unreached(heart: BaseException) -> bool:
    """Whether nothing answers there; a host that answers, whatever it says, is reached."""
    if isinstance(heart, ConnectionRefusedError | TimeoutError | socket.gaierror):
        return True
    return isinstance(heart, OSError) and heart.errno in _UNREACHABLE
