"""The plugin in pytest itself, without an engine: collection, options, traps, the one sentence."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.pytest_sessions import ROOT, Tripwire, no_docker, prepare, run_pytest

TESTS = """
import pytest

def test_plain(postfix):
    postfix(main_cf="smtpd_tls_protocols = TLSv1.2\\n")

@pytest.mark.postfix_builds("ubuntu-16.04", "debian-12")
def test_marked(postfix):
    pass

@pytest.fixture
def server(postfix):
    return postfix(main_cf="smtpd_tls_protocols = TLSv1.2\\n")

@pytest.mark.parametrize("number", [1, 2])
def test_indirect(number, server):
    pass

def test_without():
    pass
"""
SCENARIO = """\
title = "A title"
source = "a test"
claim = "TLSv1 is refused."

[[expect]]
says = "a client @ TLSv1 :: is refused"
offers = ["TLSv1"]
outcome = "refused"

[[expect]]
policy = "tls12-or-newer"
"""


@pytest.fixture(autouse=True)
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tripwire]:
    """No Docker engine."""
    prepare(monkeypatch)
    with no_docker(monkeypatch) as tripwire:
        yield tripwire


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with tests of the fixture, and a folder of scenarios."""
    pytester.makepyfile(test_it=TESTS)
    pytester.makeini("[pytest]\npostfix_builds = debian-13")
    folder = pytester.mkdir("scenarios") / "no-tls1"
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "main.cf").write_text("smtpd_tls_protocols = !TLSv1\n")
    return pytester


def ids(result: pytest.RunResult) -> list[str]:
    """The node ids that ``--collect-only -q`` prints, without their files."""
    return [line.partition("::")[2] for line in result.outlines if "::" in line]


def test_importing_it_costs_nothing() -> None:
    """Protects every project that has the wheel installed: neither Docker nor the harness loads."""
    code = (
        "import pytest, sys, time; before = set(sys.modules); began = time.process_time()\n"
        "import postfix_matrix.pytest_plugin\n"
        "print(time.process_time() - began)\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds, modules = done.stdout.splitlines()
    assert set(modules.split()) == {"harness", "postfix_matrix", "postfix_matrix.pytest_plugin"}
    assert float(seconds) < 0.02


def test_tests_are_repeated_for_each_build(project: pytest.Pytester, wire: Tripwire) -> None:
    """Protects the ids, the precedence, fixtures that use ours, and a collection without Docker."""
    result = run_pytest(project, "--collect-only", "-q", "test_it.py")
    assert ids(result) == [
        "test_plain[debian-13]",
        "test_marked[ubuntu-16.04]",
        "test_marked[debian-12]",
        "test_indirect[debian-13-1]",
        "test_indirect[debian-13-2]",
        "test_without",
    ]
    result = run_pytest(project, "--collect-only", "-q", "--postfix-builds", "debian-1[23]",
                        "test_it.py", "-k", "plain or marked")  # fmt: skip
    assert ids(result) == [
        "test_plain[debian-12]",
        "test_plain[debian-13]",
        "test_marked[ubuntu-16.04]",
        "test_marked[debian-12]",
    ]
    assert wire.connections == 0


def test_scenarios_are_collected(project: pytest.Pytester, wire: Tripwire) -> None:
    """Protects one test per expectation and build, with safe names, at the line of its table."""
    result = run_pytest(project, "--collect-only", "-q", "scenarios", "--postfix-builds",
                        "debian-12,debian-13")  # fmt: skip
    names = ids(result)
    assert len(names) == 6
    assert names[0] == "a-client-TLSv1-is-refused[debian-12]"
    assert not any("@" in name or "::" in name for name in names)
    for command in (["--fixtures"], ["--help"], ["--markers"], ["-k", "absent"]):
        result = run_pytest(project, *command)
        assert "postfix" in result.stdout.str() or "deselected" in result.stdout.str()
    assert wire.connections == 0


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["alone", "two"])
def test_without_an_engine_there_is_one_sentence(
    project: pytest.Pytester, processes: tuple[str, ...]
) -> None:
    """Protects readers: an error for each test, the reason once, and no traceback."""
    result = run_pytest(project, *processes, "test_it.py", "scenarios", "-W", "error",
                        "--strict-markers", "--strict-config", "-p", "no:cacheprovider",
                        "--import-mode=importlib")  # fmt: skip
    result.assert_outcomes(errors=8, passed=1)
    text = result.stdout.str() + result.stderr.str()
    assert text.count("no Docker engine answers") == 1
    assert "Traceback" not in text
    assert not re.search(r"\.py:\d+: ", text)
    assert result.stderr.str() == ""
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_bad_globs_are_errors_of_the_collection(project: pytest.Pytester, wire: Tripwire) -> None:
    """Protects against a misspelt build: the message names the test and the glob."""
    result = run_pytest(project, "test_it.py", "scenarios", "--postfix-builds", "debain-*")
    text = result.stdout.str()
    assert text.count("debain-*") >= 2
    assert "test_plain:" in text
    assert "Traceback" not in text
    assert wire.connections == 0


def test_a_bad_scenario_names_its_line(project: pytest.Pytester) -> None:
    """Protects authors: file, line, key and what was expected; other tests are collected."""
    toml = project.path / "scenarios" / "no-tls1" / "scenario.toml"
    toml.write_text(SCENARIO.replace('outcome = "refused"', 'outcome = "denied"'))
    result = run_pytest(project, "--collect-only", "test_it.py", "scenarios")
    assert "scenario.toml:8: expect.outcome: cannot be 'denied'" in result.stdout.str()
    assert "test_plain[debian-13]" in result.stdout.str()


FOREIGN = """\
[driver]
name = "docker"

[scenario]
test_sequence = ["converge", "verify"]
"""


def test_another_tools_scenario_is_not_collected(project: pytest.Pytester) -> None:
    """Protects projects with other tools' files of that name; a broken one of ours is an error."""
    foreign, broken = project.mkdir("molecule"), project.mkdir("ours")
    (foreign / "scenario.toml").write_text(FOREIGN)
    (broken / "scenario.toml").write_text("titel = 1\n")
    (broken / "main.cf").write_text("")
    result = run_pytest(project, "--collect-only", "-q", "molecule", "scenarios", "ours")
    assert len(ids(result)) == 3
    text = result.stdout.str()
    assert "ours/scenario.toml" in text
    assert "titel" in text
    assert "molecule" not in text


def test_the_configuration_file_names_the_folders_of_scenarios(project: pytest.Pytester) -> None:
    """Protects the choice: with globs nothing else is collected, but for a file that is named."""
    for name in ("left-out", "named"):
        folder = project.mkdir(name)
        (folder / "scenario.toml").write_text(SCENARIO)
    result = run_pytest(project, "--collect-only", "-q", "-o", "postfix_scenarios=scenarios/* x/*",
                        "scenarios", "left-out", "named/scenario.toml")  # fmt: skip
    files = [line.partition("::")[0] for line in result.outlines if "::" in line]
    assert sorted(files) == ["named/scenario.toml"] * 3 + ["scenarios/no-tls1/scenario.toml"] * 3


def test_images_of_the_users_own_are_builds(project: pytest.Pytester, wire: Tripwire) -> None:
    """Protects --postfix-image and its key: by name for tests, and no test must use them."""
    project.makeini("[pytest]\npostfix_builds = mine two debian-12\npostfix_images = mine=x:1")
    result = run_pytest(project, "--collect-only", "-q", "--postfix-image", "two=x:2", "test_it.py",
                        "-k", "plain or marked")  # fmt: skip
    assert ids(result) == [
        "test_plain[debian-12]",
        "test_plain[mine]",
        "test_plain[two]",
        "test_marked[ubuntu-16.04]",
        "test_marked[debian-12]",
    ]
    assert wire.connections == 0


def test_two_scenarios_of_one_name_are_refused(project: pytest.Pytester) -> None:
    """Protects the evidence: cells of two scenarios never have one id."""
    other = project.mkdir("more") / "no-tls1"
    other.mkdir()
    (other / "scenario.toml").write_text(SCENARIO)
    result = run_pytest(project, "--collect-only", "scenarios", "more")
    assert "has the same name as" in result.stdout.str()


def test_the_key_may_be_native_toml(pytester: pytest.Pytester) -> None:
    """Protects pyproject.toml: a list, in [tool.pytest.ini_options] and in pytest 9's own table."""
    pytester.makepyfile(test_it="def test_a(postfix): pass")
    tables = ["tool.pytest.ini_options"]
    if int(pytest.__version__.split(".", maxsplit=1)[0]) >= 9:
        tables.append("tool.pytest")
    for table in tables:
        pytester.makepyprojecttoml(f'[{table}]\npostfix_builds = ["debian-12", "debian-13"]\n')
        result = run_pytest(pytester, "--collect-only", "-q", "--strict-config")
        assert ids(result) == ["test_a[debian-12]", "test_a[debian-13]"]


def test_processes_on_other_machines_are_refused(pytester: pytest.Pytester) -> None:
    """Protects `--tx ssh`: a sentence in each test that needs the engine, and in no other."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_configure_node(node):
            node.gateway.spec.ssh = "mx.example"
        """
    )
    pytester.makepyfile(TESTS)
    result = run_pytest(pytester, "-n", "1", "--postfix-builds", "debian-12", "-k", "plain or out")
    result.assert_outcomes(errors=1, passed=1)
    assert "this process is on another machine" in result.stdout.str()
