"""What client and server say where a cell was not accepted: the lines below a cell page's table.

Cells that differ in numbers alone (of processes, threads, connections) have one entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.observations.run_folder import Evidence
from harness.plain_text import escape_controls
from harness.verdicts.decisive_lines import decisive_line

#: Entries of a page, and cells that an entry names.
MOST_ENTRIES, MOST_NAMED = 24, 4
#: What changes from dialogue to dialogue: a thread, a process, a port, an address.
_OF_DIALOGUE = re.compile(r"\d{5,}|(?<=\[)\d+(?=\])|\d+\.\d+\.\d+\.\d+")
_LONGEST_LINE = 220


@dataclass(slots=True)
class Refusal:
    """Both sides' texts of the first of some cells, and which cells: SERVICE/CLIENT/OFFER."""

    client: str
    server: str
    spots: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """About as many bytes as it has on a page."""
        named = self.spots[:MOST_NAMED]
        return len(self.client) + len(self.server) + 2 * sum(map(len, named)) + 120


def group_refusals(spots: Iterable[str], evidence: Mapping[str, Evidence | None]) -> list[Refusal]:
    """The refusals of some cells in their order, as many as a page has."""
    groups: dict[tuple[str, str], Refusal] = {}
    for spot in spots:
        client, server = both_sides(evidence.get(spot) or {})
        if not client and not server:
            continue
        key = (_OF_DIALOGUE.sub("", client), _OF_DIALOGUE.sub("", server))
        if key not in groups:
            if len(groups) == MOST_ENTRIES:
                continue
            groups[key] = Refusal(client, server)
        groups[key].spots.append(spot)
    return list(groups.values())


def may_lack_some(refusals: Sequence[Refusal]) -> bool:
    """Whether cells may have more refusals than these, which are as many as a page has."""
    return len(refusals) >= MOST_ENTRIES


def both_sides(evidence: Evidence) -> tuple[str, str]:
    """The client's error or the reply that decided, and the server's line that explains it."""
    client = evidence.get("client") or {}
    reply = client.get("reply") or {}
    text = client.get("error") or (f"{reply.get('code')} {reply.get('text')}" if reply else "")
    log = evidence.get("log") or ()
    line = decisive_line(str(entry) for entry in log) if isinstance(log, list) else None
    return _cut_line(str(text or "")), _cut_line(line or "")


def _cut_line(text: str) -> str:
    line = " ".join(escape_controls(text).split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"
