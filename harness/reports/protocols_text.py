"""The table of accepted TLS versions as Markdown for the documentation, and for a terminal.

Beside the tables stands what a doubter asks: which run, which clients, versions read back from the
images, what is missing and why, and the command that makes it anew.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.observations.run_folder import RunData
from harness.reports.labels import (
    ANONYMOUS,
    ANONYMOUS_MEANING,
    BUILD_NOTES,
    DISAGREE,
    SIGNS,
)
from harness.reports.markdown import marked
from harness.reports.missing import brief, groups
from harness.reports.plain_text import (
    fenced,
    markdown,
    plain,
)
from harness.reports.protocols import (
    SOME,
    ProtocolRow,
    ProtocolStanding,
    ProtocolTable,
    protocol_tables,
)
from harness.reports.provenance import builds
from harness.reports.terminal_table import build_label
from harness.reports.versions import BY_LABEL
from harness.tls import NAMED_SERVICES, Protocol, Service

_HEAD = ("build", "Postfix", "OpenSSL", "service", *Protocol)
_AGAIN = "postfix-matrix report --table protocols"
_MEANINGS = {
    ProtocolStanding.ACCEPTED: "a client that offered this version and no other negotiated it",
    ProtocolStanding.REFUSED: "every client that can offer this version was refused, and the same "
    "offer worked on a control; a word after the sign names another reason than the version",
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
    """The tables with their footnotes as Markdown without headings, to be put into a document."""
    tables = protocol_tables(data)
    versions = _versions(data)
    parts = [part for table in tables for part in _markdown_table(table, versions)]
    notes = "\n".join(f"- {markdown(line)}" for line in _notes(data, tables))
    missing = "\n".join(f"- {markdown(line)}" for line in _missing(data))
    parts += [notes, "Missing:\n\n" + missing if missing else "", "Made with", fenced(_made(data))]
    return "\n\n".join(part for part in parts if part) + "\n"


def print_protocols(data: RunData, console: Console) -> None:
    """The same for a terminal of 100 columns or more."""
    tables = protocol_tables(data)
    versions = _versions(data)
    for table in tables:
        console.print(Text(_title(table), "bold"), highlight=False)
        console.print(_terminal_table(table, versions), highlight=False)
        console.print()
    lines = [*_notes(data, tables), *(f"missing: {line}" for line in _missing(data))]
    for line in [*lines, f"made with: {_made(data)}".replace("\n", "; ")]:
        console.print(Text(plain(line)), highlight=False)


def _title(table: ProtocolTable) -> str:
    return plain(f"{table.scenario}: {table.info.title}")


def _versions(data: RunData) -> dict[str, tuple[str, str]]:
    return {one.name: (one.postfix.brief, one.openssl.brief) for one in builds(data.run)}


def _markdown_table(table: ProtocolTable, versions: dict[str, tuple[str, str]]) -> Iterator[str]:
    yield f"**{markdown(table.scenario)}**: {markdown(table.info.title)}"
    rows = [_HEAD, *(_cells(row, versions) for row in table.rows)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    lines = [" | ".join(cell.ljust(widths[at]) for at, cell in enumerate(row)) for row in rows]
    rule = "|".join(":" + "-" * (width + 1) for width in widths)
    yield "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


def _cells(row: ProtocolRow, versions: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    told = (*versions.get(row.build, ("", "")), row.label, *(one.text for one in row.verdicts))
    return (marked(row.build, row.notes), *map(markdown, told))


def _terminal_table(table: ProtocolTable, versions: dict[str, tuple[str, str]]) -> Table:
    shown = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for title in _HEAD:
        shown.add_column(title, overflow="fold")
    for row in table.rows:
        notes = [f"({note})" for note in row.notes]
        label = Text("\n".join([*map(plain, build_label(row.build)), *notes]))
        told = _cells(row, versions)[1:3]
        services = "\n".join(row.label.split(", "))
        shown.add_row(label, *map(Text, told), services, *(one.text for one in row.verdicts))
    return shown


def _notes(data: RunData, tables: Sequence[ProtocolTable]) -> Iterator[str]:
    """The legend of what occurs, then the run."""
    held = {one.standing for table in tables for row in table.rows for one in row.verdicts}
    texts = {one.text for table in tables for row in table.rows for one in row.verdicts}
    yield from (f"{_GLYPHS[one]}: {words}" for one, words in _MEANINGS.items() if one in held)
    for sign in SIGNS.values():
        if f"{sign.glyph} {sign.word}" in texts and sign.glyph not in _GLYPHS.values():
            yield f"{sign.glyph} {sign.word}: {sign.title}. {sign.meaning}"
    if any(ANONYMOUS in text for text in texts):
        yield f"{ANONYMOUS}: {ANONYMOUS_MEANING}"
    if any(DISAGREE in text for text in texts):
        yield f"{DISAGREE}: client and server say different things were negotiated"
    for one in (words for table in tables for words in table.exceptions):
        yield f"{SOME}: {one}"
    noted = {note for table in tables for row in table.rows for note in row.notes}
    yield from (f"{note}: {words}" for note, words in BUILD_NOTES.items() if note in noted)
    yield from _run(data)


def _run(data: RunData) -> Iterator[str]:
    run = data.run
    read = "Postfix and OpenSSL as read back from the running images, OpenSSL as Postfix loads it"
    labelled = any(BY_LABEL in (one.postfix.how, one.openssl.how) for one in builds(run))
    yield f"{read}; where that is said, by the image's label" if labelled else read
    yield f"services: {', '.join(map(_service, run.axes.services))}"
    yield f"clients: {', '.join(_client(name, data) for name in run.axes.clients)}"
    by = f"{run.tool.name} {run.tool.version}, run {run.id}"
    yield f"measured {run.started[:10]} by {by}{'' if run.finished else ', which did not finish'}"


def _service(name: str) -> str:
    return f"{name} (port {Service(name).port})" if name in NAMED_SERVICES else name


def _client(name: str, data: RunData) -> str:
    """A client with what its driver says of itself, as far as its name does not."""
    image = data.run.images.get(name)
    said = (image.describe if image else None) or {}
    told = [str(said[key]) for key in ("version", "tls_version") if said.get(key)]
    news = ", ".join(words for words in told if words not in name)
    return f"{name} ({news})" if news else name


def _missing(data: RunData) -> Iterator[str]:
    for group in groups(data.run.missing):
        for lack in group.lacks:
            yield f"{lack.kind} {lack.name}, {group.title}: {brief(lack)}"


def _made(data: RunData) -> str:
    command = shlex.join(data.run.command)
    return "\n".join([*([command] if command else []), _AGAIN])
