"""What a run shows, in a few lines above its tables: the versions accepted, and the verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from harness.observations.run_folder import RunData
from harness.reports.grid import BASELINE, Grid
from harness.reports.protocols import (
    ALL_SERVICES,
    ProtocolRow,
    ProtocolStanding,
    ProtocolTable,
    protocol_table,
)
from harness.reports.wrapping import entry_lines, wrap_text
from harness.tls import Protocol, Service

#: Verdicts that are listed; of more there is the count of each.
MOST_VERDICTS = 15
_UNKNOWN = (ProtocolStanding.UNMEASURED, ProtocolStanding.UNMEASURABLE)


def answer_lines(
    data: RunData, grid: Grid, verdicts: Mapping[str, str], width: int
) -> Iterator[str]:
    """The lines of the answer, none wider than ``width`` but for a long word.

    ``verdicts`` has a line for each scenario that claims anything.
    """
    if grid.scenarios:
        table = protocol_table(grid.scenarios[0], data)
        yield from _version_lines(table, width)
    if len(verdicts) > MOST_VERDICTS:
        counts = Counter(text.partition(" ")[0].rstrip(":") for text in verdicts.values())
        text = ", ".join(f"{number} {name}" for name, number in counts.most_common())
        yield from wrap_text(
            f"Verdicts on {len(verdicts)} scenarios: {text}; 'postfix-matrix verdicts' has each.",
            "", "  ", width,
        )  # fmt: skip
    elif verdicts:
        yield "Verdicts on what the other scenarios claim:"
        yield from entry_lines(verdicts.items(), "  ", width)


def _version_lines(table: ProtocolTable, width: int) -> Iterator[str]:
    """The versions that builds accept in one scenario, and those with which they send."""
    name = "Without any advice" if table.scenario == BASELINE else f"With {table.scenario}"
    every = list(dict.fromkeys(row.build for row in table.rows))
    for sends in (False, True):
        groups: dict[str, list[ProtocolRow]] = {}
        for row in table.rows:
            is_known = any(v.standing is not ProtocolStanding.UNMEASURED for v in row.verdicts)
            if is_known and (row.services == (Service.OUTBOUND,)) is sends:
                groups.setdefault(_describe_versions(row), []).append(row)
        what = (
            "mail is sent with these TLS versions" if sends else "these TLS versions are accepted"
        )
        if groups:
            yield from wrap_text(f"{name}, {what}:", "", "  ", width)
        entries = ((versions, _describe_rows(rows, every)) for versions, rows in groups.items())
        yield from entry_lines(entries, "  ", width)


def _describe_versions(row: ProtocolRow) -> str:
    """``TLSv1 to TLSv1.2``, with what is not known: ``TLSv1.2 (TLSv1.3 not measured)``."""

    def having(*standings: ProtocolStanding) -> list[Protocol]:
        pairs = zip(Protocol, row.verdicts, strict=True)
        return [protocol for protocol, verdict in pairs if verdict.standing in standings]

    unknown = having(*_UNKNOWN)
    more = f" ({_join_versions(unknown)} not measured)" if unknown else ""
    return (_join_versions(having(ProtocolStanding.ACCEPTED)) or "none") + more


def _join_versions(versions: Sequence[Protocol]) -> str:
    """Versions in order; three and more that follow each other as a range."""
    every = list(Protocol)
    runs: list[list[Protocol]] = []
    for version in versions:
        if runs and every.index(version) == every.index(runs[-1][-1]) + 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(f"{r[0]} to {r[-1]}" if len(r) > 2 else ", ".join(r) for r in runs)


def _describe_rows(rows: Sequence[ProtocolRow], every: Sequence[str]) -> str:
    """The builds, and their services where not all of a build's have the same result."""
    by_label: dict[str, list[str]] = {}
    for row in rows:
        by_label.setdefault(row.label, []).append(row.build)
    texts = []
    for label, builds in by_label.items():
        names = f"all {len(every)} builds" if 1 < len(every) == len(builds) else ", ".join(builds)
        texts.append(names if label == ALL_SERVICES else f"{names} ({label})")
    return "; ".join(texts)
