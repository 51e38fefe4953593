"""A candidate without one of its lines, and with one alone: what shows which line does what. Pure.

A line is a setting of main.cf, or one ``-o`` option of an entry of master.cf. An entry's own fields
stay: without its options it is an entry still.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.postfix_config.logical_lines import ended
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


class LineKind(StrEnum):
    """How a variant comes of its scenario."""

    WITHOUT = "without"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a candidate, as it is told: ``smtpd_tls_protocols = !TLSv1``.

    ``entry`` is the master.cf service that an option stands under, None for main.cf. ``name`` is
    the parameter. ``number`` counts the candidate's lines from 1.
    """

    number: int
    name: str
    value: str
    entry: str | None = None

    @property
    def text(self) -> str:
        """As it is written, an option with where it stands."""
        if self.entry is None:
            return f"{self.name} = {self.value}".rstrip()
        return f"-o {self.name}={self.value} under {self.entry}"


def lines_of(scenario: Scenario) -> tuple[Line, ...]:
    """The candidate's lines in order: main.cf's settings, then the options of master.cf's entries.

    Of several settings of one name in main.cf, the last alone counts, so only it is a line.
    """
    main = parse_main_cf(scenario.main_cf)
    void = {setting.line for setting in main.overridden}
    found: list[tuple[str, str, str | None]] = [
        (s.name, s.value, None) for s in main.settings if s.name and s.line not in void
    ]
    for entry in parse_master_cf(scenario.master_cf).entries:
        found += [(a.name, a.value, entry.name) for a in entry.arguments if a.name]
    return tuple(Line(n, *parts) for n, parts in enumerate(found, start=1))


def without(scenario: Scenario, numbers: Iterable[int]) -> Scenario:
    """The scenario without some lines."""
    return _keeping(scenario, {line.number for line in lines_of(scenario)} - set(numbers))


def only(scenario: Scenario, control: Scenario, numbers: Sequence[int]) -> Scenario:
    """The control configuration with some lines of the scenario.

    Options are laid below those that the control's entry has, for the entry is not theirs.
    """
    alone = _keeping(scenario, set(numbers))
    return replace(
        alone,
        main_cf=ended(control.main_cf) + alone.main_cf,
        master_cf=_joined(control, _with_options(alone.master_cf)),
        overlay=Overlay.MERGE if alone.master_cf else control.overlay,
    )


def variant(
    scenario: Scenario, control: Scenario, kind: LineKind, numbers: Sequence[int]
) -> Scenario:
    """A scenario of its own, ``answer-1-protocols--without-3``, that expects nothing.

    It is measured with what its scenario is measured with.
    """
    made = only(scenario, control, numbers) if kind is LineKind.ONLY else without(scenario, numbers)
    texts = [line.text for line in lines_of(scenario) if line.number in numbers]
    return replace(
        made,
        id=f"{scenario.id}--{kind}-{'-'.join(map(str, numbers))}",
        title=f"{scenario.id} {kind} {'; '.join(texts)}",
        claims=replace(scenario.claims, applies=Where(), expectations=()),
    )


def likeness(scenario: Scenario) -> str:
    """Equal for scenarios whose effective settings are the same, however they are written."""
    values = {name: " ".join(text.split()) for name, text in _main(scenario).items()}
    entries = [
        (entry.key, entry.fields[2:], [(a.name, a.value) for a in entry.arguments])
        for entry in parse_master_cf(scenario.master_cf).entries
        if entry.arguments or scenario.overlay is not Overlay.MERGE
    ]
    overlay = scenario.overlay.value if entries else None
    content = json.dumps([sorted(values.items()), entries, overlay])
    return hashlib.sha256(content.encode()).hexdigest()


def _main(scenario: Scenario) -> dict[str, str]:
    return parse_main_cf(scenario.main_cf).values


def _keeping(scenario: Scenario, numbers: set[int]) -> Scenario:
    """The scenario with these lines alone; entries stay."""
    lines = iter(lines_of(scenario))
    main = parse_main_cf(scenario.main_cf)
    void = {setting.line for setting in main.overridden}
    kept = []
    for setting in main.settings:
        counts = bool(setting.name) and setting.line not in void
        if not counts or next(lines).number in numbers:
            kept.append(ended(setting.text))
    master = []
    for entry in parse_master_cf(scenario.master_cf).entries:
        gone = [a for a in entry.arguments if a.name and next(lines).number not in numbers]
        master.append(ended(_cut(entry, gone)))
    return replace(scenario, main_cf="".join(kept), master_cf="".join(master))


def _cut(entry: MasterEntry, gone: Sequence[Argument]) -> str:
    """An entry's text without some of its arguments."""
    text = entry.text
    for argument in sorted(gone, key=lambda one: one.start, reverse=True):
        text = text[: argument.start].rstrip(" \t") + text[argument.end :]
    kept = [line for line in text.split("\n") if line.strip()]
    return "\n".join(kept) + "\n"


def _with_options(master_cf: str) -> str:
    """The entries that have an option or another argument left."""
    entries = parse_master_cf(master_cf).entries
    return "".join(e.text for e in entries if e.arguments and len(e.fields) == FIELDS)


def _joined(control: Scenario, options: str) -> str:
    """The control's own entries with the options below; it has none in the usual case."""
    if not control.master_cf:
        return options
    entries = {entry.key: entry for entry in parse_master_cf(control.master_cf).entries}
    for addition in parse_master_cf(options).entries:
        below = "".join(
            f"  {addition.text[a.start : a.end]}\n" for a in addition.arguments if a.name
        )
        base = entries.get(addition.key)
        text = ended(base.text) + below if base else addition.text
        entries[addition.key] = parse_entry(text)
    return "".join(ended(entry.text) for entry in entries.values())
