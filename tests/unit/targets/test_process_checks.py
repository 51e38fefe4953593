"""Whether the processes run that a result rests on, from real lines of /proc/PID/stat."""

from __future__ import annotations

import pytest

from harness.targets.process_checks import find_missing

STATES = """1 (docker-init) S 0 1 1 0 -1 4194560
64 (master) S 1 64 64 0 -1 4194560 1
70 (qmgr) S 64 64 64 0 -1 4194560
81 (master) T 1 81 81 0 -1 4194560
90 (stunnel) S 1 90 90 0 -1 1077936192
"""


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ({"master": 64}, ""),
        ({"master": 81}, "master"),
        ({"master": 99}, "master"),
        ({"stunnel": None}, ""),
        ({"stunnel": None, "master": None}, "master"),
        ({"syslogd": None}, "syslogd"),
    ],
    ids=["runs", "stopped", "killed", "by name", "one of two stopped", "not there"],
)
def test_a_process_that_is_gone_or_stands_still_is_named(
    names: dict[str, int | None], missing: str
) -> None:
    """Protects refusals: what a killed or stopped Postfix does is no answer of the candidate."""
    assert find_missing(STATES, names) == missing
