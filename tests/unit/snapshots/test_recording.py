"""What an update records, and what it must say: cells that showed nothing even the second time."""

from __future__ import annotations

from dataclasses import replace

from harness.observations.record import Observation
from harness.outcomes import Outcome
from harness.snapshots.recording import find_unrecorded, measure_twice
from harness.snapshots.values import CellPlace
from tests.unit.snapshots.sample_server import CLIENT, SampleServer, candidate, places

SCENARIO = candidate("smtpd_tls_security_level = may\n")


def slow(times: int) -> SampleServer:
    """A server on which TLSv1.2 times out in the first measurements."""

    def change(scenario: str, place: CellPlace, cell: Observation) -> Observation:
        number = int(scenario.rpartition("-")[2]) + 1 if "--again-" in scenario else 1
        if place.offer == "TLSv1.2" and number <= times:
            return replace(cell, outcome=Outcome.TIMEOUT, client_saw=None, server_saw=None)
        return cell

    return SampleServer(change)


def test_a_cell_that_times_out_once_is_recorded() -> None:
    """Protects snapshots from one slow moment: the cell is measured once more, alone."""
    server = slow(1)
    measurement = measure_twice(server, SCENARIO, places())
    assert find_unrecorded(measurement, places()) == {}
    assert server.calls == [("candidate", 10, False), ("candidate--again-1", 2, True)]


def test_a_cell_that_shows_nothing_is_named_with_the_reason() -> None:
    """Protects an update from leaving cells out in silence."""
    unrecorded = find_unrecorded(measure_twice(slow(2), SCENARIO, places()), places())
    assert {place.offer for place in unrecorded} == {"TLSv1.2"}
    assert set(unrecorded.values()) == {"no answer in the cell's time"}


def test_what_is_unavailable_is_named_with_the_reason() -> None:
    """Protects from a client whose image is not there: its cells are not recorded."""
    server = SampleServer(unavailable={CLIENT: "no image\nmore"})
    unrecorded = find_unrecorded(measure_twice(server, SCENARIO, places()), places())
    assert set(unrecorded) == set(places())
    assert set(unrecorded.values()) == {f"{CLIENT} is unavailable: no image"}


def test_an_offer_that_a_client_cannot_make_is_no_loss() -> None:
    """Protects updates with old clients: such a cell never shows anything."""

    def change(_scenario: str, _place: CellPlace, cell: Observation) -> Observation:
        return replace(cell, outcome=Outcome.CLIENT_INCAPABLE)

    measurement = measure_twice(SampleServer(change), SCENARIO, places())
    assert find_unrecorded(measurement, places()) == {}
