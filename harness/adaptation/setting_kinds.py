"""Which of Postfix's parameters are under test, which belong to the machine, which to surroundings.

A whole configuration refers to a machine (where its daemons are, who owns the queue) and to
surroundings (tables, milters, SASL daemons, other hosts) that a build's container does not have.
``settings.toml`` states for each parameter of postconf(5) its kind, its treatment, and why.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources


class SettingKind(StrEnum):
    """What a parameter affects.

    ``under-test``: it decides TLS, the level, SASL, which services exist, or what a client sees up
    to and including AUTH. ``machine``: where things are, who owns them, how the build logs and is
    limited. ``surroundings``: other systems and tables.
    """

    UNDER_TEST = "under-test"
    MACHINE = "machine"
    SURROUNDINGS = "surroundings"


class Treatment(StrEnum):
    """What is done with a candidate's value of a parameter.

    ``keep``: applied as written. ``drop``: left out; the build's default, or the harness's value,
    is in effect. ``tables``: kept, but each lookup table, file and policy service that it names is
    replaced by a stand-in unless it was given. ``database``: kept, but the database gets a path
    and a type that the build has. ``sasl``: replaced by the run's Dovecot.
    """

    KEEP = "keep"
    DROP = "drop"
    TABLES = "tables"
    DATABASE = "database"
    SASL = "sasl"


@dataclass(frozen=True, slots=True)
class SettingRule:
    """The rule for one parameter; ``reason`` is one sentence with its source."""

    kind: SettingKind
    treatment: Treatment
    reason: str


@dataclass(frozen=True, slots=True)
class SettingGroup:
    """An entry of settings.toml: one rule, and the names and globs to which it applies.

    Globs use only ``*``: ``*_destination_recipient_limit``.
    """

    rule: SettingRule
    names: tuple[str, ...]


#: A name that Postfix does not know: a macro, a restriction class, or a transport's limit.
USER_DEFINED = SettingRule(
    SettingKind.SURROUNDINGS,
    Treatment.TABLES,
    "the configuration's own name, such as a restriction class (postconf(5), $name expansion)",
)


def rule_of(name: str) -> SettingRule:
    """The rule for a parameter; :data:`USER_DEFINED` where postconf(5) has no such name."""
    return _rules_by_name().get(deciding_name(name) or "", USER_DEFINED)


def deciding_name(name: str) -> str | None:
    """The name in the table that applies to a parameter: the same name, or the first glob.

    None: there is no such name, so the user defined it.
    """
    rules = _rules_by_name()
    if name in rules:
        return name
    return next((entry for entry in rules if "*" in entry and fnmatchcase(name, entry)), None)


@cache
def setting_groups() -> tuple[SettingGroup, ...]:
    """The table, in the file's order."""
    text = resources.files(__package__).joinpath("settings.toml").read_text("utf-8")
    return tuple(
        SettingGroup(
            SettingRule(SettingKind(group["kind"]), Treatment(group["treatment"]), group["reason"]),
            tuple(group["names"]),
        )
        for group in tomllib.loads(text)["settings"]
    )


@cache
def _rules_by_name() -> dict[str, SettingRule]:
    """The rule of each exact name and each glob, in the order in which globs are tried."""
    return {name: group.rule for group in setting_groups() for name in group.names}
