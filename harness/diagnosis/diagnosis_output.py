"""A diagnosis as text, and for other programs: docs/schemas/doctor.schema.json."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from harness.diagnosis.machine_checks import format_size
from harness.diagnosis.machine_finding import Diagnosis, MachineStanding, RunNeeds
from harness.reports.wrapping import wrap_text

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1
_MARKS = {
    MachineStanding.OK: "ok",
    MachineStanding.WARNING: "WARNING",
    MachineStanding.FAILED: "FAILED",
    MachineStanding.UNKNOWN: "unknown",
}
_COLUMN = max(map(len, _MARKS.values())) + 2


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The answer, the checks, what a run needs, and the next command."""
    failed = [each for each in diagnosis.findings if each.standing is MachineStanding.FAILED]
    warnings = [each for each in diagnosis.findings if each.standing is MachineStanding.WARNING]
    if failed:
        names = ", ".join(dict.fromkeys(each.check for each in failed))
        yield from wrap_text(f"This machine cannot measure yet: {names} failed.")
    else:
        more = f", with {len(warnings)} warning{'s' * (len(warnings) > 1)}" if warnings else ""
        yield f"This machine can measure{more}."
    yield ""
    width = max((len(each.check) for each in diagnosis.findings), default=0) + 2
    for each in diagnosis.findings:
        start = f"{_MARKS[each.standing]:<{_COLUMN}}{each.check:<{width}}"
        more_indent = " " * len(start)
        yield from wrap_text(each.what, start, more_indent)
        if each.next_step:
            yield from wrap_text(f"next step: {each.next_step}", more_indent, more_indent + "  ")
    if diagnosis.needs is not None:
        yield ""
        yield from _needs_lines(diagnosis.needs)
    if not failed:
        yield ""
        yield "Next: postfix-matrix run"


def _needs_lines(needs: RunNeeds) -> Iterator[str]:
    """Estimates for a run without a selection."""
    yield from wrap_text(
        f"A run without a selection measures {needs.cells} cells in "
        f"{_format_minutes(needs.measure_seconds)} and uses {needs.images} images."
    )
    if needs.missing is not None and not needs.missing:
        yield "All of them are here: nothing is downloaded or built."
        return
    number = len(needs.missing) if needs.missing is not None else needs.images
    lead = "To be made" if needs.missing is not None else "If none of them is there"
    yield from wrap_text(
        f"{lead}: {number} images, {_format_minutes(needs.build_seconds)}, downloads of about "
        f"{format_size(needs.download)}, at most {format_size(needs.disk)} on the engine's disk."
    )
    if needs.missing:
        yield from wrap_text(", ".join(needs.missing), "  ")


def _format_minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes > 1 else "about a minute"


def diagnosis_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """The whole diagnosis."""
    return {
        "schema": SCHEMA,
        "can_run": diagnosis.can_run,
        "checks": [asdict(each) for each in diagnosis.findings],
        "needs": asdict(diagnosis.needs) if diagnosis.needs is not None else None,
    }
