"""Verdicts as text: a table over builds, one line, or each scenario's finding with its cells.

Text for a terminal and Markdown for the docs have the same wording.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from harness.counts import format_count
from harness.observations.run_folder import RunData
from harness.plain_text import escape_controls
from harness.reports.plain_text import escape_markdown, fence_code
from harness.reports.wrapping import wrap_text
from harness.verdicts.judging import (
    Judged,
    Standing,
)
from harness.verdicts.since import describe_dependence
from harness.verdicts.verdict import SILENT, BuildVerdict, ScenarioVerdict, Verdict, judge_run

#: Cells that are named for one finding; further ones are counted.
MOST_CELLS = 3
#: Builds for which a table has a column each; with more it has the finding as text.
MOST_COLUMNS = 6
#: Scenarios whose findings follow a table in full; for more, see the JSON.
MOST_FINDINGS = 20
_COMMAND = "postfix-matrix verdicts --format markdown"

MEANINGS: dict[Verdict, str] = {
    Verdict.CONFIRMED: "every cell is as the advice promises, and some are not so without it",
    Verdict.REFUTED: "some cell is not as the advice promises",
    Verdict.DEPENDS: "builds differ; the line below the table says where the version boundary is",
    Verdict.NO_EFFECT: "no cell changes by it, whether what it promises is so or not",
    Verdict.HARMFUL: "some cell is weaker, or a client does not get through that did without it",
    Verdict.NOT_APPLICABLE: "the build lacks what the advice names, or the advice is not for it",
    Verdict.UNMEASURED: "the run does not have the cells that are needed",
}


def verdict_lines(data: RunData) -> dict[str, str]:
    """By scenario: ``no-effect on 4 builds: no cell changes``; only those that claim anything."""
    return {verdict.scenario: _format_line(verdict) for verdict in judge_run(data)}


def _format_line(verdict: ScenarioVerdict) -> str:
    if verdict.verdict is Verdict.DEPENDS:
        return f"depends: {'; '.join(describe_dependence(verdict))}"
    agreeing = verdict.builds_with(verdict.verdict)
    count = format_count(len(agreeing), "build")
    others = len(verdict.builds) - len(agreeing)
    silent = f" ({others} without)" if others and verdict.verdict not in SILENT else ""
    return f"{verdict.verdict} on {count}{silent}: {_reason_of_first(verdict, agreeing)}"


def _reason_of_first(verdict: ScenarioVerdict, builds: Sequence[BuildVerdict]) -> str:
    """The first build's reason, without the build and the scenario."""
    return builds[0].why.replace(f"{builds[0].build}/{verdict.scenario}/", "")


def verdict_table(data: RunData, verdicts: Sequence[ScenarioVerdict]) -> str:
    """The verdicts as a Markdown table: one row per scenario, one column per build."""
    builds = [name for name in data.run.axes.builds if _has_build(verdicts, name)]
    head = ["advice", "over all", *map(escape_markdown, builds)]
    lines = [_format_row(head), _format_row(["---"] * len(head))]
    for verdict in verdicts:
        by_build = {build.build: build.verdict for build in verdict.builds}
        cells = [by_build[name].value if name in by_build else "" for name in builds]
        lines.append(
            _format_row([escape_markdown(verdict.scenario), f"**{verdict.verdict}**", *cells])
        )
    return "\n".join(lines)


def finding_table(data: RunData, verdicts: Sequence[ScenarioVerdict]) -> str:
    """The verdicts over all builds as a Markdown table, with what each rests on as text."""
    head = ["advice", "it claims", "verdict", "what was found"]
    lines = [_format_row(head), _format_row(["---"] * len(head))]
    for verdict in verdicts:
        claim = escape_markdown(data.run.scenarios[verdict.scenario].claim)
        boundaries = (_shorten_boundary(line) for line in describe_dependence(verdict))
        finding = "; ".join(boundaries) or _summarise_finding(verdict)
        name = escape_markdown(verdict.scenario)
        lines.append(_format_row([name, claim, f"**{verdict.verdict}**", escape_markdown(finding)]))
    return "\n".join(lines)


def _shorten_boundary(line: str) -> str:
    """A boundary without the number of releases between: the legend says that it may be many."""
    return re.sub(r" \([^()]*(?:lie between|lies between)[^()]*\)", "", line)


def _summarise_finding(verdict: ScenarioVerdict) -> str:
    agreeing = verdict.builds_with(verdict.verdict)
    if not agreeing:
        return ""
    others = len(verdict.builds) - len(agreeing)
    without = f" ({format_count(others, 'build')} without a verdict)" if others else ""
    return _reason_of_first(verdict, agreeing) + without


def finding_lines(
    data: RunData, verdict: ScenarioVerdict, *, every_cell: bool = False
) -> Iterator[str]:
    """One scenario's finding, one line at a time: the claim, the result, the cells that show it."""
    info = data.run.scenarios[verdict.scenario]
    yield escape_controls(f"{verdict.scenario}: {verdict.verdict}. {info.title}")
    yield escape_controls(f"  claim: {info.claim}")
    for line in describe_dependence(verdict):
        yield f"  {line}"
    for group in _group_builds(verdict.builds):
        yield from _group_lines(group, every_cell=every_cell)


def _group_lines(group: Sequence[BuildVerdict], *, every_cell: bool) -> Iterator[str]:
    """Builds with the same verdict, as the first of them shows it."""
    first = group[0]
    names = ", ".join(build.build for build in group)
    yield escape_controls(f"  {names}: {first.verdict} – {first.why}")
    for judged in first.judged:
        yield from _expectation_lines(judged, every_cell=every_cell)
    for regression in first.regressions[: None if every_cell else MOST_CELLS]:
        yield escape_controls(f"    {regression.kind}: {regression.cell}: {regression.what}")


def _expectation_lines(judged: Judged, *, every_cell: bool) -> Iterator[str]:
    marks = {Standing.HOLDS: "so", Standing.FAILS: "not so", Standing.UNMEASURED: "not measured"}
    holds = judged.standing is Standing.HOLDS
    cells = judged.witnesses if holds else judged.mismatches
    why = judged.why or format_count(len(cells), "cell")
    yield escape_controls(f"    {marks[judged.standing]}: {judged.expectation.text} ({why})")
    shown = judged.mismatches[: None if every_cell else MOST_CELLS]
    for mismatch in shown:
        yield escape_controls(f"      {mismatch.cell}: {mismatch.what}")
    if len(shown) < len(judged.mismatches):
        yield f"      and {len(judged.mismatches) - len(shown)} more"


def _group_builds(builds: Sequence[BuildVerdict]) -> list[list[BuildVerdict]]:
    """The builds by verdict, claim, and findings."""
    groups: dict[object, list[BuildVerdict]] = {}
    for build in builds:
        mismatches = (mismatch for judged in build.judged for mismatch in judged.mismatches)
        places = tuple(_place_in_build(mismatch.cell) for mismatch in mismatches)
        worse = tuple((_place_in_build(r.cell), r.what) for r in build.regressions)
        key = (build.verdict, build.claim, places, worse, _reason_without_build(build))
        groups.setdefault(key, []).append(build)
    return list(groups.values())


def _place_in_build(cell: str) -> str:
    """A cell's id without its build."""
    return cell.partition("/")[2]


def _reason_without_build(verdict: BuildVerdict) -> str:
    return verdict.why.replace(f"{verdict.build}/", "")


def render_verdicts(data: RunData, verdicts: Sequence[ScenarioVerdict]) -> str:
    """Table, findings and legend as Markdown without headings, to be inserted into a document."""
    given = {verdict.verdict for verdict in verdicts}
    given |= {build.verdict for verdict in verdicts for build in verdict.builds}
    legend = [f"- {name}: {text}" for name, text in MEANINGS.items() if name in given]
    wide = len(data.run.axes.builds) > MOST_COLUMNS
    table = finding_table(data, verdicts) if wide else verdict_table(data, verdicts)
    parts = [table, "\n".join(legend)]
    if len(verdicts) <= MOST_FINDINGS:
        parts += [_markdown_findings(data, verdict) for verdict in verdicts]
    parts += ["Made with", fence_code("\n".join([shlex.join(data.run.command), _COMMAND]))]
    return "\n\n".join(parts) + "\n"


def finding_paragraphs(
    data: RunData, verdict: ScenarioVerdict, *, every_cell: bool = False
) -> Iterator[str]:
    """The same, wrapped to the reader's terminal with a hanging indent."""
    for line in finding_lines(data, verdict, every_cell=every_cell):
        text = line.lstrip()
        indent = " " * (len(line) - len(text))
        yield from wrap_text(text, indent, f"{indent}    ")


def _markdown_findings(data: RunData, verdict: ScenarioVerdict) -> str:
    info = data.run.scenarios[verdict.scenario]
    lines = list(finding_lines(data, verdict))[2:]
    head = (
        f"**{escape_markdown(verdict.scenario)}: {verdict.verdict}.** {escape_markdown(info.claim)}"
    )
    return "\n\n".join([head, fence_code("\n".join(line.removeprefix("  ") for line in lines))])


def _has_build(verdicts: Sequence[ScenarioVerdict], build: str) -> bool:
    return any(each.build == build for verdict in verdicts for each in verdict.builds)


def _format_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
