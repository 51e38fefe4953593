"""The user's mirrors: tried first, verified like any place, wrong ones named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.catalog.releases import Source, SourceKind
from harness.docker_engine.cancel import Cancel
from harness.errors import ExitCode, SourceError, UsageError
from harness.sources.archives import (
    MIRRORS_VARIABLE,
    mirrors_from,
)
from tests.unit.sources_server import (
    CONTENT,
    PAGE,
    Answer,
    Server,
    kept,
    quiet,
    release,
    serving,
    store,
    url_source,
)

ARCHIVE = "thing-1.0.tar.gz"


@pytest.fixture
def server() -> Iterator[Server]:
    """A real HTTP server."""
    with serving() as server:
        yield server


def test_mirrors_are_asked_in_order_and_first(tmp_path: Path, server: Server) -> None:
    """A closed network must not wait for upstream's hosts before its own mirror is tried."""
    server.answers |= {f"/empty/{ARCHIVE}": Answer(status=404), f"/own/{ARCHIVE}": Answer()}
    package = release(url_source(f"{server.url}/real", archive=ARCHIVE))
    source_store = store(tmp_path, f"{server.url}/empty", f"{server.url}/own")
    archive = source_store.fetch(package, Cancel(), quiet)
    assert archive.path.read_bytes() == CONTENT
    assert server.paths == [f"/empty/{ARCHIVE}", f"/own/{ARCHIVE}"]


def test_a_mirror_is_asked_once_for_a_release_with_many_places(
    tmp_path: Path, server: Server
) -> None:
    """Upstream's places all have one archive; the mirror need not refuse it for each of them."""
    server.answers[f"/own/{ARCHIVE}"] = Answer(status=404)
    places = [url_source(f"{server.url}/{name}", archive=ARCHIVE) for name in ("gone", "real")]
    store(tmp_path, f"{server.url}/own").fetch(release(*places), Cancel(), quiet)
    assert server.paths == [f"/own/{ARCHIVE}", "/gone", "/real"]


def test_a_mirror_is_believed_no_more_than_upstream(tmp_path: Path, server: Server) -> None:
    """The catalog's checksum holds for the user's own mirror, which may be tampered with too."""
    server.answers[f"/own/{ARCHIVE}"] = Answer(b"X" + CONTENT[1:])
    package = release(url_source(f"{server.url}/gone", archive=ARCHIVE))
    with pytest.raises(SourceError) as caught:
        store(tmp_path, f"{server.url}/own").fetch(package, Cancel(), quiet)
    archive = hashlib.sha256(b"X" + CONTENT[1:]).hexdigest()
    assert f"{server.url}/own/{ARCHIVE}: gave other bytes" in str(caught.value)
    assert archive in str(caught.value)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("slashes", ["", "//"])
def test_a_folder_can_be_a_mirror(tmp_path: Path, slashes: str) -> None:
    """A shared disk, or a stick, is enough where there is no network at all."""
    folder = tmp_path / "my sources"
    folder.mkdir()
    (folder / ARCHIVE).write_bytes(CONTENT)
    base = f"file:{slashes}{str(folder).replace(' ', '%20')}"
    (mirror,) = mirrors_from([base], {})
    package = release(url_source("http://127.0.0.1:1/closed", archive=ARCHIVE))
    archive = store(tmp_path / "cache", mirror).fetch(package, Cancel(), quiet)
    assert archive.path.read_bytes() == CONTENT
    assert (folder / ARCHIVE).read_bytes() == CONTENT, "it stays the user's"


def test_a_folder_without_the_archive_is_listed(tmp_path: Path) -> None:
    """The error shows under which name and where the archive was looked for."""
    package = release(url_source("http://127.0.0.1:1/closed", archive=ARCHIVE))
    with pytest.raises(SourceError, match=f"file:{tmp_path}/{ARCHIVE}: .*No such file"):
        store(tmp_path, f"file:{tmp_path}").fetch(package, Cancel(), quiet)


def test_only_upstreams_archive_is_looked_for(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another registry's package has a hash of its own, and no name on a mirror."""
    monkeypatch.setenv("PATH", str(tmp_path))
    package = Source(
        SourceKind.NPM, hashlib.sha256(PAGE).hexdigest(), 0, "x", package="thing@1", archive=ARCHIVE
    )
    nameless = url_source(f"{server.url}/real")
    log_lines: list[str] = []
    store(tmp_path, f"{server.url}/own").fetch(
        release(package, nameless), Cancel(), log_lines.append
    )
    assert server.paths == ["/real"]
    assert log_lines == [
        "fetching thing-1.0 from npm package thing@1",
        f"fetching thing-1.0 from {server.url}/real",
    ]


def test_options_come_before_the_environment() -> None:
    """The command line has precedence; no mirror is tried twice."""
    environ = {MIRRORS_VARIABLE: " https://b.example/x/  file:/srv/sources http://a.example "}
    assert mirrors_from(["http://a.example/", "http://c.example"], environ) == (
        "http://a.example",
        "http://c.example",
        "https://b.example/x",
        "file:/srv/sources",
    )
    assert mirrors_from([], {}) == ()


@pytest.mark.parametrize(
    "text",
    [
        "mirror.example",
        "/srv/sources",
        "ftp://a.example/",
        "http://",
        "http://a.example:port/",
        "http://a.example/?get=",
        "http://a.example/#top",
        "file:sources",
        "file://a.example/sources",
        "",
    ],
)
def test_what_is_no_mirror_is_named_with_its_place(text: str) -> None:
    """A typing error must be reported at once, not after all other places were tried."""
    with pytest.raises(UsageError, match=r"^--mirror: ") as caught:
        mirrors_from([text], {})
    assert repr(text) in caught.value.what
    assert caught.value.exit_code is ExitCode.USAGE
    if text:
        with pytest.raises(UsageError, match=f"^{MIRRORS_VARIABLE}: "):
            mirrors_from([], {MIRRORS_VARIABLE: f"http://a.example {text}"})


def test_a_password_in_a_mirrors_address_is_refused() -> None:
    """Addresses are shown in progress, errors and logs."""
    with pytest.raises(UsageError, match=r"~/\.netrc"):
        mirrors_from(["https://me:secret@a.example/"], {})
