"""What a run could not measure, and why: errors of the harness, and what was unavailable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.catalog.cells import is_control
from harness.counts import format_count
from harness.observations.record import Outcome
from harness.observations.run_folder import RunData
from harness.observations.run_json import Missing, UnavailableCategory
from harness.plain_text import escape_controls
from harness.reports.evidence_command import evidence_command
from harness.reports.labels import REASONS, build_note

_TITLES = {
    UnavailableCategory.DOES_NOT_BUILD: "does not build",
    UnavailableCategory.SOURCE: "no source",
    UnavailableCategory.IMAGE: "image does not keep the contract",
    UnavailableCategory.OTHER: "for other reasons",
}
#: As :class:`harness.errors.HarnessError` writes it.
_NEXT_STEP = "next step:"
_FETCH = "name a mirror that has it (--mirror), or your own source (--source RELEASE=PATH)"


@dataclass(frozen=True, slots=True)
class UnavailableGroup:
    """Builds, clients and controls that were unavailable for the same kind of reason.

    ``advice`` is what to do, each step once; empty where there is nothing to do: a pair that does
    not build is a finding.
    """

    title: str
    entries: tuple[Missing, ...]
    advice: tuple[str, ...]


def describe_problems(data: RunData) -> str:
    """What went wrong, in a line or two, to explain exit code 3; empty where nothing did.

    One line counts the error cells, control cells included, with the most frequent reason and an
    example; one counts the flaky cells of a merged run; one line per group names the builds,
    clients and controls that were unavailable.
    """
    return "\n".join([*_error_lines(data), *_flaky_lines(data), *_unavailable_lines(data)])


def group_unavailable(missing: Iterable[Missing]) -> tuple[UnavailableGroup, ...]:
    """The groups that are not empty, findings first; an unknown category counts as ``other``."""
    known = list(UnavailableCategory)
    by_category: dict[UnavailableCategory, list[Missing]] = {category: [] for category in known}
    for entry in missing:
        is_known = entry.category in known
        category = UnavailableCategory(entry.category) if is_known else UnavailableCategory.OTHER
        by_category[category].append(entry)
    return tuple(
        UnavailableGroup(_TITLES[category], tuple(entries), _collect_advice(category, entries))
        for category, entries in by_category.items()
        if entries
    )


def first_line(why: str) -> str:
    """The first line that is not empty, without the colon of a list that follows it."""
    line = next((line.strip() for line in why.splitlines() if line.strip()), "")
    return line.removesuffix(":")


def brief_reason(entry: Missing) -> str:
    """The first line of the reason, without what the group's title already says."""
    line = first_line(entry.why)
    if entry.category == UnavailableCategory.DOES_NOT_BUILD:
        title = _TITLES[UnavailableCategory.DOES_NOT_BUILD]
        line = line.removeprefix(f"{entry.name} ").removeprefix(f"{title}: ")
    return line or "no reason was recorded"


def missing_configurations(data: RunData) -> tuple[str, ...]:
    """What the run folder does not have of the Postfix instances that cells were measured on."""
    places = dict.fromkeys(
        (cell.build, cell.scenario) for cell in data.observations if not is_control(cell.build)
    )
    instances = [data.instance(*place) for place in places]
    kept = [instance for instance in instances if instance is not None]
    lost = len(instances) - len(kept)
    # An instance of an earlier version does not have the key, and was kept after its check.
    unchecked = sum(instance.get("checked") is False for instance in kept)
    sentences = []
    every = format_count(len(instances), "Postfix instance")
    if lost:
        sentences.append(
            f"the configuration of {lost} of {every} is not in the "
            "run folder: a stopped run of an earlier version kept none, or the file is lost"
        )
    if unchecked:
        sentences.append(
            f"'postfix check' did not run for {unchecked} of {every}: "
            "it follows an instance's last cell"
        )
    return tuple(sentences)


def _error_lines(data: RunData) -> Iterator[str]:
    errors = [cell for cell in data.observations if cell.outcome is Outcome.ERROR]
    if not errors:
        return
    controls = sum(is_control(cell.build) for cell in errors)
    among = f" ({controls} of them control cells)" if controls else ""
    (reason, times), *_ = Counter(cell.reason for cell in errors).most_common(1)
    example = next(cell for cell in errors if cell.reason == reason)
    note = build_note(data.run.images.get(example.build))
    often = "" if times == len(errors) else f" in {times} of them"
    number = "1 cell" if len(errors) == 1 else f"{len(errors)} cells"
    yield escape_controls(
        f"{number}{among} ended in an error of the harness, which is no result: "
        f"{_describe_reason(reason)}{often}; see '{evidence_command(data.folder, example.cell)}'"
        + (f" ({note})" if note else "")
    )


def _flaky_lines(data: RunData) -> Iterator[str]:
    flaky = data.run.flaky
    if flaky:
        number = "1 cell is" if len(flaky) == 1 else f"{len(flaky)} cells are"
        yield escape_controls(
            f"{number} flaky: the runs that were merged have different results, such as for "
            f"{flaky[0]}; the last one counts, and observations.jsonl has all"
        )


def _describe_reason(reason: str | None) -> str:
    if reason is None:
        return "no reason was recorded"
    return REASONS.get(reason, ("", reason))[1]


def _unavailable_lines(data: RunData) -> Iterator[str]:
    """One line per group, with the first line of each reason; matrix.md and the page have all."""
    for group in group_unavailable(data.run.missing):
        entries = ", ".join(f"{e.kind} {e.name} ({brief_reason(e)})" for e in group.entries)
        steps = "".join(f"; next step: {step}" for step in group.advice)
        yield escape_controls(f"unavailable, {group.title}: {entries}{steps}")


def _collect_advice(category: UnavailableCategory, entries: Iterable[Missing]) -> tuple[str, ...]:
    if category is UnavailableCategory.DOES_NOT_BUILD:
        return ()
    steps = dict.fromkeys(step for entry in entries for step in _next_steps(entry.why))
    return tuple(steps) or ((_FETCH,) if category is UnavailableCategory.SOURCE else ())


def _next_steps(why: str) -> list[str]:
    lines = (line.strip() for line in why.splitlines())
    return [line.removeprefix(_NEXT_STEP).strip() for line in lines if line.startswith(_NEXT_STEP)]
