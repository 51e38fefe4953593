"""A candidate with what may bring it to meet a policy, and what stands in a remedy's way. Pure.

A line of main.cf changes nothing for a service whose entry in master.cf sets the same parameter by
an option of its own (master(5), ``-o name=value``), so such an option is taken out with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from harness.postfix_config.logical_lines import ended
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    MasterEntry,
    parse_master_cf,
)
from harness.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Override:
    """An option of an entry that counts over main.cf; ``line`` is its line in master.cf, from 1."""

    entry: str
    name: str
    value: str
    line: int

    @property
    def text(self) -> str:
        """``-o smtpd_tls_mandatory_protocols=!SSLv2 under submission (line 14 of master.cf)``."""
        return f"-o {self.name}={self.value} under {self.entry} (line {self.line} of master.cf)"


def parameters_of(lines: Iterable[str]) -> frozenset[str]:
    """The parameters that lines of main.cf set."""
    return frozenset(parse_main_cf("".join(map(ended, lines))).values)


def overrides(
    master_cf: str, services: Collection[str], parameters: Collection[str]
) -> tuple[Override, ...]:
    """The options of some services' entries that set some parameters, in the file's order.

    Args:
        master_cf: a master.cf's text.
        services: the services, by our names or by their entries' own.
        parameters: what must not be set by an option.
    """
    return tuple(
        Override(entry.name, one.name, one.value, entry.line + entry.text[: one.start].count("\n"))
        for entry in parse_master_cf(master_cf).entries
        if _is_of(entry, services)
        for one in entry.arguments
        if one.name in parameters
    )


def _is_of(entry: MasterEntry, services: Collection[str]) -> bool:
    if entry.type != "inet":
        return False
    return entry.name in services or (entry.service is not None and str(entry.service) in services)


def remedied(
    candidate: Scenario, lines: Sequence[str], services: Collection[str], name: str
) -> Scenario:
    """The candidate with lines in place of those of main.cf that set the same.

    The options of the services' entries that set the same too are left out.
    """
    parameters = parameters_of(lines)
    kept = [s.text for s in parse_main_cf(candidate.main_cf).settings if s.name not in parameters]
    main = "".join(map(ended, kept)) + "".join(map(ended, lines))
    master = candidate.master_cf
    if overrides(master, services, parameters):
        entries = parse_master_cf(master).entries
        master = "".join(ended(_freed(entry, services, parameters)) for entry in entries)
    title = "the candidate with what to change"
    return replace(candidate, id=name, title=title, main_cf=main, master_cf=master)


def _freed(entry: MasterEntry, services: Collection[str], parameters: Collection[str]) -> str:
    """An entry's text without its options that set some parameters."""
    text = entry.text
    if not _is_of(entry, services):
        return text
    gone = [one for one in entry.arguments if one.name in parameters]
    for one in sorted(gone, key=lambda argument: argument.start, reverse=True):
        text = text[: one.start].rstrip(" \t") + text[one.end :]
    return "\n".join(line for line in text.split("\n") if line.strip()) + "\n"
