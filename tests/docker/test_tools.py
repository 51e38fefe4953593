"""Hardening tools on real builds: six real ones, four with planted faults, and trouble.

What each must be reported to do was written down before it was measured
(data/tools/verdicts.toml).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.cli.commands.tool import read_files
from harness.cli.measure_options import MeasureOptions
from harness.cli.tool_session import ToolOutcome, ToolSession
from harness.errors import ExitCode
from harness.images.pruning import our_images
from harness.outcomes import Outcome
from harness.reports.tool_json import tool_data
from harness.reports.tool_text import tool_text
from harness.run.choosing import Selection, choose_builds
from harness.run.engine import Options
from harness.snapshots.snapshot import RecordedSelection
from harness.snapshots.snapshot_text import format_snapshot
from harness.tools.trial import AFTER, BEFORE
from tests.docker.conftest import SharedEngine
from tests.pytest_sessions import ROOT, prepare, run_pytest
from tests.schema_files import faults
from tests.unit.project.pages import Page

pytestmark = pytest.mark.docker
DATA = Path(__file__).parent / "data" / "tools"
#: A client of today: it offers all versions that a build can have.
MODERN = "aiosmtplib-debian12"
#: Installing the first three takes minutes; two of the others are enough for each change.
SLOW = ("debops", "puppet", "pyinfra", "debconf", "jinja2", "mandatory", "appends", "bound")


@dataclass(frozen=True, slots=True)
class ToolVerdict:
    """What must be reported of a tool; see verdicts.toml."""

    path: str
    accepts: Sequence[str]
    builds: Sequence[str] = ("debian-12",)
    worse: Sequence[str] = ()
    blame: Sequence[str] = ()
    idle: Sequence[str] = ()
    faults: Sequence[str] = ()
    services: Sequence[str] = ()
    log: str = ""


@dataclass
class ToolCaller:
    """Calls ``tool`` on the engine that all tests share."""

    engine: SharedEngine
    runs: Path
    policies: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    def call(self, path: Path, *builds: str, **options: Any) -> ToolOutcome:
        """The outcome of ``postfix-matrix tool PATH -b BUILDS``."""
        measuring = MeasureOptions(
            selection=Selection(builds=builds),
            builds=choose_builds(builds),
            scenarios_dir=None,
            runs=self.runs,
            options=Options(),
            mirrors=(),
            registry=None,
            quiet=True,
        )
        files = read_files(path, measuring=measuring, **options)
        return ToolSession(files, measuring, self.engine.open()).run()


@pytest.fixture
def tools(shared_engine: SharedEngine, tmp_path: Path) -> ToolCaller:
    """Calls tools, with run folders of the test's own."""
    return ToolCaller(shared_engine, tmp_path / "runs")


@cache
def read_verdicts() -> Mapping[str, ToolVerdict]:
    """The verdicts by name."""
    tables = tomllib.loads((DATA / "verdicts.toml").read_text("utf-8"))
    return {name: ToolVerdict(**table) for name, table in tables.items()}


def accepted_versions(outcome: ToolOutcome) -> set[str]:
    """The versions that some client can use on smtp after the tool."""
    assert outcome.data is not None
    return {
        cell.offer
        for cell in outcome.data.observations
        if cell.scenario == AFTER
        and cell.service == "smtp"
        and cell.outcome is Outcome.ACCEPTED
        and cell.offer.startswith("TLSv")
    }


def worse_offers(data: Mapping[str, Any]) -> set[str]:
    """The offers for which the modern client is worse off."""
    return {
        cell["offer"]
        for group in data["clients"]["groups"]
        if group["finding"] == "broken"
        for cell in group["cells"]
        if cell["client"] == MODERN
    }


def blamed_settings(data: Mapping[str, Any]) -> list[str]:
    """The settings that are named as causes, each checked to have its line."""
    settings = [setting for blame in data["clients"]["blames"] for setting in blame["settings"]]
    assert all(setting["line"] for setting in settings)
    return sorted({setting["setting"].partition(" =")[0] for setting in settings})


def name_params() -> list[Any]:
    """The names of the verdicts; slow ones are for the night."""
    return [
        pytest.param(name, marks=[pytest.mark.nightly] if name in SLOW else [])
        for name in read_verdicts()
    ]


@pytest.mark.parametrize("name", name_params())
def test_the_verdict_is_as_written_down(tools: ToolCaller, name: str) -> None:
    """Protects the tool's whole point: real tools are judged right, and planted faults caught."""
    expected = read_verdicts()[name]
    outcome = tools.call(DATA / expected.path, *expected.builds)
    data = json.loads(json.dumps(tool_data(outcome.report)))
    text = tool_text(outcome.report, verbose=True)
    assert faults("tool", data) == []
    builds = list(data["builds"].values())
    found_faults = sorted({fault["kind"] for build in builds for fault in build["faults"]})
    assert found_faults == sorted(expected.faults), text
    assert accepted_versions(outcome) == set(expected.accepts), text
    assert worse_offers(data) == set(expected.worse), text
    assert blamed_settings(data) == sorted(expected.blame), text
    for build in builds:
        idle = {setting["setting"].partition(" =")[0] for setting in build["no_effect"]}
        assert idle >= set(expected.idle), text
        assert not idle & set(expected.blame), text
        calls = [call["command"] for call in build["runs"][0]["service_calls"]]
        assert set(expected.services) <= set(calls), text
        assert not expected.log or any(expected.log in line for line in build["log"]), text
    assert outcome.exit_code is (ExitCode.DIFFERS if expected.faults else ExitCode.OK)


def write_script(folder: Path, *lines: str) -> Path:
    """A script of the shell."""
    path = folder / "tool.sh"
    path.write_text("\n".join(["#!/bin/sh", "set -e", *lines]) + "\n")
    return path


def texts_of(outcome: ToolOutcome) -> list[str]:
    """The faults in sentences."""
    return [fault.text for build in outcome.report.builds for fault in build.faults]


TROUBLE: Mapping[str, tuple[Iterable[str], str, str]] = {
    "fails": (["echo it broke", "exit 7"], "the tool failed on debian-12: exit 7", "it broke"),
    "network": (
        ["getent hosts deb.debian.org || { echo 'Could not resolve deb.debian.org'; exit 1; }"],
        "the tool failed on debian-12: exit 1",
        "`network = true`",
    ),
    "leaves nothing": (
        ["mv /etc/postfix/main.cf /etc/postfix/main.cf.off"],
        "the tool left no main.cf on debian-12",
        "main.cf.off",
    ),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_is_explained(tools: ToolCaller, tmp_path: Path, name: str) -> None:
    """Protects who writes a tool: each trouble has its own message, and nothing is measured."""
    lines, text, detail = TROUBLE[name]
    outcome = tools.call(write_script(tmp_path, *lines), "debian-12")
    assert texts_of(outcome) == [text]
    assert detail in tool_text(outcome.report)
    assert outcome.exit_code is ExitCode.DIFFERS
    assert outcome.data is None


def test_a_tool_without_end_is_ended(tools: ToolCaller, tmp_path: Path) -> None:
    """Protects CI from hanging: the limit ends it, and what it printed is kept."""
    write_script(tmp_path, "echo waiting", "sleep 300")
    description = tmp_path / "tool.toml"
    description.write_text(
        'title = "T"\ncommand = ["sh", "tool.sh"]\nfiles = ["tool.sh"]\ntime_limit = 1\n'
    )
    outcome = tools.call(description, "debian-12")
    (build,) = outcome.report.builds
    assert [fault.kind for fault in build.faults] == ["time limit"]
    assert build.faults[0].lines == ("waiting",)


@pytest.mark.nightly
def test_what_the_tool_left_elsewhere_is_in_effect(tools: ToolCaller, tmp_path: Path) -> None:
    """Protects "in that very container": an openssl.cnf of the tool's limits smtpd as well.

    Postfix sets the versions itself, whatever MaxProtocol says; it leaves TLSv1.3's ciphers alone.
    """
    script = write_script(
        tmp_path,
        "printf '%s\\n' 'openssl_conf = init' '[init]' 'ssl_conf = limits' '[limits]'"
        " 'system_default = all' '[all]' 'Ciphersuites = TLS_AES_128_GCM_SHA256'"
        " >/etc/ssl/openssl.cnf",
        "mkdir -p /opt/maps && echo 'a@example.test b' >/opt/maps/virtual",
        "postmap /opt/maps/virtual",
        "postconf -e 'virtual_alias_maps = hash:/opt/maps/virtual'",
    )
    outcome = tools.call(script, "debian-12")
    assert outcome.data is not None
    ciphers = {
        cell.scenario: cell.server_saw.cipher
        for cell in outcome.data.observations
        if (cell.service, cell.client, cell.offer) == ("smtp", MODERN, "TLSv1.3")
        and cell.server_saw is not None
    }
    assert ciphers[AFTER] == "TLS_AES_128_GCM_SHA256", tool_text(outcome.report)
    assert ciphers[BEFORE] == "TLS_AES_256_GCM_SHA384"
    assert "/etc/ssl/openssl.cnf" in {
        change.path for change in outcome.report.builds[0].result.other_changes
    }


def test_a_policy_and_a_snapshot_judge_a_tool(tools: ToolCaller, tmp_path: Path) -> None:
    """Protects CI: exit 1 where a policy is not met, or behaviour differs from the snapshot."""
    good = DATA / "postconf" / "harden.sh"
    recorded = tools.call(good, "debian-12", policies=("tls12-or-newer",))
    assert recorded.exit_code is ExitCode.OK, tool_text(recorded.report)
    snapshot = recorded.make_snapshot(RecordedSelection())
    assert snapshot is not None
    path = tmp_path / "snapshot.json"
    path.write_text(format_snapshot(snapshot))
    bad = write_script(tmp_path, "postconf -e 'smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1'")
    differing = tools.call(bad, "debian-12", policies=("tls12-or-newer",), check_path=path)
    assert differing.exit_code is ExitCode.DIFFERS
    text = tool_text(differing.report)
    assert "compared with" in text
    assert any("no, on debian-12" in line for line in differing.report.policies), text


@pytest.mark.nightly
def test_images_of_tools_are_ours_and_nothing_else_stays(tools: ToolCaller, tmp_path: Path) -> None:
    """Protects the disk: prepared images are pruned as ours; what a tool left goes with the run."""
    engine = tools.engine.open()
    client = engine.session.client
    outcome = tools.call(
        write_script(tmp_path, "postconf -e 'smtpd_tls_ciphers = high'"), "debian-12"
    )
    assert outcome.data is not None
    tagged = [image.reference for image in our_images(client)]
    assert any(reference.startswith("postfix-matrix/tool:") for reference in tagged)
    # Committed images have the session's label, by which closing it removes them.
    label = f"org.postfix-matrix.run={engine.session.id}"
    assert client.images.list(filters={"label": label})


@pytest.mark.nightly
def test_the_pages_tests_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects the fixture, and what readers of docs/tools.md copy: its files, as they are."""
    prepare(monkeypatch)
    page = Page(ROOT / "docs" / "tools.md", (ROOT / "docs" / "tools.md").read_text("utf-8"))
    named = {
        match["name"]: block.text
        for block in page.blocks()
        if (match := re.match(r"# (?P<name>[\w.]+)\n", block.text))
    }
    assert {"harden.sh", "test_harden.py"} <= named.keys()
    for name, text in named.items():
        (pytester.path / name).write_text(text)
    (pytester.path / "test_fault.py").write_text(
        "def test_fault(postfix_tool):\n    postfix_tool('fault.sh')\n"
    )
    (pytester.path / "fault.sh").write_text("echo it broke\nexit 3\n")
    result = run_pytest(pytester, "--postfix-builds", "debian-12", "--postfix-time-limit", "60")
    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    result.stdout.fnmatch_lines(["*the tool failed on debian-12: exit 3*", "*it broke*"])
