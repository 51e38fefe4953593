"""Variants of a candidate, without some lines or with some lines only, to find each line's effect.

A line is a setting of main.cf, or one ``-o`` option of an entry of master.cf. The fields of an
entry stay: without its options it is still an entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.postfix_config.logical_lines import end_line
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    FIELDS,
    Argument,
    MasterEntry,
    parse_entry,
    parse_master_cf,
)
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.expectations import Where
from harness.scenarios.scenario import Scenario


class VariantKind(StrEnum):
    """How a variant is made from its scenario."""

    WITHOUT = "without"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a candidate, such as ``smtpd_tls_protocols = !TLSv1``.

    ``entry`` is the master.cf entry to which an option belongs, None for main.cf. ``name`` is the
    parameter. ``number`` counts the candidate's lines from 1.
    """

    number: int
    name: str
    value: str
    entry: str | None = None

    @property
    def text(self) -> str:
        """The line as written; an option with its entry."""
        if self.entry is None:
            return f"{self.name} = {self.value}".rstrip()
        return f"-o {self.name}={self.value} under {self.entry}"


def lines_of(scenario: Scenario) -> tuple[Line, ...]:
    """The candidate's lines in order: main.cf's settings, then the options of master.cf's entries.

    Of several settings of one name in main.cf only the last is in effect, so only it is a line.
    """
    main = parse_main_cf(scenario.main_cf)
    void = {setting.line for setting in main.overridden}
    lines: list[tuple[str, str, str | None]] = [
        (s.name, s.value, None) for s in main.settings if s.name and s.line not in void
    ]
    for entry in parse_master_cf(scenario.master_cf).entries:
        lines += [(a.name, a.value, entry.name) for a in entry.arguments if a.name]
    return tuple(Line(n, *parts) for n, parts in enumerate(lines, start=1))


def without_lines(scenario: Scenario, numbers: Iterable[int]) -> Scenario:
    """The scenario without some lines."""
    return _keep_lines(scenario, {line.number for line in lines_of(scenario)} - set(numbers))


def only_lines(scenario: Scenario, baseline: Scenario, numbers: Sequence[int]) -> Scenario:
    """The baseline configuration with some lines of the scenario.

    Options are added to those of the baseline's entry, which itself does not change.
    """
    alone = _keep_lines(scenario, set(numbers))
    return replace(
        alone,
        main_cf=end_line(baseline.main_cf) + alone.main_cf,
        master_cf=_merge_options(baseline, _entries_with_options(alone.master_cf)),
        overlay=Overlay.MERGE if alone.master_cf else baseline.overlay,
    )


def make_variant(
    scenario: Scenario, baseline: Scenario, kind: VariantKind, numbers: Sequence[int]
) -> Scenario:
    """A variant as a scenario without expectations: ``answer-1-protocols--without-3``.

    It is measured with the same services, clients and offers as the original scenario.
    """
    made = (
        only_lines(scenario, baseline, numbers)
        if kind is VariantKind.ONLY
        else without_lines(scenario, numbers)
    )
    texts = [line.text for line in lines_of(scenario) if line.number in numbers]
    return replace(
        made,
        id=f"{scenario.id}--{kind}-{'-'.join(map(str, numbers))}",
        title=f"{scenario.id} {kind} {'; '.join(texts)}",
        claims=replace(scenario.claims, applies=Where(), expectations=()),
    )


def settings_digest(scenario: Scenario) -> str:
    """A digest that is equal for scenarios with the same effective settings."""
    values = {name: " ".join(text.split()) for name, text in _main_cf_values(scenario).items()}
    entries = [
        (entry.key, entry.fields[2:], [(a.name, a.value) for a in entry.arguments])
        for entry in parse_master_cf(scenario.master_cf).entries
        if entry.arguments or scenario.overlay is not Overlay.MERGE
    ]
    overlay = scenario.overlay.value if entries else None
    content = json.dumps([sorted(values.items()), entries, overlay])
    return hashlib.sha256(content.encode()).hexdigest()


def _main_cf_values(scenario: Scenario) -> dict[str, str]:
    return parse_main_cf(scenario.main_cf).values


def _keep_lines(scenario: Scenario, numbers: set[int]) -> Scenario:
    """The scenario with only these lines; entries stay."""
    lines = iter(lines_of(scenario))
    main = parse_main_cf(scenario.main_cf)
    void = {setting.line for setting in main.overridden}
    kept = []
    for setting in main.settings:
        counts = bool(setting.name) and setting.line not in void
        if not counts or next(lines).number in numbers:
            kept.append(end_line(setting.text))
    master = []
    for entry in parse_master_cf(scenario.master_cf).entries:
        removed = [a for a in entry.arguments if a.name and next(lines).number not in numbers]
        master.append(end_line(_remove_arguments(entry, removed)))
    return replace(scenario, main_cf="".join(kept), master_cf="".join(master))


def _remove_arguments(entry: MasterEntry, removed: Sequence[Argument]) -> str:
    """An entry's text without some of its arguments."""
    text = entry.text
    for argument in sorted(
        removed, key=lambda removed_argument: removed_argument.start, reverse=True
    ):
        text = text[: argument.start].rstrip(" \t") + text[argument.end :]
    kept = [line for line in text.split("\n") if line.strip()]
    return "\n".join(kept) + "\n"


def _entries_with_options(master_cf: str) -> str:
    """The entries that still have an option or another argument."""
    entries = parse_master_cf(master_cf).entries
    return "".join(e.text for e in entries if e.arguments and len(e.fields) == FIELDS)


def _merge_options(baseline: Scenario, options: str) -> str:
    """The baseline's entries with the options added to them; usually the baseline has none."""
    if not baseline.master_cf:
        return options
    entries = {entry.key: entry for entry in parse_master_cf(baseline.master_cf).entries}
    for addition in parse_master_cf(options).entries:
        below = "".join(
            f"  {addition.text[a.start : a.end]}\n" for a in addition.arguments if a.name
        )
        base = entries.get(addition.key)
        text = end_line(base.text) + below if base else addition.text
        entries[addition.key] = parse_entry(text)
    return "".join(end_line(entry.text) for entry in entries.values())
