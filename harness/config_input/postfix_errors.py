"""The errors that Postfix will report for lines that are passed on to it unchanged."""

from __future__ import annotations

from collections.abc import Iterable

from harness.config_input.line_kinds import (
    Part,
    PartKind,
    ReadText,
)
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    FIELDS,
    MasterEntry,
    parse_entry,
)

#: At most so many of Postfix's errors are noted for one text; Postfix stops at the first.
_MOST_ERRORS = 5
#: The names that master(8) gives the fields when one is missing (master_ent.c).
_MASTER_FIELDS = (
    *("service name", "transport type", "private", "unprivileged", "chroot"),
    *("wakeup_time", "max_proc", "command"),
)


def describe_errors(texts: Iterable[ReadText]) -> list[str]:
    """Notes of the errors that Postfix will report for lines that are passed on unchanged."""
    notes: list[str] = []
    for read in texts:
        lines = [(part.line, error) for part in read.parts if (error := _find_error(part))]
        notes += [
            f'{read.given.name} line {line}: Postfix will say "{error}"'
            for line, error in lines[:_MOST_ERRORS]
        ]
        if (further := len(lines) - _MOST_ERRORS) > 0:
            notes.append(f"{read.given.name}: and similar errors for {further} further lines")
    return notes


def _find_error(part: Part) -> str:
    if part.kind is PartKind.MAIN or (part.kind is PartKind.STRAY and part.inside):
        return main_cf_error(part.text)
    return master_cf_error(parse_entry(part.text)) if part.kind is PartKind.MASTER else ""


def main_cf_error(text: str) -> str:
    """The error of split_nameval(3) for a logical line of main.cf; "" where it accepts it."""
    setting = parse_main_cf(text).settings[:1]
    if not setting or setting[0].name:
        return ""
    begins_with_equals = text.lstrip().startswith("=")
    return "missing attribute name" if begins_with_equals else "missing '=' after attribute name"


def master_cf_error(entry: MasterEntry) -> str:
    """The error of master(8) for an entry that is too short; "" where it has all fields."""
    if len(entry.fields) >= FIELDS:
        return ""
    return f'missing "{_MASTER_FIELDS[len(entry.fields)]}" field'
