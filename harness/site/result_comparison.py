"""Results compared as ``postfix-matrix compare`` compares runs, each pair of results only once.

The rules are those of ``snapshots.run_comparison``: what shows nothing (a time-out, an error, an
incapable client) is not compared, and a cell that differs although neither its configuration nor
the image of its build or its client changed is flaky.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.observations.record import Observation
from harness.reports.differences import BaselineComparison, DifferenceStanding
from harness.reports.labels import SIGNS, describe_result, short_word
from harness.site.cells import CellTables
from harness.snapshots.findings import Finding, find_change
from harness.snapshots.values import CellPlace, CellValues, SessionLevel

#: One character per standing, as facts have them (docs/site-data.md).
STANDING_SIGNS: Mapping[DifferenceStanding, str] = {
    DifferenceStanding.SAME: "=",
    DifferenceStanding.DIFFERS: "*",
    DifferenceStanding.UNCOMPARED: "?",
    DifferenceStanding.UNMEASURED: ".",
}


@dataclass(slots=True)
class ResultComparer:
    """Compares results by their numbers; of a million cells only some thousand pairs differ."""

    tables: CellTables
    level: SessionLevel = field(default_factory=lambda: SessionLevel(exact=True))
    _shown: dict[tuple[int, int], Observation] = field(default_factory=dict)
    _values: dict[tuple[int, int], CellValues | None] = field(default_factory=dict)
    _findings: dict[tuple[int, int, int], Finding] = field(default_factory=dict)
    _comparisons: dict[tuple[int, int], BaselineComparison] = field(default_factory=dict)
    _signs: dict[tuple[int, int], str] = field(default_factory=dict)
    _texts: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)

    def observation(self, offer: int, result: int) -> Observation:
        """A result of an offer as an observation."""
        key = (offer, result)
        if key not in self._shown:
            shown = self.tables.result.observation(result)
            self._shown[key] = replace(shown, offer=self.tables.offer.names[offer])
        return self._shown[key]

    def values(self, offer: int, result: int) -> CellValues | None:
        """What is compared; None where the result shows nothing."""
        key = (offer, result)
        if key not in self._values:
            self._values[key] = self.level.values(self.observation(offer, result))
        return self._values[key]

    def shows_same(self, offer: int, before: int, after: int) -> bool:
        """Whether two results are the same to a reader, conclusive or not."""
        if before == after:
            return True
        values = self.values(offer, before)
        return values is not None and values == self.values(offer, after)

    def find_change(self, offer: int, before: int, after: int) -> Finding:
        """What a result has become; not checked where one of them shows nothing."""
        if before == after:
            return Finding.SAME
        key = (offer, before, after)
        if key not in self._findings:
            was, now = self.values(offer, before), self.values(offer, after)
            place = CellPlace("", "", "", self.tables.offer.names[offer])
            if was is None or now is None:
                self._findings[key] = Finding.NOT_CHECKED
            else:
                self._findings[key] = find_change(place, was, now)
        return self._findings[key]

    def compare_baseline(self, result: int, baseline: int) -> BaselineComparison:
        """A result beside the baseline's; -1: there is none."""
        key = (result, baseline)
        if key not in self._comparisons:
            pair = [self.tables.result.observation(n) if n >= 0 else None for n in key]
            why = "it was not measured" if None in pair else None
            self._comparisons[key] = BaselineComparison(pair[0], pair[1], why)
        return self._comparisons[key]

    def standing_sign(self, result: int, baseline: int) -> str:
        """The character of :data:`STANDING_SIGNS` for a result beside the baseline's."""
        key = (result, baseline)
        if key not in self._signs:
            self._signs[key] = STANDING_SIGNS[self.compare_baseline(result, baseline).standing]
        return self._signs[key]

    def label(self, offer: int, result: int) -> str:
        """Glyph and short word, ``✗ version``."""
        return self._describe_result(offer, result)[0]

    def sentence(self, offer: int, result: int) -> str:
        """The result in one line, ``refused at handshake: protocol version``."""
        return self._describe_result(offer, result)[1]

    def _describe_result(self, offer: int, result: int) -> tuple[str, str]:
        key = (offer, result)
        if key not in self._texts:
            shown = self.observation(offer, result)
            glyph = SIGNS[shown.outcome].glyph
            self._texts[key] = (f"{glyph} {short_word(shown)}".strip(), describe_result(shown))
        return self._texts[key]
