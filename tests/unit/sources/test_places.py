"""A place that is not reached is not tried twice; one that answers, even an error, is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.docker_engine.cancel import Cancel
from harness.errors import SourceError
from harness.sources import (
    archives as sources,
)
from harness.sources import (
    downloads,
)
from tests.unit.sources_server import (
    CONTENT,
    Answer,
    Server,
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


@pytest.fixture
def closed() -> int:
    """A port on which no server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_host_that_was_not_reached_is_not_tried_for_other_releases(
    tmp_path: Path, closed: int
) -> None:
    """Offline, twenty releases must not wait twenty times for each host of the catalog."""
    first = release(url_source(f"http://127.0.0.1:{closed}/a"))
    second = release(url_source(f"http://127.0.0.1:{closed}/real"), version="2.0")
    source_store = store(tmp_path)
    with pytest.raises(SourceError, match="Connection refused"):
        source_store.fetch(first, Cancel(), quiet)
    with serving(closed) as server:
        with pytest.raises(SourceError, match=r"not reached before: .*Connection refused"):
            source_store.fetch(second, Cancel(), quiet)
        assert server.requests == []
        # The next command tries the host again.
        assert store(tmp_path).fetch(second, Cancel(), quiet).path.read_bytes() == CONTENT


def test_a_name_that_is_not_known_counts_as_not_reached() -> None:
    """A machine without DNS fails by look-ups, each of which takes seconds."""
    with pytest.raises(socket.gaierror) as caught:
        socket.getaddrinfo("127.0.0.1", 80, family=socket.AF_INET6)
    assert downloads.is_unreached(caught.value)


def test_a_host_that_hangs_up_was_reached(tmp_path: Path) -> None:
    """A busy server that ends one connection may serve the next."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/real"
        hang_up = threading.Thread(target=lambda: listener.accept()[0].close())
        hang_up.start()
        source_store = store(tmp_path)
        with pytest.raises(SourceError) as caught:
            source_store.fetch(release(url_source(url)), Cancel(), quiet)
        hang_up.join(10)
    with serving(int(url.rpartition(":")[2].removesuffix("/real"))):
        archive = source_store.fetch(release(url_source(url), version="2.0"), Cancel(), quiet)
    assert archive.path.read_bytes() == CONTENT
    assert "/real: " in str(caught.value)


def test_a_silent_host_counts_as_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Firewalls drop rather than refuse; each host must cost its time limit once."""
    monkeypatch.setattr(downloads, "TIME_LIMITS", (0.3, 0.3))
    source_store = store(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(SourceError, match="timed out"):
            source_store.fetch(release(url_source(url)), Cancel(), quiet)
        with pytest.raises(SourceError, match=r"not reached before: .*timed out"):
            source_store.fetch(release(url_source(url), version="2.0"), Cancel(), quiet)


def test_a_host_that_answers_is_asked_again(tmp_path: Path, server: Server) -> None:
    """A mirror that does not have one release may have the others."""
    source_store = store(tmp_path)
    with pytest.raises(SourceError, match="HTTP 404"):
        source_store.fetch(release(url_source(f"{server.url}/gone")), Cancel(), quiet)
    archive = source_store.fetch(
        release(url_source(f"{server.url}/real"), version="2.0"), Cancel(), quiet
    )
    assert archive.path.read_bytes() == CONTENT


def test_only_the_host_that_is_redirected_to_is_remembered(
    tmp_path: Path, server: Server, closed: int
) -> None:
    """A site that hands its downloads to a host that is blocked still serves its other files."""
    away = Answer(status=302, headers={"Location": f"http://127.0.0.1:{closed}/x"})
    server.answers |= {"/a": away, "/b": away}
    source_store = store(tmp_path)
    with pytest.raises(SourceError, match="Connection refused"):
        source_store.fetch(release(url_source(f"{server.url}/a")), Cancel(), quiet)
    with pytest.raises(SourceError, match="not reached before"):
        source_store.fetch(release(url_source(f"{server.url}/b"), version="2.0"), Cancel(), quiet)
    archive = source_store.fetch(
        release(url_source(f"{server.url}/real"), version="3.0"), Cancel(), quiet
    )
    assert archive.path.read_bytes() == CONTENT


_NPM_UNREACHED = """
npm error code ECONNREFUSED
npm error syscall connect
npm error FetchError: request to http://127.0.0.1:1/thing failed, reason: connect ECONNREFUSED
npm error     at ClientRequest.emit (node:events:524:28)
npm error A complete log of this run can be found in: /root/.npm/_logs/debug-0.log
"""
_NPM_NO_VERSION = """
npm error code ETARGET
npm error notarget No matching version found for thing@99.0.0.
npm error A complete log of this run can be found in: /root/.npm/_logs/debug-0.log
"""


@pytest.mark.parametrize(
    ("output", "shown", "unreached"),
    [
        (_NPM_UNREACHED, "reason: connect ECONNREFUSED", True),
        (_NPM_NO_VERSION, "No matching version found for thing@99.0.0.", False),
        ("", "it printed nothing", False),
    ],
)
def test_the_error_line_of_npm_is_shown(output: str, shown: str, unreached: bool) -> None:
    """npm prints twenty lines, the last of which names a log, if it reached no registry."""
    assert sources._npm_error(output).endswith(shown)
    assert bool(sources._UNREACHED.search(output)) is unreached
