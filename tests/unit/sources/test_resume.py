"""Downloads resume where they ended, for any cause, and from any server."""

from __future__ import annotations

import gzip
import hashlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.docker_engine.cancel import (
    Cancel,
    Cancelled,
)
from harness.errors import HarnessError, SourceError
from harness.sources import downloads
from harness.sources.downloads import (
    Attempt,
    Progress,
    UnreachedPlaces,
    download,
    format_sizes,
)
from tests.unit.sources_server import (
    CONTENT,
    PAGE,
    SHA256,
    Answer,
    ReceivedRequest,
    Server,
    kept,
    quiet,
    release,
    serving,
    store,
    until,
    url_source,
)

HALF = len(CONTENT) // 2


@pytest.fixture
def server() -> Iterator[Server]:
    """A real HTTP server."""
    with serving() as server:
        yield server


def _part(folder: Path) -> Path:
    return folder / "sources" / SHA256 / ".part"


def _leave(folder: Path, beginning: bytes) -> Path:
    """The part that an earlier try left."""
    part = _part(folder)
    part.parent.mkdir(parents=True)
    part.write_bytes(beginning)
    return part


def _fetch(folder: Path, *urls: str) -> bytes:
    package = release(*(url_source(url) for url in urls))
    return store(folder).fetch(package, Cancel(), quiet).path.read_bytes()


def test_a_broken_download_is_resumed(tmp_path: Path, server: Server) -> None:
    """On a bad line each try must get more of a big archive; only the rest is requested."""
    server.answers["/real"] = Answer(cuts=[HALF])
    url = f"{server.url}/real"
    with pytest.raises(SourceError, match=r"interrupted at 0\.5 of 1\.0 MB.*is kept"):
        _fetch(tmp_path, url)
    assert _part(tmp_path).read_bytes() == CONTENT[:HALF]
    assert _fetch(tmp_path, url) == CONTENT
    assert server.requests == [
        ReceivedRequest("/real"),
        ReceivedRequest("/real", f"bytes={HALF}-", '"state-1"'),
    ]
    assert [path.name for path in kept(tmp_path)] == ["source.tar"]


def test_another_server_gives_the_rest(tmp_path: Path, server: Server) -> None:
    """The hash is pinned, so the next mirror resumes where the first one broke, in the same try."""
    server.answers["/weak"] = Answer(cuts=[HALF], etag='"another-mirrors"')
    assert _fetch(tmp_path, f"{server.url}/weak", f"{server.url}/real") == CONTENT
    # The first mirror's tag means nothing to the second.
    assert server.requests == [
        ReceivedRequest("/weak"),
        ReceivedRequest("/real", f"bytes={HALF}-", None),
    ]


def test_a_server_that_knows_no_ranges_starts_over(tmp_path: Path, server: Server) -> None:
    """A 200 has all of the file, and must not be put behind what is there."""
    _leave(tmp_path, CONTENT[:HALF])
    server.answers["/real"].ranges = False
    assert _fetch(tmp_path, f"{server.url}/real") == CONTENT
    assert len(server.requests) == 1


def test_a_file_that_changed_meanwhile_starts_over(tmp_path: Path, server: Server) -> None:
    """Halves of two states of a file make no file: If-Range has the server send the new one."""
    server.answers["/real"] = Answer(b"old" * HALF, etag='"old"', cuts=[HALF])
    with pytest.raises(SourceError):
        _fetch(tmp_path, f"{server.url}/real")
    server.answers["/real"] = Answer(etag='"new"')
    assert _fetch(tmp_path, f"{server.url}/real") == CONTENT
    assert [request.if_range for request in server.requests] == [None, '"old"']


@pytest.mark.parametrize(
    "answer", [Answer(shift=10), Answer(shift=len(CONTENT))], ids=["elsewhere", "unsatisfiable"]
)
def test_a_range_that_was_not_asked_for_is_not_taken(
    tmp_path: Path, server: Server, answer: Answer
) -> None:
    """A server that counts wrongly gets a request for the whole file."""
    part = _leave(tmp_path, CONTENT[:HALF])
    server.answers["/real"] = answer
    attempt = Attempt(Cancel(), quiet, UnreachedPlaces())
    assert not download(f"{server.url}/real", part, attempt), "the download was not resumed"
    assert part.read_bytes() == CONTENT
    assert [request.range for request in server.requests] == [f"bytes={HALF}-", None]


def test_a_wrong_beginning_costs_one_more_try(tmp_path: Path, server: Server) -> None:
    """The rest of a good server behind a bad one's beginning is not the good server's fault."""
    _leave(tmp_path, b"X" * HALF)
    assert _fetch(tmp_path, f"{server.url}/real") == CONTENT
    assert [request.range for request in server.requests] == [f"bytes={HALF}-", None]


def test_a_file_with_the_wrong_hash_is_not_resumed(tmp_path: Path, server: Server) -> None:
    """A web page is no part of an archive: the next source must send the whole file."""
    assert _fetch(tmp_path, f"{server.url}/moved", f"{server.url}/real") == CONTENT
    assert server.requests == [ReceivedRequest("/moved"), ReceivedRequest("/real")]


def test_a_whole_part_is_not_asked_for_again(tmp_path: Path, server: Server) -> None:
    """Killed between the last byte and the new name: nothing is left to download."""
    _leave(tmp_path, CONTENT)
    assert _fetch(tmp_path, f"{server.url}/real") == CONTENT
    assert server.requests == []


def test_a_packed_archive_stays_packed(tmp_path: Path, server: Server) -> None:
    """Servers that call a .tar.gz "Content-Encoding: gzip" mean the file, and so does its hash."""
    packed = gzip.compress(CONTENT, mtime=0)
    server.answers["/real"] = Answer(packed, headers={"Content-Encoding": "gzip"})
    source = url_source(f"{server.url}/real", sha256=hashlib.sha256(packed).hexdigest())
    archive = store(tmp_path).fetch(release(source), Cancel(), quiet)
    assert archive.path.read_bytes() == packed


def test_cancelling_keeps_what_arrived(tmp_path: Path, server: Server) -> None:
    """Ctrl-C ends a download that has stalled, and the next run has only the rest to get."""
    server.answers["/real"] = Answer(gate=threading.Event(), before_gate=HALF)
    cancel, errors = Cancel(), list[HarnessError]()
    package = release(url_source(f"{server.url}/real"))

    def fetch() -> None:
        try:
            store(tmp_path).fetch(package, cancel, quiet)
        except HarnessError as error:
            errors.append(error)

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    assert until(lambda: _part(tmp_path).stat().st_size > 0)
    cancel.set()
    thread.join(15)
    assert [type(error) for error in errors] == [Cancelled]
    received = _part(tmp_path).stat().st_size
    assert 0 < received <= HALF
    server.answers["/real"] = Answer()
    assert _fetch(tmp_path, f"{server.url}/real") == CONTENT
    assert server.requests[1].range == f"bytes={received}-"


_SCRIPT = """
import sys
from pathlib import Path
from harness.docker_engine.cancel import Cancel
from tests.unit.sources_server import release, store, url_source
thing = release(url_source(sys.argv[2]))
store(Path(sys.argv[1])).fetch(thing, Cancel(), print)
"""


def test_a_killed_process_has_not_worked_in_vain(tmp_path: Path, server: Server) -> None:
    """After kill -9 nothing counts as whole, no lock is held, and only the rest is requested."""
    server.answers["/real"] = Answer(gate=threading.Event(), before_gate=HALF)
    url = f"{server.url}/real"
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(tmp_path), url], stdout=subprocess.DEVNULL
    )
    try:
        assert until(lambda: _part(tmp_path).stat().st_size > 0, 60)
    finally:
        process.kill()
    assert process.wait(15) == -signal.SIGKILL
    received = _part(tmp_path).stat().st_size
    assert 0 < received <= HALF
    assert not (tmp_path / "sources" / SHA256 / "source.tar").exists()
    server.answers["/real"] = Answer()
    assert _fetch(tmp_path, url) == CONTENT
    assert server.requests[1:] == [ReceivedRequest("/real", f"bytes={received}-", '"state-1"')]


def test_progress_is_reported_about_once_a_second() -> None:
    """A line for each piece would drown everything else; none at all would look like a hang."""
    log_lines: list[str] = []
    progress = Progress(log_lines.append, 4_300_000, now=100.0)
    for step in range(31):
        progress.note(100_000 * step, now=100.0 + step / 10)
    assert log_lines == ["1.0 of 4.3 MB", "2.0 of 4.3 MB", "3.0 of 4.3 MB"]


def test_progress_without_a_size() -> None:
    """Some servers do not send the size."""
    assert format_sizes(3_200_000, None) == "3.2 MB"


@pytest.mark.parametrize(("length", "expected"), [(True, "0.5 of 1.0 MB"), (False, "0.5 MB")])
def test_progress_names_the_release_and_the_place(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, length: bool, expected: str
) -> None:
    """Of many downloads at a time, each line names the release, and its progress."""
    monkeypatch.setattr(downloads, "_SAY_EVERY", 0.0)
    monkeypatch.setattr(downloads, "_CHUNK", HALF)
    server.answers["/real"].length = length
    log_lines: list[str] = []
    url = f"{server.url}/real"
    store(tmp_path).fetch(release(url_source(url)), Cancel(), log_lines.append)
    assert log_lines[:2] == [
        f"fetching thing-1.0 from {url}",
        f"fetching thing-1.0 from {url}: {expected}",
    ]


def test_a_short_page_after_a_beginning_is_refused(tmp_path: Path, server: Server) -> None:
    """A mirror that moved answers a range with its page, which must not stay as a part."""
    _leave(tmp_path, CONTENT[:HALF])
    with pytest.raises(SourceError, match=hashlib.sha256(PAGE).hexdigest()):
        _fetch(tmp_path, f"{server.url}/moved")
    assert kept(tmp_path) == []
