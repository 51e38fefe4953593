"""Mutants: each has one weaker setting, and what the snapshot catches is what a check finds."""

from __future__ import annotations

import pytest

from harness.observations.record import Observation
from harness.outcomes import Outcome
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.snapshots.checking import SnapshotCheck, select_places
from harness.snapshots.recorded_candidate import find_changes, record_candidate
from harness.snapshots.snapshot import RecordedSelection, make_snapshot
from harness.snapshots.strength import MutationKind, find_mutations, make_mutant
from harness.snapshots.values import CellPlace, SessionLevel
from tests.unit.snapshots.sample_server import SampleServer, candidate, observe, places

MAIN = """\
smtpd_tls_security_level = encrypt
smtpd_tls_protocols = !SSLv3, !TLSv1
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_protocols = TLSv1.2, TLSv1.3
smtpd_tls_mandatory_ciphers = high
smtpd_tls_exclude_ciphers = aNULL, MD5
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = /etc/ssl/mx.pem
smtpd_tls_loglevel = 1
smtp_tls_security_level = dane
tls_preempt_cipherlist = yes
myhostname = mx.example.org
"""
MASTER = """\
smtp inet n - y - - smtpd
submission inet n - y - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o { smtpd_tls_mandatory_protocols = !TLSv1, !TLSv1.1 } -v
"""


def mutants(main_cf: str = MAIN, master_cf: str = "") -> dict[str, str]:
    """Each mutation's text with the line that it makes."""
    scenario = candidate(main_cf, master_cf)
    return {m.what: f"{m.name} = {m.value}" for m in find_mutations(scenario)}


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("smtpd_tls_security_level = may", "smtpd_tls_security_level = may"),
        ("smtpd_tls_protocols without TLSv1.3", "smtpd_tls_protocols = TLSv1.2"),
        ("smtpd_tls_mandatory_protocols with >=TLSv1.1 for >=TLSv1.2",
         "smtpd_tls_mandatory_protocols = >=TLSv1.1"),
        ("smtpd_tls_mandatory_ciphers = medium", "smtpd_tls_mandatory_ciphers = medium"),
        ("smtpd_tls_exclude_ciphers without aNULL", "smtpd_tls_exclude_ciphers = MD5"),
        ("smtpd_tls_auth_only = no", "smtpd_tls_auth_only = no"),
        ("smtp_tls_security_level = may", "smtp_tls_security_level = may"),
        ("tls_preempt_cipherlist = no", "tls_preempt_cipherlist = no"),
        ("smtpd_tls_protocos for smtpd_tls_protocols", "smtpd_tls_protocos = TLSv1.2, TLSv1.3"),
    ],
)  # fmt: skip
def test_a_setting_is_weakened_as_people_do_it(what: str, line: str) -> None:
    """Protects the mutations: a lost "!", a dropped item, a step down, a misspelt name."""
    assert mutants()[what] == line


def test_a_lost_exclamation_mark_includes_what_was_excluded() -> None:
    """Protects the most frequent mistake, item by item."""
    found = mutants("smtpd_tls_protocols = !SSLv3, !TLSv1\n")
    assert found["smtpd_tls_protocols with SSLv3 for !SSLv3"] == (
        "smtpd_tls_protocols = SSLv3, !TLSv1"
    )
    assert found["smtpd_tls_protocols without !TLSv1"] == "smtpd_tls_protocols = !SSLv3"


def test_settings_that_decide_nothing_have_no_mutant() -> None:
    """Protects the figure: paths, log levels and settings without TLS are not counted."""
    names = {m.line.name for m in find_mutations(candidate(MAIN))}
    assert not names & {"smtpd_tls_cert_file", "smtpd_tls_loglevel", "myhostname"}
    assert len(names) == 8


@pytest.mark.parametrize(("main_cf", "master_cf"), [(MAIN, ""), ("", MASTER), (MAIN, MASTER)])
def test_each_mutant_differs_in_its_setting_alone(main_cf: str, master_cf: str) -> None:
    """Protects the measurement: one weakened setting, all others as they were."""
    scenario = candidate(main_cf, master_cf)
    recorded = record_candidate(scenario)
    ids = set()
    for number, mutation in enumerate(find_mutations(scenario), start=1):
        mutant = make_mutant(scenario, mutation, number)
        ids.add(mutant.id)
        changes = find_changes(recorded, mutant)
        assert {c.name for c in changes} <= {mutation.line.name, mutation.name}, mutation
        assert changes, mutation
        assert all(change.entry == mutation.line.entry for change in changes)
        assert len(parse_master_cf(mutant.master_cf).entries) == 2 * bool(master_cf)
    assert len(ids) > 3


def test_only_the_line_that_counts_is_weakened() -> None:
    """Protects files that set a parameter twice: the earlier line stays."""
    scenario = candidate("smtpd_tls_protocols = !SSLv3\nsmtpd_tls_protocols = TLSv1.2\n")
    misspelt = next(m for m in find_mutations(scenario) if m.kind is MutationKind.MISSPELT)
    values = parse_main_cf(make_mutant(scenario, misspelt, 1).main_cf).values
    assert values == {"smtpd_tls_protocols": "!SSLv3", "smtpd_tls_protocos": "TLSv1.2"}


GOOD = """\
smtpd_tls_security_level = may
smtpd_tls_protocols = !TLSv1, !TLSv1.1
smtpd_tls_ciphers = high
smtp_tls_protocols = !TLSv1
"""


def test_a_change_that_does_not_repeat_guards_nothing() -> None:
    """Protects the figure from a busy machine: a mutant counts where its difference repeats."""

    def change(name: str, place: CellPlace, cell: Observation) -> Observation:
        if place.offer == "TLSv1.2" and name.endswith("--mutant-1"):
            return observe(place, name, Outcome.REFUSED, "closed")
        return cell

    scenario, server = candidate("smtpd_tls_ciphers = high\n"), SampleServer(change)
    measured = SampleServer()([scenario], places(), False)[scenario.id]
    snapshot = make_snapshot(SessionLevel(), record_candidate(scenario), measured)
    check = SnapshotCheck(snapshot, SessionLevel(), scenario, server)
    results = check.run_strength(select_places(snapshot, scenario))
    assert not any(result.is_guarded for result in results)
    assert results[0].why == "changed a cell once, which did not repeat"
    assert results[1].why == "changes no recorded cell"
    repeats = [call for call in server.calls if "--again-" in call[0]]
    assert repeats == [
        ("candidate--mutant-1--again-1", 2, True), ("candidate--mutant-1--again-2", 2, True)
    ]  # fmt: skip


def test_a_mutant_that_changes_a_cell_is_guarded_and_others_are_named_with_the_reason() -> None:
    """Protects the answer: what the snapshot catches is exactly what a check of it finds red."""
    scenario = candidate(GOOD)
    server = SampleServer()
    measured = server([scenario], places(), False)[scenario.id]
    snapshot = make_snapshot(
        SessionLevel(), record_candidate(scenario), measured, RecordedSelection(("smtp",))
    )
    check = SnapshotCheck(snapshot, SessionLevel(), scenario, server)
    selected = select_places(snapshot, scenario)
    results = check.run_strength(selected)
    assert len(results) == len(find_mutations(scenario)) == 12
    by_text = {result.mutation.what: result for result in results}
    assert by_text["smtpd_tls_protocols without !TLSv1"].is_guarded
    assert not by_text["smtpd_tls_ciphers = medium"].is_guarded
    assert by_text["smtpd_tls_ciphers = medium"].why == "changes no recorded cell"
    assert by_text["smtp_tls_protocols without !TLSv1"].why == "no outbound cell"
    for number, result in enumerate(results, start=1):
        mutant = make_mutant(scenario, result.mutation, number)
        red = SnapshotCheck(snapshot, SessionLevel(), mutant, server).run(selected)
        assert red.comparison.is_red is result.is_guarded, result
        if result.is_guarded:
            (blame,) = red.blames
            assert result.mutation.line.name in {change.name for change in blame.settings}
