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
from harness.reports.missing import brief, groups
from harness.reports.plain_text import (
    fenced,
    markdown,
)
from harness.reports.provenance import Provenance, builds, others
from harness.reports.verdict_line import verdict_lines
from harness.tls import INBOUND, Service


def render_markdown(data: RunData) -> str:
    """The whole document."""
    grid = build_grid(data)
    besides, verdicts = differences(grid), verdict_lines(data)
    lines = [*_head(data, grid), *_legend(grid), *_contents(grid, besides)]
    for scenario in grid.all_scenarios:
        lines += _scenario(scenario, besides.get(scenario.id), verdicts.get(scenario.id))
    lines += _provenance(data)
    return "\n".join(lines) + "\n"


def _head(data: RunData, grid: Grid) -> Iterator[str]:
    summary = grid.summary
    finished = data.run.finished or "not finished"
    yield "# What Postfix's TLS settings really do\n"
    yield (
        "Each row is one Postfix and one client, each column what the client was told to offer; "
        "a cell says what happened when that client connected. It links to the evidence.\n"
    )
    tool = f"{data.run.tool.name} {data.run.tool.version}"
    yield f"- Run `{data.run.id}`, {tool}, {data.run.started} to {finished}"
    speed = f" in {summary.seconds:.1f} s" if summary.seconds is not None else ""
    if summary.cells_per_second is not None:
        speed += f", {summary.cells_per_second:.1f} cells per second"
    yield f"- {summary.counts.measured} of {summary.planned} cells measured{speed}"
    outcomes = summary.counts.outcomes.items()
    counts = [f"{SIGNS[name].glyph} {count} {SIGNS[name].title}" for name, count in outcomes]
    yield f"- {', '.join(counts)}" if counts else "- no outcome"
    if summary.obstacles:
        yield f"- Refused by: {summary.obstacles}"
    yield f"- Client and server: {summary.agreement}"
    yield from (f"- Note: {markdown(note)}" for note in data.notes)
    yield from _missing(data)


def _missing(data: RunData) -> Iterator[str]:
    """Group by group, each why whole; a compiler's many lines as it wrote them."""
    if data.run.missing:
        yield "\n## Missing"
    for group in groups(data.run.missing):
        yield f"\n{group.title.capitalize()}:\n"
        for lack in group.lacks:
            yield f"- {lack.kind} `{lack.name}`: {markdown(brief(lack))}"
            if "\n" in lack.why.strip():
                yield f"\n{fenced(lack.why.strip(), '  ')}\n"
        yield from (f"\nNext step: {markdown(step)}" for step in group.advice)


def _legend(grid: Grid) -> Iterator[str]:
    yield "\n## How to read a cell\n"
    yield "| cell | outcome | meaning |\n|:--|:--|:--|"
    for sign in SIGNS.values():
        mark = f"{sign.glyph} {sign.word}".rstrip()
        yield f"| {mark} | {sign.title} | {sign.meaning} |"
    yield f"| {DISAGREE} | | Client and server saw different things. |"
    yield f"| ✓ {ANONYMOUS} | | {ANONYMOUS_MEANING} |"
    yield "\n`default`: the client as its user would run it. Every other column: that version only."
    if grid.notes:
        yield "\nIn brackets beside a build's name:\n"
    yield from (f"- **{note}**: {markdown(BUILD_NOTES[note])}" for note in grid.notes)


def _contents(grid: Grid, besides: Mapping[str, Differences]) -> Iterator[str]:
    yield "\n## Scenarios\n"
    for scenario in grid.all_scenarios:
        beside = besides.get(scenario.id)
        said = f": {markdown(beside.statement)}" if beside else ""
        yield f"- [{markdown(scenario.info.title)}](#{scenario.id}){said}"
    if besides:
        yield f"\n{markdown(DEFINITION)}"


def _scenario(
    scenario: ScenarioGrid, beside: Differences | None, verdict: str | None
) -> Iterator[str]:
    info = scenario.info
    yield f"\n## {scenario.id}\n"
    yield f"**{markdown(info.title)}**"
    if info.claim:
        yield f"\n> {markdown(info.claim)}"
    if info.source:
        link = f" <{quote(info.url, safe=':/?#=&%~+,;@.-_')}>" if info.url else ""
        yield f"\nFrom {markdown(info.source)}.{link}"
    if verdict is not None:
        yield f"\n**Verdict:** {markdown(verdict)}"
    if beside is not None:
        yield f"\n{markdown(beside.statement)}"
    for table in scenario.tables:
        yield from _table(table, scenario)


def _table(table: ServiceTable, scenario: ScenarioGrid) -> Iterator[str]:
    known = table.service in list(INBOUND)
    port = f" (port {Service(table.service).port})" if known else ""
    yield f"\n### {table.service}{port}\n"
    yield f"| build | client | {' | '.join(scenario.offers)} |"
    yield "|:--|:--|" + ":--|" * len(scenario.offers)
    for row in table.rows:
        yield from _rows(row, scenario.clients)


def _rows(row: Row, clients: Sequence[str]) -> Iterator[str]:
    if row.missing:
        yield f"| {row.build} | not measured: {markdown(row.missing_brief)} |"
        return
    for client in clients:
        if not any(cell.planned for cell in row.of_client(client)):
            continue
        cells = " | ".join(_cell(cell) for cell in row.of_client(client))
        yield f"| {marked(row.build, row.notes)} | {client} | {cells} |"


def marked(build: str, notes: Sequence[str]) -> str:
    """A build's name with what is to be known of it, for a table."""
    return f"{markdown(build)} **({', '.join(notes)})**" if notes else markdown(build)


def _cell(cell: GridCell) -> str:
    text = markdown(cell.text)
    if cell.observation is None or not cell.observation.evidence:
        return text
    return f"[{text}]({quote(cell.observation.evidence)})"


def _provenance(data: RunData) -> Iterator[str]:
    yield "\n## Images\n"
    yield "| build | Postfix | OpenSSL | made from | base | image | id |\n" + "|:--" * 7 + "|"
    for one in builds(data.run):
        versions = (f"{one.number} ({one.known})" for one in (one.postfix, one.openssl))
        told = " | ".join(map(markdown, (*versions, "; ".join(one.whence), _base(one))))
        yield f"| {marked(one.name, one.notes)} | {told} | {_image(one)} |"
    yield "\n| other image | kind | what it is | image | id |\n" + "|:--" * 5 + "|"
    for one in others(data.run):
        told = " | ".join(markdown(cell) for cell in (one.image.kind, "; ".join(one.whence)))
        yield f"| {markdown(one.name)} | {told} | {_image(one)} |"
    yield "\n`run.json` has every label, with flags, packages and the sources' whole hashes."


def _base(one: Provenance) -> str:
    titles = ("base image", "base image's digest", "base system from")
    return ", ".join(fact.value for fact in one.facts if fact.title in titles)


def _image(one: Provenance) -> str:
    return f"`{one.image.reference}` | `{one.image.id}`"
