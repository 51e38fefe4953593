"""Snapshots on real containers: recorded, checked, blamed, updated; few builds and clients."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.postfix_config.main_cf import parse_main_cf
from harness.run.choosing import choose_builds
from harness.run.engine import Engine
from harness.run.snapshot_measuring import SnapshotMeasurer
from harness.scenarios.scenario import Scenario
from harness.snapshots.blame import BlameKind
from harness.snapshots.checking import CheckResult, SnapshotCheck, select_places
from harness.snapshots.findings import Finding, count_findings
from harness.snapshots.recorded_candidate import find_changes, record_candidate
from harness.snapshots.snapshot import RecordedSelection, Snapshot, make_snapshot
from harness.snapshots.snapshot_file import load_snapshot
from harness.snapshots.strength import find_mutations, make_mutant
from harness.snapshots.values import CellPlace, SessionLevel
from tests.docker.conftest import CLI, SharedEngine
from tests.docker.newest_run import newest_run
from tests.schema_files import faults

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]

BUILDS = ("debian-12", "debian-13")
CLIENT = "openssl-3.5.7"
GOOD = """\
smtpd_tls_cert_file = /etc/ssl/mx.pem
smtpd_tls_key_file = /etc/ssl/mx.key
smtpd_tls_security_level = may
smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1
myhostname = mx.example.org
"""
PLACES = tuple(
    CellPlace(build, "smtp", CLIENT, offer)
    for build in BUILDS
    for offer in ("TLSv1", "TLSv1.2", "TLSv1.3", "default")
)
SMTP = RecordedSelection(services=("smtp",))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A snapshot of GOOD, and what measures on the engine that the tests share."""

    snapshot: Snapshot
    engine: Engine
    runs: Path

    def check(self, main_cf: str, master_cf: str = "") -> CheckResult:
        """Check a configuration in a run of its own."""
        scenario = candidate(main_cf, master_cf)
        measurer = SnapshotMeasurer(self.engine, choose_builds(BUILDS), self.runs)
        check = SnapshotCheck(self.snapshot, SessionLevel(), scenario, measurer)
        return check.run(select_places(self.snapshot, scenario))


def candidate(main_cf: str, master_cf: str = "") -> Scenario:
    """A whole configuration."""
    return Scenario("candidate", "t", "s", "", main_cf=main_cf, master_cf=master_cf, whole=True)


@pytest.fixture(scope="module")
def recorded(shared_engine: SharedEngine, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """GOOD on two builds."""
    runs, scenario = tmp_path_factory.mktemp("snapshots"), candidate(GOOD)
    engine = shared_engine.open()
    measurer = SnapshotMeasurer(engine, choose_builds(BUILDS), runs)
    measured = measurer([scenario], PLACES, False)[scenario.id]
    snapshot = make_snapshot(SessionLevel(), record_candidate(scenario), measured, SMTP)
    assert len(snapshot.cells) == len(PLACES)
    return Recorded(snapshot, engine, runs)


def counts(result: CheckResult) -> dict[str, int]:
    """How many cells have each finding."""
    return {str(f): number for f, number in count_findings(result.comparison.cells).items()}


def test_a_real_server_is_as_recorded_and_has_its_versions(recorded: Recorded) -> None:
    """Protects the basis: the same configuration is green, with the versions of the images."""
    assert counts(recorded.check(GOOD)) == {"same": len(PLACES)}
    versions = recorded.snapshot.builds["debian-12"]
    assert versions.postfix.startswith("3.7.")
    assert versions.openssl.startswith("3.0.")
    assert "postfix 3.7" in versions.packages


REWRITES = {
    "order": "".join(reversed(GOOD.splitlines(keepends=True))),
    "tight": GOOD.replace(" = ", "="),
    "wide": GOOD.replace(" = ", "\t =\t "),
    "commas": GOOD.replace(", ", ","),
    "spaces": GOOD.replace(", ", " "),
    "colons": GOOD.replace(", ", ":"),
    "other order in the list": GOOD.replace(
        "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "!TLSv1.1, !TLSv1, !SSLv3, !SSLv2"
    ),
    "inclusion": GOOD.replace("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "TLSv1.2, TLSv1.3"),
    "bound": GOOD.replace("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", ">=TLSv1.2"),
    "continued": GOOD.replace(", !TLSv1,", ",\n  # inside\n  !TLSv1,"),
    "set twice": "smtpd_tls_protocols = TLSv1.3\n" + GOOD,
}
OVERRIDE = "25 inet n - y - - smtpd\n  -o { smtpd_tls_protocols = !TLSv1, !TLSv1.1 }\n"


def test_twelve_equivalent_rewrites_are_green(recorded: Recorded) -> None:
    """Protects refactoring: what Postfix reads as the same never turns a check red.

    All are measured in one run; the last has its list as an option of master.cf.
    """
    scenarios = [
        Scenario(f"rewrite-{n}", "t", "s", "", main_cf=text, whole=True)
        for n, text in enumerate(REWRITES.values())
    ]
    loose = GOOD.replace("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "!SSLv2")
    scenarios.append(
        Scenario("rewrite-o", "t", "s", "", main_cf=loose, master_cf=OVERRIDE, whole=True)
    )
    assert len(scenarios) == 12
    assert len({str(parse_main_cf(each.main_cf).values) for each in scenarios}) > 6
    measurer = SnapshotMeasurer(recorded.engine, choose_builds(BUILDS), recorded.runs)
    measured = measurer(scenarios, PLACES, False)
    for scenario in scenarios:
        result = SnapshotCheck(
            recorded.snapshot,
            SessionLevel(),
            scenario,
            lambda some, _places, _alone: {each.id: measured[each.id] for each in some},
        ).run(PLACES)
        assert counts(result) == {"same": len(PLACES)}, scenario.main_cf


def test_a_broken_version_is_blamed_on_its_line(recorded: Recorded) -> None:
    """Protects the answer: of three changed settings the one that broke TLSv1.3 is named."""
    worse = GOOD.replace("!TLSv1.1\n", "!TLSv1.1, !TLSv1.3\n").replace("mx.example", "mail.example")
    result = recorded.check(worse + "smtpd_tls_loglevel = 2\n")
    assert counts(result) == {"broken": 4, "same": 4}
    (blame,) = result.blames
    assert blame.kind is BlameKind.SETTINGS
    assert [(change.name, change.line) for change in blame.settings] == [("smtpd_tls_protocols", 4)]
    assert len(blame.cells) == 4


def test_two_settings_that_act_jointly_are_both_blamed(recorded: Recorded) -> None:
    """Protects the halving: an option and a line of main.cf, neither of which is enough alone."""
    master = OVERRIDE.replace("!TLSv1, !TLSv1.1", "TLSv1.2")
    result = recorded.check(GOOD.replace("level = may", "level = none"), master)
    assert set(counts(result)) <= {"broken", "changed"}
    (blame,) = result.blames
    assert {change.text.split(" =")[0].split("=")[0] for change in blame.settings} >= {
        "smtpd_tls_security_level"
    }
    assert len(find_changes(recorded.snapshot.candidate, candidate(GOOD, master))) == 1
    assert len(blame.settings) == 2


def run_command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command of this checkout, in a folder, to its end."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    environment.pop("CI", None)
    return subprocess.run(
        [*CLI, *arguments], capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


def test_the_commands_record_check_and_update(tmp_path: Path) -> None:
    """Protects the whole way of a user: record, green, red with JUnit, update, green."""
    (tmp_path / "main.cf").write_text(GOOD)
    selection = ("-b", "debian-12", "-c", CLIENT, "-S", "smtp")
    first = run_command(
        "record", "main.cf", "-q", *selection, "--offers", "TLSv1.2,TLSv1.3", "-o", "s.json",
        cwd=tmp_path,
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    assert first.stdout == "s.json: 2 cells of 1 build, in 2 rows\n"
    assert faults("snapshot", json.loads((tmp_path / "s.json").read_text())) == []
    (tmp_path / "main.cf").write_text(GOOD.replace("!TLSv1.1\n", "!TLSv1.1, !TLSv1.3\n"))
    red = run_command("check", "s.json", "-q", "--format", "json", "--junit", "j.xml", cwd=tmp_path)
    assert red.returncode == 1, red.stderr
    data = json.loads(red.stdout)
    assert faults("comparison", data) == []
    assert (data["counts"]["broken"], data["counts"]["same"]) == (1, 1)
    (blame,) = data["blames"]
    assert [(s["file"], s["line"]) for s in blame["settings"]] == [("main.cf", 4)]
    assert "unsupported protocol" in data["groups"][0]["log"]
    xml = JUnitXml.fromfile(str(tmp_path / "j.xml"))
    assert (xml.tests, xml.failures, xml.errors) == (2, 1, 0)
    folder = newest_run(tmp_path / "runs")
    assert (folder / "check.json").is_file()
    cell = data["groups"][0]["cells"][0]["cell"]
    shown = run_command("show", cell, "--run", str(folder), cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    updated = run_command("check", "s.json", "-q", "--update", cwd=tmp_path)
    assert updated.returncode == 0, updated.stderr
    cells = load_snapshot(tmp_path / "s.json").cells
    assert [values.outcome for values in cells.values()] == ["accepted", "refused"]


#: Three good configurations, whole, with services of each kind, and what smtpd(8) itself asks.
WHOLE_MASTER = """\
smtp inet n - y - - smtpd
submission inet n - y - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
465 inet n - y - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - y 1000? 1 tlsmgr
rewrite unix - - y - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - y - 1 anvil
bounce unix - - y - 0 bounce
defer unix - - y - 0 bounce
trace unix - - y - 0 bounce
error unix - - y - - error
retry unix - - y - - error
virtual unix - n n - - virtual
scache unix - - y - 1 scache
"""
CONFIGURATIONS = {
    "exclusions": GOOD.replace("\nmyhostname", "\nsmtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, "
                               "!TLSv1, !TLSv1.1\nsmtpd_tls_mandatory_ciphers = high\nmyhostname"),
    "bounds": GOOD.replace("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", ">=TLSv1.2").replace(
        "\nmyhostname", "\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n"
        "smtpd_tls_exclude_ciphers = aNULL, MD5, RC4\nsmtpd_tls_auth_only = yes\nmyhostname"),
    "inclusions": GOOD.replace("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "TLSv1.2, TLSv1.3").replace(
        "\nmyhostname", "\nsmtpd_tls_mandatory_protocols = TLSv1.2, TLSv1.3\n"
        "tls_preempt_cipherlist = yes\nmyhostname"),
}  # fmt: skip


def test_the_configurations_have_enough_mutants() -> None:
    """Protects the figure: the mutants below are at least forty."""
    scenarios = [candidate(text, WHOLE_MASTER) for text in CONFIGURATIONS.values()]
    assert sum(len(find_mutations(scenario)) for scenario in scenarios) >= 40


@pytest.mark.nightly
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_mutant_that_changes_a_cell_is_red(name: str, recorded: Recorded) -> None:
    """Protects the strength of snapshots: no weakening that clients notice passes a check.

    All mutants of a good configuration are measured, and each again as a check of its own.
    """
    scenario = candidate(CONFIGURATIONS[name], WHOLE_MASTER)
    places = tuple(
        CellPlace("debian-12", service, CLIENT, offer)
        for service in ("smtp", "submission", "submissions")
        for offer in ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "default", "plaintext")
        if (service, offer) != ("submissions", "plaintext")
    )
    measurer = SnapshotMeasurer(recorded.engine, choose_builds(BUILDS), recorded.runs)
    measured = measurer([scenario], places, False)[scenario.id]
    snapshot = make_snapshot(SessionLevel(), record_candidate(scenario), measured)
    check = SnapshotCheck(snapshot, SessionLevel(), scenario, measurer)
    results = check.run_strength(tuple(snapshot.cells))
    assert sum(result.is_guarded for result in results) >= 5
    for number, result in enumerate(results, start=1):
        mutant = make_mutant(scenario, result.mutation, number)
        again = SnapshotMeasurer(recorded.engine, choose_builds(BUILDS), recorded.runs)
        red = SnapshotCheck(snapshot, SessionLevel(), mutant, again).run(tuple(snapshot.cells))
        assert red.comparison.is_red is result.is_guarded, result.mutation
        if result.is_guarded:
            named = {change.name for blame in red.blames for change in blame.settings}
            assert named & {result.mutation.line.name, result.mutation.name}, result.mutation
            assert red.comparison.having(Finding.BROKEN, Finding.CHANGED, Finding.FIXED)
        else:
            assert result.why
