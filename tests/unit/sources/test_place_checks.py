"""Which places have a file, by HEAD requests to a real server: nothing is fetched."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.catalog.reachability import FileState, ReleaseAnswers
from harness.catalog.releases import Release, Source, SourceKind
from harness.sources.place_checks import check_releases, list_askable
from tests.unit.sources_server import SHA256, Answer, Server, release, serving, url_source


@pytest.fixture
def server() -> Iterator[Server]:
    """A real HTTP server."""
    with serving() as server:
        yield server


@pytest.fixture
def closed() -> str:
    """The URL of a port on which no server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def check(*releases: Release, mirrors: Sequence[str] = ()) -> list[ReleaseAnswers]:
    """What places answer within a second, with an empty cache."""
    return list(check_releases(releases, lambda _: False, mirrors, time_limit=1.0))


def states(answers: ReleaseAnswers) -> list[tuple[FileState, str]]:
    """The states and reasons of a release's places, in the order of asking."""
    return [(answer.state, answer.reason) for answer in answers.answers]


def test_a_file_that_is_there_is_not_fetched(server: Server) -> None:
    """Protects the network: a list would fetch 5 MB for each of 300 releases."""
    (answers,) = check(release(url_source(f"{server.url}/real")))
    assert answers.available
    assert answers.source == url_source(f"{server.url}/real")
    assert server.heads == ["/real"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        ("/gone", Answer(status=404), (FileState.MISSING, "HTTP 404")),
        ("/gone", Answer(status=410), (FileState.MISSING, "HTTP 410")),
        ("/busy", Answer(status=503), (FileState.FAILED, "HTTP 503")),
        ("/page", None, (FileState.MISSING, "a web page in its place")),
    ],
)
def test_each_reason_is_named(
    server: Server, path: str, answer: Answer | None, expected: tuple[FileState, str]
) -> None:
    """Protects the next step: a file that has gone, a busy server and a moved mirror differ."""
    if answer:
        server.answers[path] = answer
    (answers,) = check(release(url_source(f"{server.url}{path}")))
    assert states(answers) == [expected]
    assert not answers.available


def test_a_server_that_knows_no_head_is_asked_for_one_byte(server: Server) -> None:
    """Protects reach: some servers answer 405 to HEAD, and have the file."""
    server.answers["/real"] = Answer(head=False)
    (answers,) = check(release(url_source(f"{server.url}/real")))
    assert answers.available
    assert [request.range for request in server.requests] == ["bytes=0-0"]


def test_the_next_place_is_asked_only_where_one_does_not_have_the_file(server: Server) -> None:
    """Protects mirrors: a machine on the whole Internet asks one place per release."""
    both = release(url_source(f"{server.url}/real"), url_source(f"{server.url}/other"))
    second = release(
        url_source(f"{server.url}/gone"), url_source(f"{server.url}/real"), version="2.0"
    )
    answers = check(both, second)
    assert sorted(server.heads) == ["/gone", "/real", "/real"]
    assert [each.available for each in answers] == [True, True]
    assert states(answers[1])[0] == (FileState.MISSING, "HTTP 404")


def test_a_host_that_refuses_connections_is_asked_once(server: Server, closed: str) -> None:
    """Protects time: 150 releases would wait 150 times for the same host."""
    releases = [
        release(
            url_source(f"{closed}/{number}"),
            url_source(f"{server.url}/real"),
            version=f"1.{number}",
        )
        for number in range(20)
    ]
    answers = check(*releases)
    assert all(each.available for each in answers)
    reasons = {states(each)[0] for each in answers}
    assert reasons == {(FileState.UNREACHED, "Connection refused")}


def test_a_host_that_hangs_costs_its_time_limit_once(server: Server) -> None:
    """Protects time, and reports that kindly: the limit is named, and the rest goes on."""
    gate = threading.Event()
    for number in range(20):
        server.answers[f"/{number}"] = Answer(gate=gate)
    releases = [
        release(url_source(f"{server.url}/{number}"), version=f"1.{number}") for number in range(20)
    ]
    with serving() as other:
        quick = release(url_source(f"{other.url}/real"), version="2.0")
        started = time.monotonic()
        answers = check(*releases, quick)
        assert time.monotonic() - started < 10
    gate.set()
    assert server.heads == ["/0"]
    assert {reason for each in answers[:-1] for _, reason in states(each)} == {
        "no answer within 1 s"
    }
    assert answers[-1].available


def test_a_mirror_of_the_user_s_is_asked_first(server: Server, closed: str) -> None:
    """Protects --mirror: it has the files under upstream's names, and stands in for upstream."""
    server.answers["/m/thing-1.0.tar.gz"] = Answer()
    there = release(url_source(f"{closed}/x", archive="thing-1.0.tar.gz"))
    (answers,) = check(there, mirrors=[f"{server.url}/m"])
    assert [str(answer.source) for answer in answers.answers] == [
        f"{server.url}/m/thing-1.0.tar.gz"
    ]
    assert answers.available


def test_a_folder_of_the_user_s_may_be_a_mirror(tmp_path: Path, closed: str) -> None:
    """Protects machines without network: what lies in a folder there is found, what not, is not."""
    (tmp_path / "thing-1.0.tar.gz").write_bytes(b"an archive")
    releases = [
        release(url_source(f"{closed}/x", archive=f"thing-{version}.tar.gz"), version=version)
        for version in ("1.0", "2.0")
    ]
    first, second = check(*releases, mirrors=[tmp_path.as_uri()])
    assert first.available
    assert states(second)[0] == (FileState.MISSING, "no such file")


def test_no_place_is_asked_for_what_is_on_this_machine(server: Server) -> None:
    """Protects the network, and counts what can be built without it."""
    listed = release(url_source(f"{server.url}/real"))
    (answers,) = check_releases([listed], lambda _: True, time_limit=1.0)
    assert (answers.available, answers.cached, answers.source) == (True, True, None)
    users = release(Source(SourceKind.LOCAL, SHA256, 0, "thing-1.0", path="/home/me/thing"))
    (answers,) = check(users)
    assert answers.available
    assert server.heads == []


def test_the_file_of_a_suite_is_asked_for_in_the_pool() -> None:
    """Protects the figures: apt's file and the pool's are one, and apt needs a container."""
    pool = Source(SourceKind.POOL, SHA256, 1, "thing-1.0", url="http://pool/x", pool="debian")
    suite = Source(
        SourceKind.DEBIAN, SHA256, 1, "thing-1.0", suite="sid", package="thing", file="x"
    )
    assert list_askable(release(pool, suite), ()) == (pool,)


def test_without_npm_its_registry_counts_as_not_reached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Protects machines without npm: one place less, with the reason."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (answers,) = check(release(Source(SourceKind.NPM, SHA256, 0, "package", package="thing@1.0")))
    assert states(answers) == [(FileState.UNREACHED, "npm is not installed")]
