"""A real HTTP server for the tests of downloads, with servers' good and bad behaviour."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness.catalog.releases import Release, Source, SourceKind
from harness.sources.archives import (
    SourceStore,
    fetch_npm,
    fetch_url,
)

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PAGE = b"<html>Mirror moved</html>"


@dataclass
class Answer:
    """How the server responds to a path.

    ``cuts`` are the bytes of body after which it ends the connection, one for each of the first
    responses. It waits for ``gate`` after ``before_gate`` bytes. ``shift``: a range begins so many
    bytes later than requested. ``length``: whether it sends the size. ``head``: whether it answers
    HEAD requests.
    """

    body: bytes = CONTENT
    status: int = 200
    etag: str = '"state-1"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    gate: threading.Event | None = None
    before_gate: int = 0
    shift: int = 0
    length: bool = True
    head: bool = True
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReceivedRequest:
    """A request that the server received: its path, and the headers that matter."""

    path: str
    range: str | None = None
    if_range: str | None = None


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, server: Server, *args: object) -> None:
        self.of = server
        super().__init__(*args)  # type: ignore[arg-type]  # what the server gives

    def do_GET(self) -> None:
        request_received = ReceivedRequest(
            self.path, self.headers["Range"], self.headers["If-Range"]
        )
        self.of.requests.append(request_received)
        answer = self.of.answers.get(self.path, Answer(PAGE, ranges=False))
        if answer.status != 200:
            self._head(answer.status, answer.headers)
            return
        start = self._start(answer, request_received)
        if start >= len(answer.body):
            self._head(416, {})
            return
        body = answer.body[start:]
        headers = {"ETag": answer.etag, **answer.headers}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(answer.body) - 1}/{len(answer.body)}"
        if answer.length:
            headers["Content-Length"] = str(len(body))
        self._head(206 if start else 200, headers)
        self._send(body, answer)

    def do_HEAD(self) -> None:
        self.of.heads.append(self.path)
        answer = self.of.answers.get(self.path, Answer(PAGE, headers={"Content-Type": "text/html"}))
        if answer.gate:
            answer.gate.wait(30)
        with suppress(OSError):
            self._head(answer.status if answer.head else 405, answer.headers)

    def _start(self, answer: Answer, received: ReceivedRequest) -> int:
        if not (answer.ranges and received.range) or received.if_range not in (None, answer.etag):
            return 0
        return int(received.range.removeprefix("bytes=").partition("-")[0]) + answer.shift

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes, answer: Answer) -> None:
        if answer.cuts:
            body = body[: answer.cuts.pop(0)]
        self.wfile.write(body[: answer.before_gate])
        if answer.gate:
            self.wfile.flush()
            answer.gate.wait(30)
        self.wfile.write(body[answer.before_gate :])

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """Some tests are about clients that close the connection."""


class Server:
    """Its answers by path (else: a web page with status 200), and the requests it received.

    ``heads`` are the paths of HEAD requests, ``requests`` all others.
    """

    def __init__(self, port: int = 0) -> None:
        self.answers: dict[str, Answer] = {"/real": Answer(), "/gone": Answer(status=404)}
        self.requests: list[ReceivedRequest] = []
        self.heads: list[str] = []
        self.http = _Quiet(("127.0.0.1", port), partial(_Handler, self))

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        """The paths of the requests, in order."""
        return [request.path for request in self.requests]


@contextmanager
def serving(port: int = 0) -> Iterator[Server]:
    """A server that runs inside the ``with``."""
    server = Server(port)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        for answer in server.answers.values():
            if answer.gate:
                answer.gate.set()
        server.http.server_close()
        thread.join(10)


def url_source(url: str, *, sha256: str = SHA256, archive: str = "") -> Source:
    """A source of kind URL."""
    return Source(SourceKind.URL, sha256, 1, "thing-1.0", url=url, archive=archive)


def release(*sources: Source, version: str = "1.0") -> Release:
    """A release that has these sources."""
    return Release("thing", version, date(2020, 1, 1), sources)


def store(folder: Path, *mirrors: str) -> SourceStore:
    """A store as the image builder has it, without Debian."""
    fetchers = {SourceKind.URL: fetch_url, SourceKind.NPM: fetch_npm}
    return SourceStore(folder, fetchers, mirrors)


def quiet(_: str) -> None:
    """Discard progress reports."""


def kept(folder: Path) -> list[Path]:
    """All files below a folder but the locks."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Wait for something to become true; whether it did."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        with suppress(OSError):
            if condition():
                return True
        pause.wait(0.02)
    return False
