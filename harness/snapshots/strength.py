"""Mutants of a candidate: each TLS setting weakened in one way, to see what a snapshot catches.

A check that stays green whatever is weakened guards nothing. The mutations are those that people
make: a lost ``!``, a version that is dropped from a list, a level one step down, a misspelt name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.postfix_config.logical_lines import end_line
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import MasterEntry, parse_entry, parse_master_cf
from harness.scenarios.scenario import Scenario
from harness.scenarios.variants import Line, lines_of
from harness.snapshots.findings import DIFFERENCES, UNPROVED, CellFinding, Finding
from harness.snapshots.values import CellPlace
from harness.tls import Protocol, Service

#: Suffix of a mutant's id.
MUTANT = "--mutant"
_TLS_SETTING = re.compile(r"(?:smtpd?|lmtp|tlsproxy|postscreen)_.*tls|tls_")
#: Settings that only say where files lie, how much is logged, or how long something is kept.
_NO_RULE = re.compile(r".*_(?:file|path|loglevel|log_level|timeout|database|chain_files|dir)$")
#: From strong to weak, by the parameter's name (postconf(5)).
_STEPS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (
        re.compile(r"smtp_tls_security_level|lmtp_tls_security_level"),
        ("dane-only", "secure", "verify", "fingerprint", "encrypt", "dane", "may", "none"),
    ),
    (re.compile(r".*tls_security_level"), ("encrypt", "may", "none")),
    (re.compile(r".*tls_(?:mandatory_)?ciphers"), ("high", "medium", "low", "export", "null")),
    (re.compile(r"smtpd_tls_eecdh_grade"), ("ultra", "strong", "none")),
    (
        re.compile(
            r"smtpd_tls_(?:auth_only|wrappermode|req_ccert|ask_ccert)"
            r"|smtpd?_(?:enforce|use)_tls|tls_preempt_cipherlist|smtp_tls_enforce_peername"
        ),
        ("yes", "no"),
    ),
)
_LIST = re.compile(r".*(?:protocols|exclude_ciphers)$")
_BOUND = re.compile(r"(>=|<=)(.+)")


class MutationKind(StrEnum):
    """How a setting is weakened."""

    LOST_BANG = "lost !"
    DROPPED = "dropped"
    STEP_DOWN = "one step down"
    MISSPELT = "misspelt name"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to weaken a line: another name, or another value. ``what`` says it in short."""

    line: Line
    kind: MutationKind
    name: str
    value: str
    what: str


@dataclass(frozen=True, slots=True)
class MutantResult:
    """A mutant, and the recorded cells that it changes; ``why``: why it changes none."""

    mutation: Mutation
    changed: tuple[CellPlace, ...] = ()
    why: str = ""

    @property
    def is_guarded(self) -> bool:
        """Whether a check with the snapshot is red for it."""
        return bool(self.changed)


def find_mutations(scenario: Scenario) -> tuple[Mutation, ...]:
    """Every mutation of a candidate's TLS settings, in the order of its lines."""
    return tuple(
        mutation
        for line in lines_of(scenario)
        if _TLS_SETTING.match(line.name) and not _NO_RULE.match(line.name)
        for mutation in _mutate_line(line)
    )


def make_mutant(scenario: Scenario, mutation: Mutation, number: int) -> Scenario:
    """The candidate with one weakened setting, under an id of its own."""
    line = mutation.line
    if line.entry is None:
        settings = parse_main_cf(scenario.main_cf).settings
        in_effect = {setting.name: setting.line for setting in settings}[line.name]
        texts = [
            f"{mutation.name} = {mutation.value}\n" if s.line == in_effect else s.text
            for s in settings
        ]
        changed = replace(scenario, main_cf="".join(map(end_line, texts)))
    else:
        changed = replace(scenario, master_cf=_mutate_option(scenario, mutation))
    title = f"{scenario.id} with {mutation.what}"
    return replace(changed, id=f"{scenario.id}{MUTANT}-{number}", title=title)


def judge_mutant(
    mutation: Mutation, cells: Iterable[CellFinding], services: Collection[str]
) -> MutantResult:
    """What a snapshot catches of a mutant.

    Args:
        mutation: how the candidate was weakened.
        cells: the findings of a check of the mutant, whose differences were measured again.
        services: those of the cells that were measured.
    """
    cells = list(cells)
    changed = tuple(cell.place for cell in cells if cell.finding in (*DIFFERENCES, Finding.STALE))
    if changed:
        return MutantResult(mutation, changed)
    return MutantResult(mutation, (), _explain_unguarded(mutation, cells, services))


def _explain_unguarded(
    mutation: Mutation, cells: Sequence[CellFinding], services: Collection[str]
) -> str:
    sends = mutation.line.name.startswith(("smtp_", "lmtp_"))
    if sends and str(Service.OUTBOUND) not in services:
        return "no outbound cell"
    if not sends and set(services) <= {str(Service.OUTBOUND)}:
        return "only outbound cells"
    if any(cell.finding in UNPROVED for cell in cells):
        return "changed a cell once, which did not repeat"
    compared = any(cell.finding in (Finding.SAME, Finding.KNOWN) for cell in cells)
    return "changes no recorded cell" if compared else "no cell could be measured"


def _mutate_line(line: Line) -> Iterator[Mutation]:
    if _LIST.match(line.name):
        yield from _mutate_list(line)
    for pattern, steps in _STEPS:
        if pattern.fullmatch(line.name):
            value = line.value.strip().lower()
            if value in steps and value != steps[-1]:
                lower = steps[steps.index(value) + 1]
                what = f"{line.name} = {lower}"
                yield Mutation(line, MutationKind.STEP_DOWN, line.name, lower, what)
            break
    misspelt = _misspell_name(line.name)
    yield Mutation(line, MutationKind.MISSPELT, misspelt, line.value, f"{misspelt} for {line.name}")


def _mutate_list(line: Line) -> Iterator[Mutation]:
    """A list item by item: without its ``!``, without it, and a bound one version older."""
    parts = re.split(r"([\s,:]+)", line.value.strip())
    items = parts[::2]
    for number, item in enumerate(items):
        if item.startswith("!"):
            value = _replace_item(parts, number, item[1:])
            what = f"{line.name} with {item[1:]} for {item}"
            yield Mutation(line, MutationKind.LOST_BANG, line.name, value, what)
        if bound := _BOUND.fullmatch(item):
            yield from _mutate_bound(line, parts, number, bound)
        elif item:
            kept = [other for at, other in enumerate(items) if at != number]
            what = f"{line.name} without {item}"
            yield Mutation(line, MutationKind.DROPPED, line.name, ", ".join(kept), what)


def _mutate_bound(
    line: Line, parts: list[str], number: int, bound: re.Match[str]
) -> Iterator[Mutation]:
    names = [str(protocol) for protocol in Protocol]
    if bound[2] not in names or not names.index(bound[2]) > 0:
        return
    older = f"{bound[1]}{names[names.index(bound[2]) - 1]}"
    value = _replace_item(parts, number, older)
    what = f"{line.name} with {older} for {bound[0]}"
    yield Mutation(line, MutationKind.STEP_DOWN, line.name, value, what)


def _replace_item(parts: list[str], number: int, item: str) -> str:
    return "".join([*parts[: 2 * number], item, *parts[2 * number + 1 :]])


def _misspell_name(name: str) -> str:
    """A name without its last letter but one: ``smtpd_tls_protocos``."""
    return name[:-2] + name[-1:]


def _mutate_option(scenario: Scenario, mutation: Mutation) -> str:
    """master.cf with the mutated option; options are found by their numbers among all lines."""
    numbers = iter([line.number for line in lines_of(scenario) if line.entry is not None])
    texts = []
    for entry in parse_master_cf(scenario.master_cf).entries:
        chosen = [
            argument
            for argument in entry.arguments
            if argument.name and next(numbers) == mutation.line.number
        ]
        for argument in chosen:
            new = f"-o {{ {mutation.name} = {mutation.value} }}"
            if not re.search(r"\s", mutation.value):
                new = f"-o {mutation.name}={mutation.value}"
            entry = _with_text(entry, argument.start, argument.end, new)
        texts.append(end_line(entry.text))
    return "".join(texts)


def _with_text(entry: MasterEntry, start: int, end: int, text: str) -> MasterEntry:
    return parse_entry(entry.text[:start] + text + entry.text[end:], entry.line)
