"""``matrix.md``: the tables as GitHub renders Markdown; each cell links to its evidence file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from harness.observations.run_folder import RunData
from harness.reports.differences import DEFINITION, Differences, differences
from harness.reports.grid import Grid, GridCell, Row, ScenarioGrid, ServiceTable, build_grid
from harness.reports.labels import (
    ANONYMOUS,
    ANONYMOUS_MEANING,
    BUILD_NOTES,
    DISAGREE,
    SIGNS,
)
from harness.reports.offer_titles import OfferTitle, offer_titles
from harness.reports.plain_text import escape_markdown, fence_code
from harness.reports.problems import brief_reason, group_unavailable, missing_configurations
from harness.reports.provenance import (
    Provenance,
    build_provenances,
    how_to_cite,
    other_provenances,
)
from harness.reports.verdicts_text import verdict_lines
from harness.tls import INBOUND, Service


def render_markdown(data: RunData) -> str:
    """The whole document."""
    grid = build_grid(data)
    comparisons, verdicts = differences(grid), verdict_lines(data)
    titles = offer_titles(grid.offers)
    lines = [*_header_lines(data, grid), *_legend_lines(grid), *_contents_lines(grid, comparisons)]
    for scenario in grid.all_scenarios:
        lines += _scenario_lines(scenario, comparisons.get(scenario.id), verdicts.get(scenario.id))
        lines += _tables_lines(scenario, titles)
    lines += _provenance_lines(data)
    return "\n".join(lines) + "\n"


def render_sections(data: RunData) -> list[str]:
    """The document in parts that each stand alone, for a page without the evidence.

    First the figures and the verdicts, then one part per scenario, then the legend; no links.
    """
    grid = build_grid(data)
    comparisons, verdicts = differences(grid), verdict_lines(data)
    titles = offer_titles(grid.offers)
    sections = ["\n".join(_header_lines(data, grid, linked=False))]
    for scenario in grid.scenarios:
        comparison, verdict = comparisons.get(scenario.id), verdicts.get(scenario.id)
        lines = [
            *_scenario_lines(scenario, comparison, verdict),
            *_tables_lines(scenario, titles, linked=False),
        ]
        sections.append("\n".join(lines))
    return [section.strip("\n") for section in (*sections, "\n".join(_legend_lines(grid)))]


def _header_lines(data: RunData, grid: Grid, *, linked: bool = True) -> Iterator[str]:
    summary = grid.summary
    evidence = " It links to the evidence." if linked else ""
    finished = data.run.finished or "not finished"
    yield "# What Postfix's TLS settings really do\n"
    yield (
        "Each row is one Postfix and one client, each column what the client was told to offer; "
        f"a cell says what happened when that client connected.{evidence}\n"
    )
    tool = f"{data.run.tool.name} {data.run.tool.version}"
    yield f"- Run `{data.run.id}`, {tool}, {data.run.started} to {finished}"
    speed = f" in {summary.seconds:.1f} s" if summary.seconds is not None else ""
    if summary.cells_per_second is not None:
        speed += f", {summary.cells_per_second:.1f} cells per second"
    yield f"- {summary.counts.measured} of {summary.planned} cells measured{speed}"
    if summary.taken_over:
        yield f"- Taken over: {escape_markdown(summary.taken_over)}"
    outcomes = summary.counts.outcomes.items()
    counts = [f"{SIGNS[name].glyph} {count} {SIGNS[name].title}" for name, count in outcomes]
    yield f"- {', '.join(counts)}" if counts else "- no outcome"
    if summary.obstacles:
        yield f"- Refused by: {summary.obstacles}"
    yield f"- Client and server: {summary.agreement}"
    notes = (*data.notes, *missing_configurations(data))
    yield from (f"- Note: {escape_markdown(note)}" for note in notes)
    yield f"- How to cite: {escape_markdown(how_to_cite(data.run))}"
    yield from _unavailable_lines(data)


def _unavailable_lines(data: RunData) -> Iterator[str]:
    """Group by group, with the whole reason of each; a compiler's output as it wrote it."""
    if data.run.missing:
        yield "\n## Unavailable"
    for group in group_unavailable(data.run.missing):
        yield f"\n{group.title.capitalize()}:\n"
        for entry in group.entries:
            yield f"- {entry.kind} `{entry.name}`: {escape_markdown(brief_reason(entry))}"
            if "\n" in entry.why.strip():
                yield f"\n{fence_code(entry.why.strip(), '  ')}\n"
        yield from (f"\nNext step: {escape_markdown(step)}" for step in group.advice)


def _legend_lines(grid: Grid) -> Iterator[str]:
    yield "\n## How to read a cell\n"
    yield "| cell | outcome | meaning |\n|:--|:--|:--|"
    for sign in SIGNS.values():
        mark = f"{sign.glyph} {sign.word}".rstrip()
        yield f"| {mark} | {sign.title} | {sign.meaning} |"
    yield f"| {DISAGREE} | | Client and server report different results. |"
    yield f"| ✓ {ANONYMOUS} | | {ANONYMOUS_MEANING} |"
    yield "\n`default`: the client as its user would run it. Every other column: that version only."
    short = [title for title in offer_titles(grid.offers).values() if title.is_short]
    if short:
        yield "\nShort names of offers:\n"
    yield from (f"- **{escape_markdown(title.text)}**: `{title.offer}`" for title in short)
    if grid.notes:
        yield "\nIn brackets beside a build's name:\n"
    yield from (f"- **{note}**: {escape_markdown(BUILD_NOTES[note])}" for note in grid.notes)


def _contents_lines(grid: Grid, comparisons: Mapping[str, Differences]) -> Iterator[str]:
    yield "\n## Scenarios\n"
    contents = grid.contents
    for scenario in grid.all_scenarios:
        difference = comparisons.get(scenario.id)
        statement = f": {escape_markdown(difference.statement)}" if difference else ""
        title = escape_markdown(contents[scenario.id])
        yield f"- [{title}](#{scenario.id}){statement}"
    if comparisons:
        yield f"\n{escape_markdown(DEFINITION)}"


def _scenario_lines(
    scenario: ScenarioGrid,
    difference: Differences | None,
    verdict: str | None,
) -> Iterator[str]:
    info = scenario.info
    yield f"\n## {scenario.id}\n"
    yield f"**{escape_markdown(info.title)}**"
    if info.claim:
        yield f"\n> {escape_markdown(info.claim)}"
    if info.source:
        link = f" <{quote(info.url, safe=':/?#=&%~+,;@.-_')}>" if info.url else ""
        yield f"\nFrom {escape_markdown(info.source)}.{link}"
    if verdict is not None:
        yield f"\n**Verdict:** {escape_markdown(verdict)}"
    if difference is not None:
        yield f"\n{escape_markdown(difference.statement)}"


def _tables_lines(
    scenario: ScenarioGrid, titles: Mapping[str, OfferTitle], *, linked: bool = True
) -> Iterator[str]:
    for table in scenario.tables:
        yield from _table_lines(table, scenario, titles, linked=linked)


def _table_lines(
    table: ServiceTable,
    scenario: ScenarioGrid,
    titles: Mapping[str, OfferTitle],
    *,
    linked: bool,
) -> Iterator[str]:
    known = table.service in list(INBOUND)
    port = f" (port {Service(table.service).port})" if known else ""
    yield f"\n### {table.service}{port}\n"
    heads = (escape_markdown(titles[offer].text) for offer in scenario.offers)
    yield f"| build | client | {' | '.join(heads)} |"
    yield "|:--|:--|" + ":--|" * len(scenario.offers)
    for row in table.rows:
        yield from _row_lines(row, scenario.clients, linked=linked)


def _row_lines(row: Row, clients: Sequence[str], *, linked: bool) -> Iterator[str]:
    if row.missing:
        yield f"| {row.build} | not measured: {escape_markdown(row.missing_brief)} |"
        return
    for client in clients:
        if not any(cell.planned for cell in row.of_client(client)):
            continue
        cells = " | ".join(_cell_text(cell, linked=linked) for cell in row.of_client(client))
        yield f"| {build_with_notes(row.build, row.notes)} | {client} | {cells} |"


def build_with_notes(build: str, notes: Sequence[str]) -> str:
    """A build's name with its notes, for a table."""
    return f"{escape_markdown(build)} **({', '.join(notes)})**" if notes else escape_markdown(build)


def _cell_text(cell: GridCell, *, linked: bool) -> str:
    text = escape_markdown(cell.text)
    if not linked or cell.observation is None or not cell.observation.evidence:
        return text
    return f"[{text}]({quote(cell.observation.evidence)})"


def _provenance_lines(data: RunData) -> Iterator[str]:
    yield "\n## Images\n"
    yield "| build | Postfix | OpenSSL | made from | base | image | id |\n" + "|:--" * 7 + "|"
    for build in build_provenances(data.run):
        versions = (f"{each.number} ({each.known})" for each in (build.postfix, build.openssl))
        texts = (*versions, "; ".join(build.origin), _describe_base(build))
        name = build_with_notes(build.name, build.notes)
        yield f"| {name} | {' | '.join(map(escape_markdown, texts))} | {_describe_image(build)} |"
    yield "\n| other image | kind | what it is | image | id |\n" + "|:--" * 5 + "|"
    for other in other_provenances(data.run):
        texts = (other.name, other.image.kind, "; ".join(other.origin))
        yield f"| {' | '.join(map(escape_markdown, texts))} | {_describe_image(other)} |"
    yield "\n`run.json` has every label, with flags, packages and the sources' full hashes."


def _describe_base(image: Provenance) -> str:
    titles = ("base image", "base image's digest", "base system from")
    return ", ".join(fact.value for fact in image.facts if fact.title in titles)


def _describe_image(provenance: Provenance) -> str:
    return f"`{provenance.image.reference}` | `{provenance.image.id}`"
