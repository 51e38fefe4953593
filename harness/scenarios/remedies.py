"""A candidate with a remedy: lines that may make it meet a policy, and options that prevent it.

A line of main.cf has no effect on a service whose entry in master.cf sets the same parameter with
an option (master(5), ``-o name=value``), so such an option is removed together with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from harness.postfix_config.logical_lines import end_line
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    MasterEntry,
    parse_master_cf,
)
from harness.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Override:
    """An option of an entry that overrides main.cf; ``line`` is its line in master.cf, from 1."""

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
    return frozenset(parse_main_cf("".join(map(end_line, lines))).values)


def find_overrides(
    master_cf: str, services: Collection[str], parameters: Collection[str]
) -> tuple[Override, ...]:
    """The options of some services' entries that set some parameters, in the file's order.

    Args:
        master_cf: a master.cf's text.
        services: the services, by their registered names or by the names of their entries.
        parameters: the parameters that no option must set.
    """
    return tuple(
        Override(
            entry.name,
            argument.name,
            argument.value,
            entry.line + entry.text[: argument.start].count("\n"),
        )
        for entry in parse_master_cf(master_cf).entries
        if _is_of(entry, services)
        for argument in entry.arguments
        if argument.name in parameters
    )


def _is_of(entry: MasterEntry, services: Collection[str]) -> bool:
    if entry.type != "inet":
        return False
    return entry.name in services or (entry.service is not None and str(entry.service) in services)


def apply_remedy(
    candidate: Scenario, lines: Sequence[str], services: Collection[str], name: str
) -> Scenario:
    """The candidate with lines that replace those of main.cf that set the same parameters.

    The options of the services' entries that set the same parameters are left out.
    """
    parameters = parameters_of(lines)
    kept = [s.text for s in parse_main_cf(candidate.main_cf).settings if s.name not in parameters]
    main = "".join(map(end_line, kept)) + "".join(map(end_line, lines))
    master = candidate.master_cf
    if find_overrides(master, services, parameters):
        entries = parse_master_cf(master).entries
        master = "".join(
            end_line(_remove_options(entry, services, parameters)) for entry in entries
        )
    title = "the candidate with the remedy"
    return replace(candidate, id=name, title=title, main_cf=main, master_cf=master)


def _remove_options(
    entry: MasterEntry, services: Collection[str], parameters: Collection[str]
) -> str:
    """An entry's text without its options that set some parameters."""
    text = entry.text
    if not _is_of(entry, services):
        return text
    removed = [argument for argument in entry.arguments if argument.name in parameters]
    for option in sorted(removed, key=lambda argument: argument.start, reverse=True):
        text = text[: option.start].rstrip(" \t") + text[option.end :]
    return "\n".join(line for line in text.split("\n") if line.strip()) + "\n"
