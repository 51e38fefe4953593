"""Verdicts as text: a table over builds, and each scenario's finding with its cells.

Text for a terminal and Markdown for the docs are the same words.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from harness.observations.run_folder import RunData
from harness.reports.plain_text import (
    fenced,
    markdown,
    plain,
)
from harness.verdicts.judging import (
    Judged,
    Standing,
)
from harness.verdicts.since import describe_dependence
from harness.verdicts.verdict import BuildVerdict, ScenarioVerdict, Verdict

#: Cells that are named for one finding; the rest is counted.
MOST_CELLS = 3
#: Builds that a table has a column each of; with more it has the finding in words.
MOST_COLUMNS = 6
#: Scenarios whose findings are spelt out below a table; of more the JSON has them.
MOST_FINDINGS = 20

MEANINGS: dict[Verdict, str] = {
    Verdict.CONFIRMED: "every cell is as the advice promises, and some are not so without it",
    Verdict.REFUTED: "some cell is not as the advice promises",
    Verdict.DEPENDS: "builds differ; the line below the table says where the border is",
    Verdict.NO_EFFECT: "no cell changes by it, whether what it promises is so or not",
    Verdict.HARMFUL: "some cell is weaker, or a client does not get through that did without it",
    Verdict.NOT_APPLICABLE: "the build lacks what the advice names, or the advice is not for it",
    Verdict.UNMEASURED: "the run does not have what it takes to say",
}


def verdict_table(data: RunData, verdicts: Sequence[ScenarioVerdict]) -> str:
    """The verdicts as a Markdown table: a row a scenario, a column a build, and the overall one."""
    builds = [name for name in data.run.axes.builds if _any_of(verdicts, name)]
    head = ["advice", "over all", *map(markdown, builds)]
    lines = [_row(head), _row(["---"] * len(head))]
    for one in verdicts:
        by_build = {each.build: each.verdict for each in one.builds}
        cells = [by_build[name].value if name in by_build else "" for name in builds]
        lines.append(_row([markdown(one.scenario), f"**{one.verdict}**", *cells]))
    return "\n".join(lines)


def finding_table(data: RunData, verdicts: Sequence[ScenarioVerdict]) -> str:
    """The verdicts over all builds as a Markdown table, with what each rests on in words."""
    lines = [_row(["advice", "it claims", "verdict", "what was found"]), _row(["---"] * 4)]
    for one in verdicts:
        claim = markdown(data.run.scenarios[one.scenario].claim)
        found = "; ".join(_short(line) for line in describe_dependence(one)) or _found(one)
        lines.append(_row([markdown(one.scenario), claim, f"**{one.verdict}**", markdown(found)]))
    return "\n".join(lines)


def _short(line: str) -> str:
    """A border without how many releases lie between: the legend says that it may be many."""
    return re.sub(r" \([^()]*(?:lie between|lies between)[^()]*\)", "", line)


def _found(verdict: ScenarioVerdict) -> str:
    said = verdict.builds_with(verdict.verdict)
    if not said:
        return ""
    first = said[0]
    why = first.why.replace(f"{first.build}/{verdict.scenario}/", "")
    lacking = len(verdict.builds) - len(said)
    return why + (f" ({lacking} builds without a verdict)" if lacking else "")


def findings(data: RunData, verdict: ScenarioVerdict, *, every_cell: bool = False) -> Iterator[str]:
    """One scenario's finding, a line at a time: what it claims, what is so, by which cells."""
    info = data.run.scenarios[verdict.scenario]
    yield plain(f"{verdict.scenario}: {verdict.verdict}. {info.title}")
    yield plain(f"  claim: {info.claim}")
    for line in describe_dependence(verdict):
        yield f"  {line}"
    for group in _alike(verdict.builds):
        yield from _of_group(group, every_cell=every_cell)


def _of_group(group: Sequence[BuildVerdict], *, every_cell: bool) -> Iterator[str]:
    """Builds that have one verdict, by the first of them."""
    first = group[0]
    names = ", ".join(one.build for one in group)
    yield plain(f"  {names}: {first.verdict} – {first.why}")
    for judged in first.judged:
        yield from _of_expectation(judged, every_cell=every_cell)
    for harm in first.regressions[: None if every_cell else MOST_CELLS]:
        yield plain(f"    {harm.kind}: {harm.cell}: {harm.what}")


def _of_expectation(judged: Judged, *, every_cell: bool) -> Iterator[str]:
    mark = {Standing.HOLDS: "so", Standing.FAILS: "not so", Standing.UNMEASURED: "not measured"}
    count = f"{len(judged.witnesses)} cells" if judged.standing is Standing.HOLDS else ""
    why = judged.why or count or f"{len(judged.mismatches)} cells"
    yield plain(f"    {mark[judged.standing]}: {judged.expectation.text} ({why})")
    shown = judged.mismatches[: None if every_cell else MOST_CELLS]
    for mismatch in shown:
        yield plain(f"      {mismatch.cell}: {mismatch.what}")
    if len(shown) < len(judged.mismatches):
        yield f"      and {len(judged.mismatches) - len(shown)} more"


def _alike(builds: Sequence[BuildVerdict]) -> list[list[BuildVerdict]]:
    """The builds by verdict and claim, and what is said of each: one finding each."""
    groups: dict[object, list[BuildVerdict]] = {}
    for one in builds:
        places = tuple(_place(m.cell) for j in one.judged for m in j.mismatches)
        harms = tuple((_place(harm.cell), harm.what) for harm in one.regressions)
        alike = (one.verdict, one.claim, places, harms, _place_of_why(one))
        groups.setdefault(alike, []).append(one)
    return list(groups.values())


def _place(cell: str) -> str:
    """A cell's id without its build."""
    return cell.partition("/")[2]


def _place_of_why(one: BuildVerdict) -> str:
    return one.why.replace(f"{one.build}/", "")


def render_verdicts(data: RunData, verdicts: Sequence[ScenarioVerdict]) -> str:
    """Table, findings and legend as Markdown without headings, to be put into a document."""
    found = {one.verdict for one in verdicts} | {b.verdict for v in verdicts for b in v.builds}
    legend = [f"- {name}: {text}" for name, text in MEANINGS.items() if name in found]
    wide = len(data.run.axes.builds) > MOST_COLUMNS
    table = finding_table(data, verdicts) if wide else verdict_table(data, verdicts)
    parts = [table, "\n".join(legend)]
    if len(verdicts) <= MOST_FINDINGS:
        parts += [_markdown_findings(data, one) for one in verdicts]
    parts += ["Made with", fenced("\n".join([shlex.join(data.run.command), _AGAIN]))]
    return "\n\n".join(parts) + "\n"


_AGAIN = "postfix-matrix verdicts --format markdown"


def _markdown_findings(data: RunData, verdict: ScenarioVerdict) -> str:
    info = data.run.scenarios[verdict.scenario]
    lines = list(findings(data, verdict))[2:]
    head = f"**{markdown(verdict.scenario)}: {verdict.verdict}.** {markdown(info.claim)}"
    return "\n\n".join([head, fenced("\n".join(line.removeprefix("  ") for line in lines))])


def _any_of(verdicts: Sequence[ScenarioVerdict], build: str) -> bool:
    return any(one.build == build for verdict in verdicts for one in verdict.builds)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
