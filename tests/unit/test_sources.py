"""Sources: nothing that is not the pinned archive is kept, and failures are told one by one."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.catalog.releases import Release, Source, SourceKind
from harness.errors import ExitCode, SourceError
from harness.images.cancel import Cancel, Cancelled
from harness.images.debian import _only_file
from harness.images.sources import SourceStore, fetch_npm, fetch_url

CONTENT = bytes(range(256)) * 4000
PAGE = b"<html>Mirror moved</html>"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Mirror(BaseHTTPRequestHandler):
    """A mirror with one real file, and a page for everything else, both with status 200."""

    def __init__(self, asked: list[str], *args: object) -> None:
        self.asked = asked
        super().__init__(*args)  # type: ignore[arg-type]  # what the server gives

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/gone":
            self.send_error(404)
            return
        body = CONTENT if self.path == "/real" else PAGE
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def mirror() -> Iterator[tuple[str, list[str]]]:
    """A real HTTP server: its address, and the paths it was asked for."""
    asked: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Mirror, asked)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def _url(url: str, sha256: str = SHA256) -> Source:
    return Source(SourceKind.URL, sha256, 1, "thing-1.0", url=url)


def _release(*sources: Source) -> Release:
    return Release("thing", "1.0", date(2020, 1, 1), sources)


def _store(folder: Path) -> SourceStore:
    return SourceStore(folder, {SourceKind.URL: fetch_url, SourceKind.NPM: fetch_npm})


def _say(_: str) -> None:
    """What the shop would show."""


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_archive_is_fetched_once(tmp_path: Path, mirror: tuple[str, list[str]]) -> None:
    """A verified archive is in the cache under its hash, and no mirror is asked again."""
    address, asked = mirror
    release = _release(_url(f"{address}/real"))
    found = _store(tmp_path).fetch(release, Cancel(), _say)
    assert found.path == tmp_path / "sources" / SHA256 / "source.tar.gz"
    assert found.path.read_bytes() == CONTENT
    again = _store(tmp_path).fetch(release, Cancel(), _say)
    assert again == found
    assert asked == ["/real"]
    assert _files(tmp_path) == [found.path], "nothing half-made may stay"


def test_other_bytes_are_refused_and_not_kept(
    tmp_path: Path, mirror: tuple[str, list[str]]
) -> None:
    """A web page with status 200, or a tampered archive, never gets into the cache."""
    address, _ = mirror
    with pytest.raises(SourceError) as caught:
        _store(tmp_path).fetch(_release(_url(f"{address}/moved")), Cancel(), _say)
    assert SHA256 in str(caught.value)
    assert hashlib.sha256(PAGE).hexdigest() in str(caught.value)
    assert _files(tmp_path) == []


def test_sources_are_tried_in_order(tmp_path: Path, mirror: tuple[str, list[str]]) -> None:
    """One bad mirror costs nothing as long as another has the file."""
    address, asked = mirror
    release = _release(*(_url(f"{address}/{name}") for name in ("gone", "moved", "real")))
    found = _store(tmp_path).fetch(release, Cancel(), _say)
    assert found.source.url.endswith("/real")
    assert asked == ["/gone", "/moved", "/real"]


def test_all_failures_are_listed(
    tmp_path: Path, mirror: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody behind a firewall must see each place that was tried, why not, and what to do."""
    address, _ = mirror
    monkeypatch.setenv("PATH", str(tmp_path))
    release = _release(
        _url(f"{address}/gone"),
        _url("http://127.0.0.1:1/closed"),
        Source(SourceKind.NPM, "0" * 64, 0, "package", package="thing@1.0"),
    )
    with pytest.raises(SourceError) as caught:
        _store(tmp_path).fetch(release, Cancel(), _say)
    said = str(caught.value)
    assert f"{address}/gone: HTTP 404" in said
    assert "http://127.0.0.1:1/closed: " in said
    assert "refused" in said
    assert "npm package thing@1.0: npm is not installed here" in said
    assert "next step: " in said
    assert str(tmp_path / "sources" / SHA256 / "source.tar.gz") in said
    assert caught.value.exit_code is ExitCode.INFRASTRUCTURE
    assert _files(tmp_path) == []


def test_a_damaged_cache_is_not_trusted(tmp_path: Path, mirror: tuple[str, list[str]]) -> None:
    """One changed byte in the cached archive, and it is fetched anew."""
    address, asked = mirror
    release = _release(_url(f"{address}/real"))
    path = _store(tmp_path).fetch(release, Cancel(), _say).path
    path.write_bytes(b"X" + CONTENT[1:])
    assert _store(tmp_path).fetch(release, Cancel(), _say).path.read_bytes() == CONTENT
    assert len(asked) == 2


def test_an_archive_put_there_by_hand_is_taken(tmp_path: Path) -> None:
    """What the error tells a user on a closed network to do works."""
    path = tmp_path / "sources" / SHA256 / "source.tar.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    found = _store(tmp_path).fetch(_release(_url("http://127.0.0.1:1/closed")), Cancel(), _say)
    assert found.path.read_bytes() == CONTENT


def test_breaking_off_is_not_a_failed_source(tmp_path: Path, mirror: tuple[str, list[str]]) -> None:
    """After Ctrl-C no further mirror is tried, and nothing is kept."""
    address, asked = mirror
    cancel = Cancel()

    def stop(_: str) -> None:
        cancel.set()

    release = _release(_url(f"{address}/real"), _url(f"{address}/moved"))
    with pytest.raises(Cancelled):
        _store(tmp_path).fetch(release, cancel, stop)
    assert "/moved" not in asked
    assert _files(tmp_path) == []


def test_the_engines_archive_of_a_file_is_unpacked(tmp_path: Path) -> None:
    """The engine hands out files as tar in pieces of any size; the bytes must survive that."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("thing.orig.tar.gz")
        info.size = len(CONTENT)
        tar.addfile(info, io.BytesIO(CONTENT))
    data = packed.getvalue()
    pieces = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    _only_file(pieces, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == CONTENT
