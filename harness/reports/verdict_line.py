"""A scenario's verdict in one line, to stand below its claim wherever that is printed."""

from __future__ import annotations

from harness.observations.run_folder import RunData
from harness.verdicts.since import describe_dependence
from harness.verdicts.verdict import SILENT, ScenarioVerdict, Verdict, judge_run


def verdict_lines(data: RunData) -> dict[str, str]:
    """By scenario: ``no-effect on 4 builds: no cell changes``; only those that claim anything."""
    return {one.scenario: _line(one) for one in judge_run(data)}


def _line(verdict: ScenarioVerdict) -> str:
    if verdict.verdict is Verdict.DEPENDS:
        return f"depends: {'; '.join(describe_dependence(verdict))}"
    said = verdict.builds_with(verdict.verdict)
    count = f"{len(said)} build{'' if len(said) == 1 else 's'}"
    left = len(verdict.builds) - len(said)
    silent = f" ({left} without)" if left and verdict.verdict not in SILENT else ""
    first = said[0]
    why = first.why.replace(f"{first.build}/{verdict.scenario}/", "")
    return f"{verdict.verdict} on {count}{silent}: {why}"
