"""The verdicts on a run's advice as annotations: on the expectation's line in scenario.toml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import FileLocation
from harness.reports.annotations import Annotation, AnnotationLevel
from harness.verdicts.judging import Judged, Standing
from harness.verdicts.verdict import BuildVerdict, ScenarioVerdict, Verdict

#: Cells that one annotation names.
MOST_CELLS = 3


@dataclass(slots=True)
class _ExpectationFinding:
    """What several builds show about one expectation."""

    level: AnnotationLevel
    title: str
    text: str
    line: int | None
    builds: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def verdict_annotations(
    verdicts: Iterable[ScenarioVerdict], files: Mapping[str, Path], *, failing: bool
) -> Iterator[Annotation]:
    """One per expectation that some build refutes, or that is unmeasured.

    Args:
        verdicts: those of a run.
        files: each scenario's scenario.toml, by the scenario's id.
        failing: whether refuted advice makes the command fail (``--exit-code``).
    """
    for verdict in verdicts:
        file = files.get(verdict.scenario)
        for collected in _collect_findings(verdict, failing=failing):
            shown = collected.shown[:MOST_CELLS]
            more = len(collected.shown) - len(shown)
            lines = [f"{collected.text} (on {', '.join(collected.builds)})", *shown]
            lines += [f"and {more} more cells"] if more else []
            place = None if file is None else FileLocation(file, collected.line)
            yield Annotation(collected.level, collected.title, "\n".join(lines), place)


def _collect_findings(verdict: ScenarioVerdict, *, failing: bool) -> list[_ExpectationFinding]:
    against = AnnotationLevel.ERROR if failing else AnnotationLevel.WARNING
    by_finding: dict[tuple[object, ...], _ExpectationFinding] = {}

    def collect(
        level: AnnotationLevel, word: str, text: str, line: int | None
    ) -> _ExpectationFinding:
        fresh = _ExpectationFinding(level, f"{word}: {verdict.scenario}", text, line)
        return by_finding.setdefault((word, text, line), fresh)

    for build in verdict.builds:
        if build.verdict is Verdict.HARMFUL:
            harmful = collect(against, "harmful", "worse than without the advice", None)
            harmful.builds.append(build.build)
            harmful.shown += [f"{each.cell}: {each.what}" for each in build.regressions]
        for judged, standing in _judged_of(build):
            level = against if standing is Standing.FAILS else AnnotationLevel.WARNING
            word = "refuted" if standing is Standing.FAILS else "not measured"
            expectation = judged.expectation
            collected = collect(level, word, f"claimed: {expectation.text}", expectation.line)
            collected.builds.append(build.build)
            collected.shown += [f"{wrong.cell}: {wrong.what}" for wrong in judged.mismatches]
            if standing is Standing.UNMEASURED:
                collected.shown.append(f"{build.build}: {judged.why}")
    return list(by_finding.values())


def _judged_of(build: BuildVerdict) -> Iterator[tuple[Judged, Standing]]:
    """The expectations that decide a verdict against the advice, or leave it unmeasured."""
    decisive = {
        Verdict.REFUTED: Standing.FAILS,
        Verdict.HARMFUL: Standing.FAILS,
        Verdict.UNMEASURED: Standing.UNMEASURED,
    }.get(build.verdict)
    return ((judged, decisive) for judged in build.judged if judged.standing is decisive)
