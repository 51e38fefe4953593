"""TLS settings that differ from the recorded ones, and that no measured cell shows.

Each is put back by itself and the cells are measured again: where none differs, the setting has no
observable effect, such as a list for mandatory TLS where TLS is opportunistic.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from harness.scenarios.scenario import Scenario
from harness.snapshots.blame import Measure
from harness.snapshots.recorded_candidate import (
    RecordedCandidate,
    SettingChange,
    find_changes,
    put_back,
)
from harness.snapshots.snapshot import Measurement
from harness.snapshots.values import CellPlace, Level

#: Settings of smtpd that decide what a client can negotiate, or whether TLS is required.
_TLS_SETTING = re.compile(r"smtpd_(?:.*tls.*|.*_protocols|.*_ciphers)|tls_\w+|smtpd_use_tls")
#: Settings that only say where files lie, how much is logged, or how long something is kept.
_NO_RULE = re.compile(
    r".*_(?:file|path|CAfile|CApath|loglevel|timeout|database|chain_files|dir|header)$"
)
#: So many settings are tried at most; of more, the first.
MOST_SETTINGS = 16
#: Cells of one service, outcome and offer that are measured again.
CELLS_PER_OFFER = 1
_SUFFIX = "--without"


def find_idle_settings(
    recorded: RecordedCandidate,
    scenario: Scenario,
    measured: Measurement,
    level: Level,
    measure: Measure,
    acting: Collection[SettingChange] = (),
) -> tuple[SettingChange, ...]:
    """The changed TLS settings of smtpd that have no effect on any cell that is measured.

    Args:
        recorded: the settings before.
        scenario: the configuration now.
        measured: what was measured of it.
        level: what is compared of a cell.
        measure: measures scenarios.
        acting: settings that are known to have an effect.
    """
    changes = [
        change
        for change in find_changes(recorded, scenario)
        if change not in acting and is_tls_rule(change.name) and change.now is not None
    ][:MOST_SETTINGS]
    places = _choose_places(measured)
    if not changes or not places:
        return ()
    variants = {
        number: put_back(recorded, scenario, [change], f"{scenario.id}{_SUFFIX}-{number}")
        for number, change in enumerate(changes, start=1)
    }
    results = measure(list(variants.values()), places, False)
    return tuple(
        change
        for number, change in enumerate(changes, start=1)
        if _is_same(results.get(variants[number].id), measured, level, places)
    )


def is_tls_rule(name: str) -> bool:
    """Whether a parameter decides something of smtpd's TLS."""
    return bool(_TLS_SETTING.fullmatch(name)) and not _NO_RULE.fullmatch(name)


def _choose_places(measured: Measurement) -> tuple[CellPlace, ...]:
    """A few cells for each service, offer and result."""
    chosen: dict[tuple[object, ...], list[CellPlace]] = {}
    for place, cell in sorted(measured.cells.items(), key=lambda item: item[0]):
        key = (place.service, place.offer, cell.outcome, cell.reason)
        of_key = chosen.setdefault(key, [])
        if len(of_key) < CELLS_PER_OFFER:
            of_key.append(place)
    return tuple(place for places in chosen.values() for place in places)


def _is_same(
    result: Measurement | None, measured: Measurement, level: Level, places: Iterable[CellPlace]
) -> bool:
    """Whether all cells of a variant are the same; one that is unmeasured leaves that open."""
    if result is None or not result.cells:
        return False
    for place in places:
        if place not in result.cells:
            return False
        versions = measured.builds.get(place.build)
        now = level.values(measured.cells[place], versions)
        other = level.values(result.cells[place], versions)
        if other != now:
            return False
    return True
