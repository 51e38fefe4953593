"""Sources: only the pinned archive is kept, and each failure is reported."""

from __future__ import annotations

import errno
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.catalog.releases import Source, SourceKind
from harness.docker_engine.cancel import (
    Cancel,
    Cancelled,
)
from harness.errors import ExitCode, SourceError
from harness.sources.archives import (
    SourceStore,
    fetch_url,
)
from harness.sources.debian_archive import _unpack_single_file
from harness.sources.downloads import Attempt
from tests.unit.sources_server import (
    CONTENT,
    PAGE,
    SHA256,
    Answer,
    Server,
    kept,
    quiet,
    release,
    serving,
    store,
    url_source,
)


@pytest.fixture
def server() -> Iterator[Server]:
    """A real HTTP server."""
    with serving() as server:
        yield server


def _local_source(path: Path, origin: str) -> Source:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Source(SourceKind.LOCAL, sha256, 0, "thing-1.0", path=str(path), origin=origin)


def test_an_archive_is_fetched_once(tmp_path: Path, server: Server) -> None:
    """A verified archive is in the cache under its hash, and no mirror is used again."""
    package = release(url_source(f"{server.url}/real"))
    archive = store(tmp_path).fetch(package, Cancel(), quiet)
    assert archive.path == tmp_path / "sources" / SHA256 / "source.tar"
    assert archive.path.read_bytes() == CONTENT
    again = store(tmp_path).fetch(package, Cancel(), quiet)
    assert again == archive
    assert server.paths == ["/real"]
    assert kept(tmp_path) == [archive.path], "nothing half-made may stay"


def test_other_bytes_are_refused_and_not_kept(tmp_path: Path, server: Server) -> None:
    """A web page with status 200 never gets into the cache."""
    with pytest.raises(SourceError) as caught:
        store(tmp_path).fetch(release(url_source(f"{server.url}/moved")), Cancel(), quiet)
    assert SHA256 in str(caught.value)
    assert hashlib.sha256(PAGE).hexdigest() in str(caught.value)
    assert kept(tmp_path) == []


def test_one_changed_byte_of_a_download_is_refused(tmp_path: Path, server: Server) -> None:
    """A tampered archive of the right size is refused with both hashes, and not built from."""
    tampered = bytearray(CONTENT)
    tampered[len(CONTENT) // 2] ^= 1
    server.answers["/real"] = Answer(bytes(tampered))
    with pytest.raises(SourceError) as caught:
        store(tmp_path).fetch(release(url_source(f"{server.url}/real")), Cancel(), quiet)
    archive = hashlib.sha256(tampered).hexdigest()
    assert f"SHA-256 {archive} instead of {SHA256}" in str(caught.value)
    assert kept(tmp_path) == []


def test_one_changed_byte_of_a_local_tarball_is_refused(tmp_path: Path) -> None:
    """A file that changed after the option was read is not the source that the run names."""
    path = tmp_path / "thing.tar.gz"
    path.write_bytes(CONTENT)
    package = release(_local_source(path, f"the local archive {path}"))
    assert store(tmp_path).fetch(package, Cancel(), quiet).path == path
    path.write_bytes(b"X" + CONTENT[1:])
    with pytest.raises(SourceError, match=f"the local archive {path} changed") as caught:
        store(tmp_path).fetch(package, Cancel(), quiet)
    archive = hashlib.sha256(b"X" + CONTENT[1:]).hexdigest()
    assert f"SHA-256 {archive} instead of {SHA256}" in str(caught.value)
    assert path.exists(), "the user's file is not ours to remove"


def test_a_local_tarball_that_is_gone_is_reported_as_such(tmp_path: Path) -> None:
    """Not a traceback, and not a download from somewhere else."""
    path = tmp_path / "thing.tar.gz"
    path.write_bytes(CONTENT)
    package = release(_local_source(path, "my archive"))
    path.unlink()
    with pytest.raises(SourceError, match="my archive is gone"):
        store(tmp_path).fetch(package, Cancel(), quiet)


def test_sources_are_tried_in_order(tmp_path: Path, server: Server) -> None:
    """One bad mirror costs nothing as long as another has the file."""
    package = release(*(url_source(f"{server.url}/{name}") for name in ("gone", "moved", "real")))
    archive = store(tmp_path).fetch(package, Cancel(), quiet)
    assert archive.source.url.endswith("/real")
    assert server.paths == ["/gone", "/moved", "/real"]


def test_all_failures_are_listed(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user behind a firewall must see each place that was tried, the reason, and what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    package = release(
        url_source(f"{server.url}/gone"),
        url_source("http://127.0.0.1:1/closed"),
        Source(SourceKind.NPM, "0" * 64, 0, "package", package="thing@1.0"),
    )
    with pytest.raises(SourceError) as caught:
        store(tmp_path).fetch(package, Cancel(), quiet)
    message = str(caught.value)
    assert f"{server.url}/gone: HTTP 404" in message
    assert "http://127.0.0.1:1/closed: " in message
    assert "refused" in message
    assert "npm package thing@1.0: npm is not installed here" in message
    assert "next step: " in message
    assert "--mirror" in message
    assert str(tmp_path / "sources" / SHA256 / "source.tar") in message
    # Summaries show no more than these two lines.
    lines = [line for line in message.splitlines() if "next step: " in line]
    assert len(lines) == 1
    for line in (message.splitlines()[0], *lines):
        assert line[-1].isalnum()
    assert lines[0].endswith(caught.value.next_step)
    assert caught.value.exit_code is ExitCode.INFRASTRUCTURE
    assert kept(tmp_path) == []


def test_a_damaged_cache_is_not_trusted(tmp_path: Path, server: Server) -> None:
    """If one byte of the cached archive changed, it is fetched again."""
    package = release(url_source(f"{server.url}/real"))
    path = store(tmp_path).fetch(package, Cancel(), quiet).path
    path.write_bytes(b"X" + CONTENT[1:])
    assert store(tmp_path).fetch(package, Cancel(), quiet).path.read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_an_archive_put_there_by_hand_is_taken(tmp_path: Path) -> None:
    """The error's advice for a user on a closed network works."""
    path = tmp_path / "sources" / SHA256 / "source.tar"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    package = release(url_source("http://127.0.0.1:1/closed"))
    assert store(tmp_path).fetch(package, Cancel(), quiet).path.read_bytes() == CONTENT


def test_a_wrong_archive_put_there_by_hand_is_reported(tmp_path: Path) -> None:
    """A user who copied the wrong file there must learn that, and which hash the file has."""
    path = tmp_path / "sources" / SHA256 / "source.tar"
    path.parent.mkdir(parents=True)
    path.write_bytes(PAGE)
    with pytest.raises(SourceError) as caught:
        store(tmp_path).fetch(release(url_source("http://127.0.0.1:1/closed")), Cancel(), quiet)
    assert f"{path}: other bytes" in str(caught.value)
    assert hashlib.sha256(PAGE).hexdigest() in str(caught.value)
    assert path.read_bytes() == PAGE


def test_a_full_disk_is_not_one_more_failed_source(tmp_path: Path, server: Server) -> None:
    """The next source would fill it as well, and the list of sources would hide the true reason."""

    def fill(_: Source, __: Path, ___: Attempt) -> None:
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(CONTENT)

    full = Source(SourceKind.NPM, SHA256, 0, "package", package="thing@1.0")
    package = release(full, url_source(f"{server.url}/real"))
    fetchers = {SourceKind.NPM: fill, SourceKind.URL: fetch_url}
    with pytest.raises(OSError, match="No space left") as caught:
        SourceStore(tmp_path, fetchers).fetch(package, Cancel(), quiet)
    assert caught.value.errno == errno.ENOSPC
    assert server.requests == []


def test_cancelling_is_not_a_failed_source(tmp_path: Path, server: Server) -> None:
    """After Ctrl-C no further mirror is tried, and nothing is kept."""
    cancel = Cancel()

    def stop(_: str) -> None:
        cancel.set()

    package = release(url_source(f"{server.url}/real"), url_source(f"{server.url}/moved"))
    with pytest.raises(Cancelled):
        store(tmp_path).fetch(package, cancel, stop)
    assert "/moved" not in server.paths
    assert kept(tmp_path) == []


def test_the_engines_archive_of_a_file_is_unpacked(tmp_path: Path) -> None:
    """The engine hands out files as tar in pieces of any size; the bytes must survive that."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("thing.orig.tar.gz")
        info.size = len(CONTENT)
        tar.addfile(info, io.BytesIO(CONTENT))
    data = packed.getvalue()
    pieces = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    _unpack_single_file(pieces, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == CONTENT
