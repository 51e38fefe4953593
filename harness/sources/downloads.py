"""Downloads that resume where an earlier try ended.

What a failed, cancelled or killed download received stays in its part file, and a later try
requests only the rest (RFC 9110, 14). Callers check the file's hash.
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

#: Seconds to connect, and to wait for the next byte.
TIME_LIMITS = (10.0, 30.0)

_CHUNK = 1 << 16
#: Seconds between two reports of progress.
_SAY_EVERY = 1.0

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH)


class UnreachedPlaces:
    """Places that did not answer, each with the reason, so that no download waits for one again.

    A place is a host, or the package index of a suite: if it is not reached, all requests to it
    fail. Safe for several threads.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._lock = Lock()

    def check(self, place: str) -> None:
        """Check that the place is not among those that did not answer.

        Raises:
            SourceError: it is; the message has the reason of the first failure.
        """
        with self._lock:
            reason = self._reasons.get(place)
        if reason is not None:
            raise SourceError(f"not reached before: {reason}")

    def mark_unreached(self, place: str, reason: str) -> SourceError:
        """Remember that the place did not answer; return the error to raise."""
        with self._lock:
            self._reasons[place] = reason
        return SourceError(reason)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try to fetch a source: what can cancel it, where it reports, which places do not answer."""

    cancel: Cancel
    say: Callable[[str], None]
    places: UnreachedPlaces


class Progress:
    """Reports the progress of a download, about once a second. Times are in seconds."""

    def __init__(self, say: Callable[[str], None], total: int | None, now: float) -> None:
        """``total`` is the size in bytes, None if the server does not send it."""
        self._say = say
        self._total = total
        self._last_report = now

    def note(self, done: int, now: float) -> None:
        """Take note of how many bytes have arrived by this time; report it when a report is due."""
        if now - self._last_report >= _SAY_EVERY:
            self._last_report = now
            self._say(format_sizes(done, self._total))


def download(url: str, part: Path, attempt: Attempt) -> bool:
    """Fetch the file at a URL (http, https or file) into ``part``; it is whole when this returns.

    A download resumes from a part that exists, whichever server that came from. Returns whether it
    did, since then a wrong hash may be due to the part's beginning.

    Raises:
        SourceError: not reached, an HTTP error, or interrupted; what arrived is kept in ``part``.
        OSError: a file cannot be read or written.
        Cancelled: the user cancelled the work; what arrived is kept.
    """
    if url.startswith("file:"):
        _copy_file(url, part, attempt)
        return False
    received = part.stat().st_size if part.is_file() else 0
    with _open_session(attempt.places) as session:
        offset = _request_from(session, url, part, received, attempt)
        if offset is None:
            offset = _request_from(session, url, part, 0, attempt)
    return bool(offset)


def discard_part(part: Path) -> None:
    """Remove a part file and its record."""
    part.unlink(missing_ok=True)
    _record_path(part).unlink(missing_ok=True)


def format_sizes(done: int, total: int | None) -> str:
    """``3.2 of 4.3 MB``, or ``3.2 MB``; a MB is a million bytes."""
    return f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"


def local_path(url: str) -> Path:
    """The path that a ``file:`` URL names."""
    return Path(unquote(urlsplit(url).path))


class _Adapter(HTTPAdapter):
    """Sends each request, also those that follow a redirection; skips hosts that do not answer."""

    def __init__(self, places: UnreachedPlaces) -> None:
        super().__init__()
        self._places = places

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        host = urlsplit(request.url or "").netloc
        self._places.check(str(host))
        try:
            return super().send(request, *args, **options)
        except requests.RequestException as error:
            if is_unreached(innermost_error(error)):
                raise self._places.mark_unreached(str(host), describe_error(error)) from error
            raise


def _open_session(places: UnreachedPlaces) -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(places))
    return session


def _request_from(
    session: requests.Session, url: str, part: Path, received: int, attempt: Attempt
) -> int | None:
    """Request the whole file, or what follows the first ``received`` bytes.

    Returns the offset at which the response begins; None if the server does not resume there.
    """
    try:
        response = session.get(
            url, stream=True, timeout=TIME_LIMITS, headers=_request_headers(url, part, received)
        )
    except requests.RequestException as error:
        raise SourceError(describe_error(error)) from error
    with closing(response), attempt.cancel.closing(lambda: _shut_down(response)):
        offset = _response_offset(response, received)
        if offset is None:
            return None
        if offset == 0:
            _start_part(url, part, response)
        _receive_body(response, part, offset, attempt)
    return offset


def _request_headers(url: str, part: Path, received: int) -> dict[str, str]:
    # The archive itself, not a packed form of it that would have another hash.
    headers = {"Accept-Encoding": "identity"}
    if received:
        headers["Range"] = f"bytes={received}-"
        if validator := _read_validator(url, part):
            headers["If-Range"] = validator
    return headers


def _response_offset(response: requests.Response, received: int) -> int | None:
    """The offset at which the response begins; None if it is not the one that was requested."""
    status = response.status_code
    if received and status == requests.codes.partial_content:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        return received if match and int(match[1]) == received else None
    if received and status == requests.codes.requested_range_not_satisfiable:
        return None
    if status != requests.codes.ok:
        raise SourceError(f"HTTP {status}")
    return 0


def _receive_body(response: requests.Response, part: Path, offset: int, attempt: Attempt) -> None:
    length = response.headers.get("Content-Length", "")
    total = offset + int(length) if length.isdecimal() else None
    progress = Progress(attempt.say, total, time.monotonic())
    done = offset
    try:
        with part.open("ab") as file:
            # Some servers declare a .tar.gz as a tar that they compressed: do not unpack it here.
            for piece in response.raw.stream(_CHUNK, decode_content=False):
                attempt.cancel.check()
                file.write(piece)
                done += len(piece)
                progress.note(done, time.monotonic())
    except HTTPError as error:
        # Also raised where the response ends before Content-Length (urllib3 counts).
        raise SourceError(
            f"interrupted at {format_sizes(done, total)}: {describe_error(error)}; "
            "what arrived is kept, and the next try resumes from there"
        ) from error


def _start_part(url: str, part: Path, response: requests.Response) -> None:
    """Empty the part, and record which state of the server's file it is about to hold."""
    part.write_bytes(b"")
    tag = response.headers.get("ETag", "")
    # A weak tag does not promise equal bytes, and If-Range must not have it (RFC 9110, 13.1.5).
    weak = not tag or tag.startswith("W/")
    validator = response.headers.get("Last-Modified") if weak else tag
    _record_path(part).write_text(json.dumps({"url": url, "validator": validator}), "utf-8")


def _read_validator(url: str, part: Path) -> str | None:
    """The recorded validator of the part; None if unknown, or if the part is of another URL."""
    try:
        known = json.loads(_record_path(part).read_text("utf-8"))
        return known["validator"] if known["url"] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _copy_file(url: str, part: Path, attempt: Attempt) -> None:
    with local_path(url).open("rb") as source:
        discard_part(part)
        with part.open("wb") as file:
            while piece := source.read(_CHUNK):
                attempt.cancel.check()
                file.write(piece)


def _shut_down(response: requests.Response) -> None:
    """End a connection that another thread is reading; ``close`` would wait for that."""
    with suppress(OSError, ValueError, RuntimeError):
        response.raw.shutdown()


def innermost_error(error: BaseException) -> BaseException:
    """The innermost error of a chain of wrapped ones."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def describe_error(error: Exception) -> str:
    cause = innermost_error(error)
    text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
    return text or type(cause).__name__


def is_unreached(error: BaseException) -> bool:
    """Whether no host answered; a host that answers with an error was reached."""
    if isinstance(error, ConnectionRefusedError | TimeoutError | socket.gaierror):
        return True
    return isinstance(error, OSError) and error.errno in _UNREACHABLE
