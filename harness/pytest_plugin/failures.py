"""What a test reports: the claim, each cell that contradicts it, the log line, the command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.counts import format_count
from harness.observations.run_folder import RunData
from harness.plain_text import escape_controls
from harness.reports.evidence_command import evidence_command
from harness.reports.verify_findings import reply_and_log
from harness.verdicts.judging import Judged, Mismatch, UnmeasuredCell

#: Cells that are shown in full; of the others there is one line each.
_MOST_IN_FULL = 10


def describe_judged(data: RunData, judged: Judged) -> list[str]:
    """What is claimed, and each cell that contradicts it."""
    lines = [judged.expectation.text]
    for number, wrong in enumerate(judged.mismatches):
        lines += _indent_lines(describe_mismatch(data, wrong, in_full=number < _MOST_IN_FULL))
    return lines


def describe_mismatch(data: RunData, wrong: Mismatch, *, in_full: bool = True) -> Iterator[str]:
    """A cell as client → service → what happened; in full with reply, log line and command."""
    yield f"{describe_place(wrong.cell)}: {wrong.what}"
    observation = data.find(wrong.cell)
    if not in_full or observation is None:
        return
    reply, log = reply_and_log(data, observation)
    if reply:
        yield f"  reply     {escape_controls(reply)}"
    if log:
        yield f"  log       {escape_controls(log)}"
    yield f"  evidence  {evidence_command(data.folder, wrong.cell)}"


def describe_place(cell: str) -> str:
    """``openssl-1.0.2h TLSv1 → smtp on debian-12``."""
    build, _, service, client, offer = cell.split("/", 4)
    return f"{client} {offer} → {service} on {build}"


def describe_unmeasured(cells: Iterable[UnmeasuredCell]) -> list[str]:
    """Cells that show nothing, each with the reason."""
    return [f"{describe_place(cell.cell)}: {cell.why}" for cell in cells]


def count_more(number: int) -> str:
    """`` (and 3 more cells)``; "" for none."""
    return f" (and {format_count(number, 'more cell')})" if number > 0 else ""


def _indent_lines(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
