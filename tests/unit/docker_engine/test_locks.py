"""An archive is fetched once, however many threads and processes need it at the same moment."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.docker_engine.cancel import (
    Cancel,
    Cancelled,
)
from tests.unit.sources_server import (
    CONTENT,
    Answer,
    Server,
    quiet,
    release,
    serving,
    store,
    until,
    url_source,
)

_SCRIPT = """
import sys
from pathlib import Path
from harness.docker_engine.cancel import Cancel
from tests.unit.sources_server import release, store, url_source

def say(text):
    print(text, flush=True)

package = release(url_source(sys.argv[2]))
say(store(Path(sys.argv[1])).fetch(package, Cancel(), say).path)
"""


@pytest.fixture
def gate() -> threading.Event:
    """What the server waits for before it sends anything."""
    return threading.Event()


@pytest.fixture
def server(gate: threading.Event) -> Iterator[Server]:
    """A server that has begun an answer, and goes on when the gate opens."""
    with serving() as server:
        server.answers["/real"] = Answer(gate=gate)
        yield server


def test_two_threads_share_a_download(
    tmp_path: Path, server: Server, gate: threading.Event
) -> None:
    """Two builds need the same Postfix source; it is requested once."""
    package, log_lines, source_store = (
        release(url_source(f"{server.url}/real")),
        list[str](),
        store(tmp_path),
    )
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(source_store.fetch, package, Cancel(), log_lines.append) for _ in range(2)
        ]
        assert until(lambda: any(line.startswith("waiting: ") for line in log_lines))
        gate.set()
        archives = [future.result(timeout=30) for future in both]
    assert [archive.path.read_bytes() for archive in archives] == [CONTENT, CONTENT]
    assert server.paths == ["/real"]


def test_two_processes_share_a_download(
    tmp_path: Path, server: Server, gate: threading.Event
) -> None:
    """Two runs started at the same time do not fetch everything twice."""
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path), f"{server.url}/real"]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert until(lambda: bool(server.requests), 60)
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert second.stdout is not None
        assert second.stdout.readline().startswith("waiting: ")
        gate.set()
        ends = [process.communicate(timeout=30)[0] for process in (first, second)]
    finally:
        for process in (first, second):
            process.kill()
    assert [process.returncode for process in (first, second)] == [0, 0]
    assert {end.splitlines()[-1].rpartition("/")[2] for end in ends} == {"source.tar"}
    assert server.paths == ["/real"]


def test_waiting_for_another_download_can_be_cancelled(tmp_path: Path, server: Server) -> None:
    """Ctrl-C ends a run also while another run fetches the source that it needs."""
    package, source_store = release(url_source(f"{server.url}/real")), store(tmp_path)
    first, second = Cancel(), Cancel()
    with ThreadPoolExecutor(2) as pool:
        fetching = pool.submit(source_store.fetch, package, first, quiet)
        assert until(lambda: bool(server.requests))
        # It cancels as soon as it reports that it waits.
        waiting = pool.submit(source_store.fetch, package, second, lambda _: second.set())
        with pytest.raises(Cancelled):
            waiting.result(timeout=15)
        first.set()
        with pytest.raises(Cancelled):
            fetching.result(timeout=15)
