"""The pytest plugin against real Postfix: alone, with pytest-xdist, and when things die."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import docker
import pytest

from harness.docker_engine.session import LABEL_RUN
from tests.docker.conftest import CLI, leftovers
from tests.pytest_sessions import prepare, run_pytest

pytestmark = pytest.mark.docker
#: Generous, since what is tested here is not speed: a busy machine must not change a verdict.
LIMIT = ("--postfix-time-limit", "60")
MAIN_CF = """\
smtpd_tls_cert_file = /etc/ssl/certs/mail.pem
smtpd_tls_key_file = /etc/ssl/private/mail.key
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1
smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1
"""
#: The ten lines of docs/pytest.md, and a test that fails.
TEN_LINES = """\
import pytest
pytestmark = pytest.mark.postfix_builds("debian-12,debian-13,ubuntu-16.04")

def test_harden(postfix):
    server = postfix(main_cf="files/main.cf")
    assert server.smtp.protocols == {"TLSv1.2", "TLSv1.3"} & server.build.protocols
    server.must_meet("tls12-or-newer", "no-plaintext-auth")
    server.must_deliver_from("nodemailer-node6")

def test_weak(postfix):
    server = postfix(main_cf={"smtpd_tls_protocols": ""})
    server.must_meet("tls12-or-newer", services="smtp")
"""
SCENARIO = """\
title = "A title"
source = "a test"
claim = "TLSv1 is refused."
services = ["smtp"]
clients = ["openssl-1.0.2h"]
offers = ["TLSv1", "TLSv1.2"]

[[expect]]
says = "TLSv1 is refused"
offers = ["TLSv1"]
outcome = "refused"

[[expect]]
says = "TLSv1.2 gets through"
offers = ["TLSv1.2"]
outcome = "accepted"

[[expect]]
says = "new releases only"
postfix = ">=3.8"
offers = ["TLSv1.2"]
outcome = "accepted"
"""


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes import this checkout."""
    prepare(monkeypatch)


@dataclass(slots=True)
class Watch:
    """The containers that were seen, by session."""

    names: dict[str, set[str]] = field(default_factory=dict)

    def of(self, folder: Path) -> set[str]:
        """Those of the sessions whose run folders are in a project, without the session's id."""
        sessions = {path.name.removesuffix("-scenarios") for path in (folder / "runs").iterdir()}
        return {
            name.replace(session, "")
            for session in sessions & self.names.keys()
            for name in self.names[session]
        }


@contextmanager
def watch_containers(client: docker.DockerClient) -> Iterator[Watch]:
    """Note every container of a session while something runs."""
    watch, ended = Watch(), threading.Event()

    def look() -> None:
        while not ended.wait(0.3):
            for container in client.api.containers(filters={"label": [LABEL_RUN]}):
                session = container["Labels"][LABEL_RUN]
                watch.names.setdefault(session, set()).add(container["Names"][0])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()


def sessions_of(folder: Path) -> list[str]:
    """The Docker sessions that a project's run folders are of."""
    names = {path.name.removesuffix("-scenarios") for path in (folder / "runs").glob("2*")}
    return sorted(names)


def outcomes_of(path: Path) -> dict[str, str]:
    """The outcome of each test in a JUnit file."""
    cases = ElementTree.parse(path).iter("testcase")
    return {
        str(case.get("name")): next((child.tag for child in case if child.tag != "properties"),
                                    "passed")
        for case in cases
    }  # fmt: skip


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with the ten lines."""
    pytester.makepyfile(test_it=TEN_LINES)
    (pytester.mkdir("files") / "main.cf").write_text(MAIN_CF)
    return pytester


@pytest.mark.nightly
def test_any_distribution_of_tests_gives_the_same(
    project: pytest.Pytester, engine: docker.DockerClient
) -> None:
    """Protects xdist: same verdicts, same containers in any mode, and none left after each."""
    modes: list[tuple[str, ...]] = [
        ("-n", "0"),
        ("-n", "2"),
        ("-n", "4", "--dist", "load"),
        ("-n", "4", "--dist", "worksteal"),
        ("-n", "4", "--dist", "loadscope"),
    ]
    seen, found = [], []
    for number, mode in enumerate(modes):
        with watch_containers(engine) as watch:
            result = run_pytest(project, *mode, *LIMIT, "-W", "error", "--junitxml=junit.xml",
                                "--postfix-runs", f"{number}/runs")  # fmt: skip
        assert result.stderr.str() == ""
        found.append(outcomes_of(project.path / "junit.xml"))
        seen.append(watch.of(project.path / str(number)))
        for session in sessions_of(project.path / str(number)):
            assert leftovers(engine, session) == []
    assert set(found[0].values()) == {"passed", "failure"}
    assert [name for name, outcome in found[0].items() if outcome == "failure"] == [
        f"test_weak[{build}]" for build in ("ubuntu-16.04", "debian-12", "debian-13")
    ]
    assert found == [found[0]] * len(modes)
    assert seen == [seen[0]] * len(modes)
    assert len(seen[0]) > 5


def test_a_failure_tells_the_whole_story(project: pytest.Pytester) -> None:
    """Protects the report: cell, log line, and a command that works as it is printed."""
    result = run_pytest(project, *LIMIT, "-k", "weak and debian-12")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "smtp on debian-12: not tls12-or-newer: openssl-1.0.2h TLSv1: negotiated TLSv1" in text
    assert re.search(r"log +postfix-test-weak-\w+/smtpd\[\d+\]: Anonymous TLS connection", text)
    assert "policy_check.py" not in text
    command = re.search(r"evidence +(postfix-matrix show --run .*)$", text, re.MULTILINE)
    assert command is not None
    arguments = command[1].split()[1:]
    done = subprocess.run([*CLI, *arguments], cwd=project.path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "TLSv1" in done.stdout


def write_scenario(project: pytest.Pytester, main_cf: str) -> None:
    """Make a folder with one scenario."""
    folder = project.mkdir("scenarios") / "no-tls1"
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "main.cf").write_text(main_cf)


def test_scenarios_pass_fail_skip_and_err(project: pytest.Pytester) -> None:
    """Protects the four results; a build that is unavailable is an error, the rest runs."""
    write_scenario(project, "smtpd_tls_protocols = TLSv1, TLSv1.2\n")
    builds = "debian-11,ubuntu-18.04"
    for processes in ("0", "2"):
        result = run_pytest(project, "scenarios", *LIMIT, "--postfix-builds", builds,
                            "-n", processes, "-rsf")  # fmt: skip
        result.assert_outcomes(passed=2, failed=2, skipped=2)
        text = result.stdout.str()
        assert (
            "scenario.toml:18: not applicable to debian-11: it is about builds with Postfix >=3.8"
            in text
        )
        assert "claim: TLSv1 is refused." in text
        assert "at scenarios/no-tls1/scenario.toml:8:" in text
        assert "openssl-1.0.2h TLSv1 → smtp on debian-11: accepted, not refused" in text


def test_only_selected_cells_are_measured(project: pytest.Pytester) -> None:
    """Protects `-k`, `-m` and `--lf`: what no selected test needs is not measured."""
    write_scenario(project, "smtpd_tls_protocols = TLSv1, TLSv1.2\n")
    run_pytest(project, "scenarios", *LIMIT, "--postfix-builds", "debian-11", "-k", "gets")
    (folder,) = (project.path / "runs").glob("2*-scenarios")
    lines = (folder / "observations.jsonl").read_text().splitlines()
    cells = [json.loads(line)["cell"] for line in lines if '"cell": "control-' not in line]
    assert cells == ["debian-11/no-tls1/smtp/openssl-1.0.2h/TLSv1.2"]


def test_a_dead_worker_loses_one_test(
    project: pytest.Pytester, engine: docker.DockerClient
) -> None:
    """Protects the rest of a session from os._exit, which pytest-timeout calls, and from kills."""
    project.makepyfile(
        test_it="""
        import os
        import pytest
        pytestmark = pytest.mark.postfix_builds("debian-12")
        LINES = {"smtpd_tls_protocols": "TLSv1.2"}

        @pytest.mark.parametrize("number", range(4))
        def test_good(postfix, number):
            cell = postfix(main_cf=LINES).smtp.cell("openssl-1.0.2h", "TLSv1.2")
            assert cell.outcome == "accepted"

        def test_dies(postfix):
            postfix(main_cf=LINES)
            os._exit(1)
        """
    )
    result = run_pytest(project, *LIMIT, "-n", "2")
    result.assert_outcomes(passed=4, failed=1)
    assert "crashed while running" in result.stdout.str()
    for session in sessions_of(project.path):
        assert leftovers(engine, session) == []


def test_what_a_dead_controller_leaves_goes_at_the_next_start(
    project: pytest.Pytester, engine: docker.DockerClient
) -> None:
    """Protects the machine: os._exit without xdist, and then any further session."""
    project.makepyfile(
        test_it="""
        import os
        import pytest

        @pytest.mark.postfix_builds("debian-12")
        def test_dies(postfix):
            postfix(main_cf={"smtpd_tls_protocols": "TLSv1.2"})
            if not os.path.exists("again"):
                open("again", "w").close()
                os._exit(1)
        """
    )
    run_pytest(project, *LIMIT)
    (session,) = sessions_of(project.path) or _labelled_now(engine)
    assert leftovers(engine, session) != []
    run_pytest(project, *LIMIT).assert_outcomes(passed=1)
    assert leftovers(engine, session) == []


def _labelled_now(engine: docker.DockerClient) -> list[str]:
    containers = engine.api.containers(filters={"label": [LABEL_RUN]})
    return sorted({container["Labels"][LABEL_RUN] for container in containers})[-1:]


@pytest.mark.nightly
def test_a_killed_container_is_no_verdict(project: pytest.Pytester) -> None:
    """Protects against a pass, or a refusal, that a dead server gave."""
    project.makepyfile(
        test_it="""
        import pytest, docker
        from postfix_matrix.testing import NotMeasured
        pytestmark = pytest.mark.postfix_builds("debian-12")
        LINES = {"smtpd_tls_protocols": "TLSv1.2"}

        def test_killed(postfix):
            server = postfix(main_cf=LINES)
            session = server.run_folder.name
            client = docker.from_env()
            label = f"org.postfix-matrix.run={session}"
            for container in client.containers.list(filters={"label": [label]}):
                if container.name.endswith("-debian-12"):
                    container.kill()
            client.close()
            assert server.smtp.cell("openssl-1.0.2h", "TLSv1").outcome != "accepted"

        def test_after(postfix):
            cell = postfix(main_cf=LINES).smtp.cell("openssl-1.0.2h", "TLSv1.2")
            assert cell.outcome == "accepted"
        """
    )
    result = run_pytest(project, *LIMIT)
    result.assert_outcomes(passed=1, errors=1)
    assert "NotMeasured" in result.stdout.str()


@pytest.mark.nightly
def test_tests_may_be_async_and_may_fork(project: pytest.Pytester) -> None:
    """Protects tests with a loop of their own, with threads, and with a fork."""
    project.makepyfile(
        test_it="""
        import asyncio, os
        import pytest
        pytestmark = pytest.mark.postfix_builds("debian-12")
        LINES = {"smtpd_tls_protocols": "TLSv1.2"}

        def test_async(postfix):
            server = postfix(main_cf=LINES)

            async def measure():
                first, second = await asyncio.gather(
                    server.aio.smtp.cell("openssl-1.0.2h", "TLSv1"),
                    server.aio.smtp.cell("openssl-1.0.2h", "TLSv1.2"),
                )
                assert (first.outcome, second.outcome) == ("refused", "accepted")
                assert await server.aio.smtp.protocols == {"TLSv1.2"}
                with pytest.raises(AssertionError):
                    await server.aio.must_meet("tls13-only", services="smtp")

            asyncio.run(measure())

        def test_fork(postfix):
            server = postfix(main_cf=LINES)
            child = os.fork()
            if child == 0:
                try:
                    server.smtp.cell("openssl-1.0.2h", "TLSv1")
                except Exception as error:
                    os._exit(7 if "forked process" in str(error) else 8)
                os._exit(9)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            assert server.smtp.cell("openssl-1.0.2h", "TLSv1").outcome == "refused"

        def test_ciphers(postfix):
            server = postfix(main_cf={**LINES, "smtpd_tls_exclude_ciphers": "kRSA, aNULL"})
            assert "ECDHE-RSA-AES256-GCM-SHA384" in server.smtp.ciphers
            assert "AES256-SHA" not in server.smtp.ciphers
        """
    )
    for processes in ("0", "1"):
        run_pytest(project, *LIMIT, "-n", processes).assert_outcomes(passed=3)


def test_the_first_failure_stops_what_is_measured_ahead(
    project: pytest.Pytester, engine: docker.DockerClient
) -> None:
    """Protects `-x`: the session ends, and with it the scenarios that no test waits for."""
    write_scenario(project, "smtpd_tls_protocols = TLSv1, TLSv1.2\n")
    project.makepyfile(test_it="def test_fails(): assert False")
    began = time.monotonic()
    result = run_pytest(project, "-x", "test_it.py", "scenarios", *LIMIT, "--postfix-builds",
                        "debian-11,debian-12,debian-13")  # fmt: skip
    result.assert_outcomes(failed=1)
    assert time.monotonic() - began < 120
    for session in sessions_of(project.path):
        assert leftovers(engine, session) == []
