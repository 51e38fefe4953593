"""Why a run that ended is no whole answer: what a shell needs beside exit code 3."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.catalog.cells import is_control
from harness.observations.record import Outcome
from harness.observations.run_folder import RunData
from harness.reports.labels import (
    REASONS,
    build_note,
)
from harness.reports.missing import brief, groups
from harness.reports.plain_text import plain


def trouble(data: RunData) -> str:
    """What went wrong, in a line or two; empty where no cell is an error and nothing is missing.

    One line counts the error cells, control cells too, with the commonest reason and a cell to look
    at; one a kind of why names the builds, clients and controls that could not be had.
    """
    return "\n".join([*_errors(data), *_missing(data)])


def _errors(data: RunData) -> Iterator[str]:
    errors = [seen for seen in data.observations if seen.outcome is Outcome.ERROR]
    if not errors:
        return
    controls = sum(is_control(seen.build) for seen in errors)
    among = f" ({controls} of them control cells)" if controls else ""
    (reason, times), *_ = Counter(seen.reason for seen in errors).most_common(1)
    example = next(seen for seen in errors if seen.reason == reason)
    note = build_note(data.run.images.get(example.build))
    often = "" if times == len(errors) else f" in {times} of them"
    number = "1 cell" if len(errors) == 1 else f"{len(errors)} cells"
    yield plain(
        f"{number}{among} ended in an error of the harness, which is no result: "
        f"{_words(reason)}{often}; see 'postfix-matrix show {example.cell}'"
        + (f" ({note})" if note else "")
    )


def _words(reason: str | None) -> str:
    if reason is None:
        return "no reason was recorded"
    return REASONS.get(reason, ("", reason))[1]


def _missing(data: RunData) -> Iterator[str]:
    """A line a group; each thing with the first line of why, matrix.md and the page have all."""
    for group in groups(data.run.missing):
        lacks = ", ".join(f"{lack.kind} {lack.name} ({brief(lack)})" for lack in group.lacks)
        steps = "".join(f"; next step: {step}" for step in group.advice)
        yield plain(f"missing, {group.title}: {lacks}{steps}")
