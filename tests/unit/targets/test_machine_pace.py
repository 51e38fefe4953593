"""Limits of time follow how slow the machine is."""

from __future__ import annotations

from harness.targets.machine_pace import ECHO_LIMIT, MOST, MachinePace


def test_a_machine_that_has_time_stretches_nothing() -> None:
    """Protects what --time-limit says: round trips as in any run leave it as it is."""
    pace = MachinePace()
    pace.note(ECHO_LIMIT / 10, ECHO_LIMIT)
    assert pace.stretch(10.0) == 10.0
    assert (pace.most_stretched, pace.round_trips) == (1.0, 1)


def test_a_slow_machine_stretches_limits_by_its_slowest_round_trip() -> None:
    """Protects builds on a machine at load 80: an answer that is late is not taken for none."""
    pace = MachinePace()
    pace.note(3 * ECHO_LIMIT, ECHO_LIMIT)
    pace.note(ECHO_LIMIT, ECHO_LIMIT)
    assert pace.stretch(10.0) == 30.0
    assert pace.most_stretched == 3.0


def test_what_is_lost_is_noticed_in_the_end() -> None:
    """Protects against waiting for ever: there is a most by which limits are stretched."""
    pace = MachinePace()
    pace.note(1e6, ECHO_LIMIT)
    assert pace.stretch(1.0) == MOST
