"""The answer of ``verify`` as Markdown, to be put into a document or an issue."""

from __future__ import annotations

from collections.abc import Sequence

from harness.observations.run_folder import RunData
from harness.reports.plain_text import (
    fenced,
    markdown,
)
from harness.reports.service_labels import service_labels
from harness.reports.stand_ins import stand_ins_markdown, stand_ins_of
from harness.reports.verify_remedy import TriedRemedy
from harness.reports.verify_text import sentences, told_remedy
from harness.verdicts.policy_answers import ServiceAnswer


def verification_markdown(
    data: RunData,
    scenario: str,
    found: Sequence[ServiceAnswer],
    remedy: TriedRemedy | None = None,
    *,
    verbose: bool = False,
) -> str:
    """Stand-ins, the table, and what each answer rests on, word for word as in a terminal."""
    parts = [
        stand_ins_markdown(stand_ins_of(data, scenario), verbose=verbose),
        _table(data, scenario, found),
        fenced("\n".join(sentences(data, scenario, found))),
    ]
    if remedy is not None and (lines := list(told_remedy(remedy, found))):
        parts.append(fenced("\n".join(lines)))
    return "\n\n".join(part for part in parts if part)


def _table(data: RunData, scenario: str, found: Sequence[ServiceAnswer]) -> str:
    labels = service_labels(data, scenario)
    builds = list(found[0].builds) if found else []
    rows = [["service", *builds], ["---"] * (len(builds) + 1)]
    rows += [
        [labels[one.service].text, *(one.builds[build].answer.value for build in builds)]
        for one in found
    ]
    first, second, *rest = rows
    lines = [first, second, *([markdown(cell) for cell in row] for row in rest)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
