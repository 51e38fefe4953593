"""Which cells have a second try, once each, and what keeps them from it."""

from __future__ import annotations

from dataclasses import replace

from harness.catalog.cells import Cell
from harness.errors import FaultError, SourceError, UsageError
from harness.observations.record import Again, AgainReason, Observation, Outcome
from harness.run.second_tries import SecondTries, group_by_build

FIRST = Cell.parse("debian-12/defaults/smtp/openssl-1.0.2h/TLSv1")
SECOND = Cell.parse("debian-13/defaults/smtp/openssl-1.0.2h/TLSv1")
FAULT = FaultError("the container died")


def observe(cell: Cell, outcome: Outcome, reason: str | None = None) -> Observation:
    """A cell's observation."""
    build, scenario, service, client, offer = cell.id.split("/")
    return Observation(
        cell.id, build, scenario, "sha256:0", service, client, offer, outcome, reason=reason
    )


def test_a_time_out_has_one_second_try() -> None:
    """Protects the end of a run: what times out twice is reported, and not tried for ever."""
    tries = SecondTries([FIRST, SECOND], {})
    tries.note_result(FIRST, observe(FIRST, Outcome.TIMEOUT))
    tries.note_result(SECOND, observe(SECOND, Outcome.REFUSED))
    assert tries.take_timed_out() == [FIRST]
    tries.note_result(FIRST, observe(FIRST, Outcome.TIMEOUT))
    assert tries.take_timed_out() == []


def test_an_error_of_the_driver_has_one_and_another_error_has_none() -> None:
    """Protects cells whose client was killed; without a control, another try shows nothing more."""
    tries = SecondTries([FIRST, SECOND], {})
    tries.note_result(FIRST, observe(FIRST, Outcome.ERROR, "driver"))
    tries.note_result(SECOND, observe(SECOND, Outcome.ERROR, "no-control"))
    assert tries.timed_out == (FIRST,)


def test_a_run_that_goes_on_tries_what_the_earlier_one_did_not() -> None:
    """Protects --resume: a run that was killed before its end has left its time-outs for later."""
    timed_out = observe(FIRST, Outcome.TIMEOUT)
    assert SecondTries([FIRST], {FIRST.id: timed_out}).timed_out == (FIRST,)
    tried = replace(timed_out, again=Again(AgainReason.TIMEOUT, "evidence/x.json"))
    assert SecondTries([FIRST], {FIRST.id: tried}).timed_out == ()


def test_a_fault_takes_only_the_cells_that_were_not_measured() -> None:
    """Protects what a build has measured before it died: it is not measured twice."""
    tries = SecondTries([FIRST, SECOND], {})
    tries.note_result(FIRST, observe(FIRST, Outcome.ACCEPTED))
    assert tries.note_faults([FIRST, SECOND], FAULT)
    assert tries.take_faulted() == [SECOND]
    assert tries.faults_of(SECOND) == ["the container died"]
    assert not tries.note_faults([SECOND], FAULT), "it has had its second try"


def test_no_other_try_helps_against_a_source_or_bad_input() -> None:
    """Protects reports: what is really unavailable is reported as such, at once."""
    for error in (SourceError("not reached"), UsageError("another image")):
        tries = SecondTries([FIRST], {})
        assert not tries.note_faults([FIRST], error)
        assert tries.take_faulted() == []


def test_a_time_out_stays_where_its_second_try_fails() -> None:
    """Protects against a lost result: the first measurement is in the journal already."""
    tries = SecondTries([FIRST], {})
    tries.note_result(FIRST, observe(FIRST, Outcome.TIMEOUT))
    tries.take_timed_out()
    assert tries.note_faults([FIRST], FAULT)
    assert tries.take_faulted() == []


def test_cells_are_tried_by_build() -> None:
    """Protects the order of cells within a build."""
    assert group_by_build([SECOND, FIRST]) == {"debian-13": [SECOND], "debian-12": [FIRST]}
