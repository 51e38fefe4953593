"""TLS settings that differ from the recorded ones, and that no measured cell shows.

Each is put back by itself and the cells are measured again: where none differs, the setting has no
observable effect, such as a list for mandatory TLS where TLS is opportunistic.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from harness.scenarios.scenario import Scenario
from harness.snapshots.blame import Measure
from harness.snapshots.recorded_candidate import (
    RecordedCandidate,
    SettingChange,
    find_changes,
    put_back,
)
from harness.snapshots.snapshot import Measurement
from harness.snapshots.values import CellPlace, CellValues, Level, why_inconclusive

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
_SUFFIX, _AGAIN = "--without", "--again"


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
    comparing = _Comparing(measured, level, measure)
    differing = comparing.find_differing(list(variants.values()), places)
    doubtful = [variant for variant in variants.values() if differing[variant.id]]
    # A time-out differs too, so what differs once is measured again.
    again = [replace(variant, id=f"{variant.id}{_AGAIN}") for variant in doubtful]
    disputed = tuple(dict.fromkeys(p for variant in doubtful for p in differing[variant.id]))
    repeated = comparing.find_differing(again, disputed) if again else {}
    acting_variants = {
        variant.id
        for variant in doubtful
        if set(differing[variant.id]) & set(repeated[f"{variant.id}{_AGAIN}"])
    }
    return tuple(
        change
        for number, change in enumerate(changes, start=1)
        if variants[number].id not in acting_variants
    )


@dataclass(frozen=True, slots=True)
class _Comparing:
    """Compares variants of a configuration with what was measured of it."""

    measured: Measurement
    level: Level
    measure: Measure

    def find_differing(
        self, variants: Sequence[Scenario], places: Collection[CellPlace]
    ) -> dict[str, tuple[CellPlace, ...]]:
        """The places at which each variant shows something else, or nothing, by its id."""
        results = self.measure(variants, places, False)
        return {
            variant.id: tuple(
                place
                for place in places
                if self._read_values(results.get(variant.id), place)
                != self._read_values(self.measured, place)
            )
            for variant in variants
        }

    def _read_values(self, measurement: Measurement | None, place: CellPlace) -> CellValues | None:
        if measurement is None or place not in measurement.cells:
            return None
        return self.level.values(measurement.cells[place], self.measured.builds.get(place.build))


def is_tls_rule(name: str) -> bool:
    """Whether a parameter decides something of smtpd's TLS."""
    return bool(_TLS_SETTING.fullmatch(name)) and not _NO_RULE.fullmatch(name)


def _choose_places(measured: Measurement) -> tuple[CellPlace, ...]:
    """A few cells for each service, offer and result."""
    chosen: dict[tuple[object, ...], list[CellPlace]] = {}
    for place, cell in sorted(measured.cells.items(), key=lambda item: item[0]):
        if why_inconclusive(cell):
            continue
        key = (place.service, place.offer, cell.outcome, cell.reason)
        of_key = chosen.setdefault(key, [])
        if len(of_key) < CELLS_PER_OFFER:
            of_key.append(place)
    return tuple(place for places in chosen.values() for place in places)
