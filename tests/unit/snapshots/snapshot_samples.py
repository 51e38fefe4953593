"""Snapshots and reports with something of everything, made from the classes that make real ones."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

from harness.observations.record import Observation
from harness.outcomes import Outcome
from harness.reports.comparison_report import ComparisonReport, report_of_check
from harness.snapshots.checking import SnapshotCheck, select_places
from harness.snapshots.known_failures import KnownFailures, parse_known_failures
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.run_comparison import ChangedVerdict
from harness.snapshots.snapshot import RecordedSelection, Snapshot, make_snapshot
from harness.snapshots.values import BuildVersions, CellPlace, SessionLevel
from harness.verdicts.verdict import Verdict
from tests.unit.snapshots.sample_server import BUILDS, SampleServer, candidate, places

GOOD = """\
smtpd_tls_security_level = may
smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1
smtp_tls_protocols = !TLSv1
myhostname = mx.example.org
"""
BAD = GOOD.replace("!TLSv1.1\n", "!TLSv1.1, !TLSv1.3\n").replace("mx.", "mail.")
KNOWN = """\
[[known]]
builds = ["no-such-build"]
outcome = "refused"
why = "bug 123"
[[known]]
builds = ["debian-13"]
offers = ["TLSv1.1"]
outcome = "refused"
reason = "closed"
why = "bug 124"
"""


def recorded(main_cf: str = GOOD) -> Snapshot:
    """A snapshot of the sample server's smtp service."""
    scenario = candidate(main_cf)
    measured = SampleServer()([scenario], places(), False)[scenario.id]
    selection = RecordedSelection(services=("smtp",))
    return make_snapshot(
        SessionLevel(), record_candidate(scenario, ["main.cf"]), measured, selection
    )


def _twist(scenario: str, place: CellPlace, cell: Observation) -> Observation:
    """TLSv1 times out on debian-12, TLSv1.2 is closed there once, and TLSv1.1 is closed later."""
    if place.build != "debian-12":
        return cell
    if place.offer == "TLSv1":
        return replace(cell, outcome=Outcome.TIMEOUT)
    closed = replace(
        cell, outcome=Outcome.REFUSED, reason="closed", client_saw=None, server_saw=None
    )
    if place.offer == "TLSv1.1" or (place.offer == "TLSv1.2" and scenario == "candidate"):
        return closed
    return cell


def everything() -> ComparisonReport:
    """A report with broken, changed, flaky, stale and unchecked cells, and causes of each kind."""
    snapshot, scenario = recorded(), candidate(BAD)
    moved = {**BUILDS, "debian-13": BuildVersions("3.10.14", "3.5.9")}
    known = KnownFailures(
        parse_known_failures(KNOWN, Path("tests/known.toml")), datetime.date(2026, 11, 30)
    )
    check = SnapshotCheck(
        snapshot, SessionLevel(), scenario, SampleServer(_twist, builds=moved), known
    )
    good = SnapshotCheck(snapshot, SessionLevel(), candidate(GOOD), SampleServer())
    selected = select_places(snapshot, scenario)
    report = report_of_check(check.run(selected), "tests/snapshot.json", "behaviour")
    return replace(
        report,
        strength=good.run_strength(selected),
        verdicts=(ChangedVerdict("advice", "debian-12", Verdict.CONFIRMED, Verdict.REFUTED),),
        verdicts_compared=3,
    )
