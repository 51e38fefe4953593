"""Faults injected into real runs; the whole campaign is described in docs/faults.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.campaign import Campaign
from tests.faults.kinds import KINDS

pytestmark = pytest.mark.docker

#: Those that neither end the run nor need rights of root on this machine.
_QUICK = ("container killed", "network cut off")
#: All but the restart of an engine that others use, and the clock, which needs faketime's library.
_KINDS = tuple(kind for kind in KINDS if kind not in ("dockerd restarted", "clock jumps"))
_RUNS = 8


@pytest.mark.nightly
def test_a_container_that_dies_costs_no_cell(tmp_path: Path) -> None:
    """Protects a run's cells: what a container's death takes away is measured again."""
    campaign = Campaign(tmp_path, _QUICK, None)
    report = campaign.make_run(seed=1, most=2, quiet=campaign.measure_quiet())
    assert report.violations == []


@pytest.mark.nightly
def test_faults_of_all_kinds_break_no_rule(tmp_path: Path) -> None:
    """Protects what docs/faults.md says, for each kind: no cell lost, doubled or wrong."""
    campaign = Campaign(tmp_path, _KINDS, None)
    quiet = campaign.measure_quiet()
    broken = {
        seed: report.violations
        for seed in range(1, _RUNS + 1)
        if (report := campaign.make_run(seed, 15, quiet)).violations
    }
    assert broken == {}
