"""The table of accepted TLS versions as Markdown for the documentation, and for a terminal.

Below the tables: which run, which clients, which versions the images reported, what was unavailable
and why, and the command that makes the table again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.observations.run_folder import RunData
from harness.plain_text import escape_controls
from harness.reports.labels import (
    ANONYMOUS,
    ANONYMOUS_MEANING,
    BUILD_NOTES,
    DISAGREE,
    SIGNS,
)
from harness.reports.markdown import build_with_notes
from harness.reports.plain_text import escape_markdown, fence_code
from harness.reports.problems import brief_reason, group_unavailable
from harness.reports.protocols import (
    SOME,
    ProtocolRow,
    ProtocolStanding,
    ProtocolTable,
    protocol_tables,
)
from harness.reports.provenance import build_provenances
from harness.reports.terminal_table import build_label
from harness.reports.versions import BY_LABEL
from harness.tls import NAMED_SERVICES, Protocol, Service

_HEAD = ("build", "Postfix", "OpenSSL", "service", *Protocol)
_COMMAND = "postfix-matrix report --table protocols"
_MEANINGS = {
    ProtocolStanding.ACCEPTED: "a client that offered this version and no other negotiated it",
    ProtocolStanding.REFUSED: "every client that can offer this version was refused, and the same "
    "offer worked on a control; a label after the sign names another reason than the version",
    ProtocolStanding.UNMEASURABLE: "not measurable: no client of this run can offer this version",
    ProtocolStanding.UNMEASURED: "not measured, or without a result",
}
_GLYPHS = {
    ProtocolStanding.ACCEPTED: SIGNS["accepted"].glyph,
    ProtocolStanding.REFUSED: SIGNS["refused"].glyph,
    ProtocolStanding.UNMEASURABLE: SIGNS["client-incapable"].glyph,
    ProtocolStanding.UNMEASURED: SIGNS["not-measured"].glyph,
}


def render_protocols(data: RunData) -> str:
    """The tables with their footnotes as Markdown without headings, to be inserted anywhere."""
    tables = protocol_tables(data)
    versions = _brief_versions(data)
    parts = [part for table in tables for part in _markdown_table(table, versions)]
    notes = "\n".join(f"- {escape_markdown(line)}" for line in _note_lines(data, tables))
    unavailable = "\n".join(f"- {escape_markdown(line)}" for line in _unavailable_lines(data))
    parts += [notes, "Unavailable:\n\n" + unavailable if unavailable else ""]
    parts += ["Made with", fence_code(_format_commands(data))]
    return "\n\n".join(part for part in parts if part) + "\n"


def print_protocols(data: RunData, console: Console) -> None:
    """The same for a terminal of 100 columns or more."""
    tables = protocol_tables(data)
    versions = _brief_versions(data)
    for table in tables:
        console.print(Text(_table_title(table), "bold"), highlight=False)
        console.print(_terminal_table(table, versions), highlight=False)
        console.print()
    unavailable = (f"unavailable: {line}" for line in _unavailable_lines(data))
    lines = [*_note_lines(data, tables), *unavailable]
    for line in [*lines, f"made with: {_format_commands(data)}".replace("\n", "; ")]:
        console.print(Text(escape_controls(line)), highlight=False)


def _table_title(table: ProtocolTable) -> str:
    return escape_controls(f"{table.scenario}: {table.info.title}")


def _brief_versions(data: RunData) -> dict[str, tuple[str, str]]:
    return {b.name: (b.postfix.brief, b.openssl.brief) for b in build_provenances(data.run)}


def _markdown_table(table: ProtocolTable, versions: dict[str, tuple[str, str]]) -> Iterator[str]:
    yield f"**{escape_markdown(table.scenario)}**: {escape_markdown(table.info.title)}"
    rows = [_HEAD, *(_row_cells(row, versions) for row in table.rows)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    lines = [" | ".join(cell.ljust(widths[at]) for at, cell in enumerate(row)) for row in rows]
    rule = "|".join(":" + "-" * (width + 1) for width in widths)
    yield "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


def _row_cells(row: ProtocolRow, versions: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    versions_of_build = versions.get(row.build, ("", ""))
    cells = (*versions_of_build, row.label, *(verdict.text for verdict in row.verdicts))
    return (build_with_notes(row.build, row.notes), *map(escape_markdown, cells))


def _terminal_table(table: ProtocolTable, versions: dict[str, tuple[str, str]]) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for title in _HEAD:
        grid.add_column(title, overflow="fold")
    for row in table.rows:
        notes = [f"({note})" for note in row.notes]
        label = Text("\n".join([*map(escape_controls, build_label(row.build)), *notes]))
        postfix_openssl = map(Text, _row_cells(row, versions)[1:3])
        services = "\n".join(row.label.split(", "))
        grid.add_row(label, *postfix_openssl, services, *(v.text for v in row.verdicts))
    return grid


def _note_lines(data: RunData, tables: Sequence[ProtocolTable]) -> Iterator[str]:
    """The legend of what occurs in the tables, then the run."""
    verdicts = [v for table in tables for row in table.rows for v in row.verdicts]
    standings = {verdict.standing for verdict in verdicts}
    texts = {verdict.text for verdict in verdicts}
    for standing, meaning in _MEANINGS.items():
        if standing in standings:
            yield f"{_GLYPHS[standing]}: {meaning}"
    for sign in SIGNS.values():
        if f"{sign.glyph} {sign.word}" in texts and sign.glyph not in _GLYPHS.values():
            yield f"{sign.glyph} {sign.word}: {sign.title}. {sign.meaning}"
    if any(ANONYMOUS in text for text in texts):
        yield f"{ANONYMOUS}: {ANONYMOUS_MEANING}"
    if any(DISAGREE in text for text in texts):
        yield f"{DISAGREE}: client and server report different results"
    yield from (f"{SOME}: {exception}" for table in tables for exception in table.exceptions)
    noted = {note for table in tables for row in table.rows for note in row.notes}
    yield from (f"{note}: {text}" for note, text in BUILD_NOTES.items() if note in noted)
    yield from _run_lines(data)


def _run_lines(data: RunData) -> Iterator[str]:
    run = data.run
    source = "Postfix and OpenSSL as the running images report them, OpenSSL as Postfix loads it"
    builds = build_provenances(run)
    labelled = any(BY_LABEL in (build.postfix.how, build.openssl.how) for build in builds)
    yield f"{source}; where it says so, by the image's label" if labelled else source
    yield f"services: {', '.join(map(_describe_service, run.axes.services))}"
    yield f"clients: {', '.join(_describe_client(name, data) for name in run.axes.clients)}"
    by = f"{run.tool.name} {run.tool.version}, run {run.id}"
    yield f"measured {run.started[:10]} by {by}{'' if run.finished else ', which did not finish'}"


def _describe_service(name: str) -> str:
    return f"{name} (port {Service(name).port})" if name in NAMED_SERVICES else name


def _describe_client(name: str, data: RunData) -> str:
    """A client with the versions that its driver reports, as far as its name does not have them."""
    image = data.run.images.get(name)
    described = (image.describe if image else None) or {}
    versions = [str(described[key]) for key in ("version", "tls_version") if described.get(key)]
    further = ", ".join(version for version in versions if version not in name)
    return f"{name} ({further})" if further else name


def _unavailable_lines(data: RunData) -> Iterator[str]:
    for group in group_unavailable(data.run.missing):
        for entry in group.entries:
            yield f"{entry.kind} {entry.name}, {group.title}: {brief_reason(entry)}"


def _format_commands(data: RunData) -> str:
    command = shlex.join(data.run.command)
    return "\n".join([*([command] if command else []), _COMMAND])
