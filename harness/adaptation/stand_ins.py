"""Adapt a configuration so that it runs without its own machine and surroundings.

Settings that decide TLS, authentication and the services stay as written. Those that name a place
on the user's machine are left to the build; those that need another system get a stand-in that
behaves like a healthy one. ``settings.toml`` has the rule for each parameter, and every change is
listed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from harness.adaptation.replacement import Replacement
from harness.adaptation.setting_kinds import (
    SettingKind,
    SettingRule,
    Treatment,
    rule_of,
)
from harness.catalog.versions import Version
from harness.postfix_config.logical_lines import (
    end_line,
    split_chunks,
)
from harness.postfix_config.lookup_tables import (
    TableContext,
    TableUse,
    replace_database,
    replace_tables,
)
from harness.postfix_config.main_cf import (
    parse_main_cf,
    read_setting,
)
from harness.postfix_config.master_cf import (
    FIELDS,
    Argument,
    MasterCf,
    MasterEntry,
    parse_entry,
)
from harness.postfix_config.ports import listening_places

#: An empty owner is an error of the configuration on any machine, and Postfix reports it. An empty
#: directory is one that an installer fills in (postfix-install(1)).
_OWNERS = frozenset({"default_privs", "mail_owner", "setgid_group"})
#: The forms of the values of machine parameters, by patterns of the parameters' names.
_FORMS = (
    (re.compile(r".*_(?:limit|loglevel)"), re.compile(r"\d+")),
    (re.compile(r".*_(?:time|delay|timeout)"), re.compile(r"\d+[smhdw]?")),
    (re.compile(r"inet_protocols"), re.compile(r"(?:(?:all|ipv4|ipv6)[\s,]*)+")),
)
#: Parameters that must not be empty: if the file they name is unavailable, they are left out too.
_NEVER_EMPTY = frozenset({"myorigin"})
#: Authentication to other servers, and its table of passwords. Without the table smtp(8) dies on
#: any machine ("specify a password table", smtp_sasl_glue.c), so then the setting stays.
_PASSWORDS_FOR = {
    "smtp_sasl_auth_enable": "smtp_sasl_password_maps",
    "lmtp_sasl_auth_enable": "lmtp_sasl_password_maps",
}
#: The release that has postlogd(8) and sockets of the type unix-dgram (RELEASE_NOTES of 3.4).
_POSTLOG_SINCE = Version.parse("3.4")
_CHROOT_FIELD = 4

_ON_THE_MACHINE = "a client on the same machine connects there; here it is one of the network"
_OF_THE_NETWORKS = "only clients of mynetworks are served there; the test's client is one of them"
_MACHINE, _SURROUNDINGS = SettingKind.MACHINE, SettingKind.SURROUNDINGS


@dataclass(frozen=True, slots=True)
class StandInContext:
    """What the stand-ins in one container depend on.

    ``directory`` is the instance's folder; ``types`` are the build's table types; ``files`` the
    paths of files that came with the configuration; ``whole``: the candidate has all of master.cf.
    """

    mail_version: str
    directory: str
    types: Collection[str]
    files: Collection[str]
    whole: bool = False


@dataclass(slots=True)
class _Changes:
    """The replacements so far, in the order of the files, and the given tables in use."""

    context: TableContext
    use: TableUse = field(default_factory=TableUse)
    replaced: list[Replacement] = field(default_factory=list)

    def add_replacement(
        self, where: str, setting: str, value: str, instead: str, rule: tuple[SettingKind, str]
    ) -> None:
        self.replaced.append(Replacement(where, setting, value, instead, *rule))


@dataclass(frozen=True, slots=True)
class Adapted:
    """A configuration that can run in a container, and everything that was changed for that."""

    main_cf: str
    master: MasterCf
    replaced: tuple[Replacement, ...]
    tables: TableUse


def adapt_configuration(
    main_cf: str, master: MasterCf, candidate_entries: MasterCf, context: StandInContext
) -> Adapted:
    """Replace what a configuration needs, and a container does not have, by stand-ins.

    Args:
        main_cf: the candidate's main.cf.
        master: the entries in effect, including the build's unless the candidate is whole.
        candidate_entries: the candidate's entries.
        context: the build's properties, and the files that came with the configuration.
    """
    tables = TableContext(
        types=context.types,
        files=context.files,
        main=parse_main_cf(main_cf).values,
        directory=f"{context.directory}/etc",
    )
    changes = _Changes(tables)
    text = "".join(
        _adapt_setting(chunk.text, changes) if chunk.logical else chunk.text
        for chunk in split_chunks(main_cf, Path("main.cf"))
    )
    adapted = _adapt_master(master, candidate_entries, context, changes)
    return Adapted(text, adapted, tuple(changes.replaced), changes.use)


def _adapt_setting(text: str, changes: _Changes) -> str:
    """Adapt one logical line of main.cf; "" where it is left out."""
    setting = read_setting(text, 1)
    if not setting.name:
        return text
    value = _adapt_value("main.cf", setting.name, setting.value, changes)
    if value is None:
        return ""
    return text if value == setting.value else f"{setting.name} = {value}".rstrip() + "\n"


def _adapt_value(where: str, name: str, value: str, changes: _Changes) -> str | None:
    """The value that is in effect for a setting; None where the setting is left out."""
    rule = rule_of(name)
    if rule.treatment is Treatment.KEEP:
        return value
    adapted = _apply_rule(rule, name, value, changes)
    if adapted != value:
        changes.add_replacement(
            where, name, value, adapted or "", (_kind_of_change(rule), rule.reason)
        )
    return adapted


def _apply_rule(rule: SettingRule, name: str, value: str, changes: _Changes) -> str | None:
    if rule.treatment in (Treatment.DROP, Treatment.SASL):
        if not _is_readable(name, value):
            return value
        is_missing_owner = not value and name in _OWNERS
        is_off = not value and rule.kind is _SURROUNDINGS
        is_kept_login = _is_kept_login(name, value, changes)
        return value if is_missing_owner or is_off or is_kept_login else None
    if rule.treatment is Treatment.DATABASE:
        return replace_database(value, changes.context.types)
    adapted = replace_tables(name, value, changes.context, changes.use)
    return None if name in _NEVER_EMPTY and value and not adapted.strip() else adapted


def _is_kept_login(name: str, value: str, changes: _Changes) -> bool:
    """Whether a setting enables authentication to other servers, and is off or has no passwords."""
    passwords = _PASSWORDS_FOR.get(name)
    if passwords is None:
        return False
    return value == "no" or not changes.context.main.get(passwords)


def _is_readable(name: str, value: str) -> bool:
    """Whether Postfix can read a value; one that it cannot read is kept, for Postfix to refuse.

    postconf(5) has the forms: a number, a time with its unit, names of protocols. A value that
    refers to other settings is left to Postfix.
    """
    form = next((form for names, form in _FORMS if names.fullmatch(name)), None)
    return form is None or not value or "$" in value or bool(form.fullmatch(value.strip()))


def _kind_of_change(rule: SettingRule) -> SettingKind:
    """The kind of a change: in parameters under test, only tables and daemons are replaced."""
    return _SURROUNDINGS if rule.kind is SettingKind.UNDER_TEST else rule.kind


def _adapt_master(
    master: MasterCf, candidate_entries: MasterCf, context: StandInContext, changes: _Changes
) -> MasterCf:
    """Adapt the candidate's entries, and its options that were merged into the build's entries.

    The build's entries and options stay as they are.
    """
    of_candidate = {entry.text for entry in candidate_entries.entries}
    merged: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for entry in candidate_entries.entries:
        merged.setdefault(entry.key, set()).update(_options_of(entry))
    places = listening_places(master, changes.context.main.get("inet_interfaces", ""))
    loopback = {at for at, place in places.items() if place.loopback}
    pieces: list[MasterEntry | str] = []
    for at, piece in enumerate(master.pieces):
        if not isinstance(piece, MasterEntry):
            pieces.append(piece)
        elif context.whole and _is_unknown_type(piece, context, changes):
            continue
        elif piece.text in of_candidate or end_line(piece.text) in of_candidate or context.whole:
            pieces.append(_adapt_entry(piece, context, changes, loopback=at in loopback))
        elif piece.key in merged:
            pieces.append(_adapt_options(piece, changes, merged[piece.key]))
        else:
            pieces.append(piece)
    return MasterCf(tuple(pieces))


def _is_unknown_type(entry: MasterEntry, context: StandInContext, changes: _Changes) -> bool:
    """Whether an entry is of postlogd(8), which this release does not have."""
    if entry.type != "unix-dgram" or Version.parse(context.mail_version) >= _POSTLOG_SINCE:
        return False
    reason = "the log goes to the harness, and this release has no postlogd(8)"
    changes.add_replacement(f"master.cf: {entry.name}", "entry", entry.type, "", (_MACHINE, reason))
    return True


def _adapt_entry(
    entry: MasterEntry, context: StandInContext, changes: _Changes, *, loopback: bool
) -> MasterEntry:
    where = f"master.cf: {entry.name}"
    entry = _adapt_options(entry, changes, _options_of(entry))
    if context.whole:
        entry = _without_chroot(entry, where, changes)
    reason = _ON_THE_MACHINE if loopback else _OF_THE_NETWORKS
    if loopback or _serves_only_mynetworks(entry):
        changes.add_replacement(where, "mynetworks", "", "0.0.0.0/0", (_SURROUNDINGS, reason))
        entry = parse_entry(f"{end_line(entry.text)}  -o mynetworks=0.0.0.0/0\n", entry.line)
    return entry


def _serves_only_mynetworks(entry: MasterEntry) -> bool:
    """Whether an entry serves only clients of mynetworks, and none that authenticates."""
    lists = (
        re.split(r"[\s,]+", value.strip())
        for name, value in entry.options.items()
        if name.startswith("smtpd_") and name.endswith("_restrictions")
    )
    return any(
        "permit_sasl_authenticated" not in elements
        and "reject" in elements
        and "permit_mynetworks" in elements[: elements.index("reject")]
        for elements in lists
    )


def _options_of(entry: MasterEntry) -> set[tuple[str, str]]:
    """Name and value of each option, including those that a later one overrides."""
    return {(argument.name, argument.value) for argument in entry.arguments if argument.name}


def _adapt_options(
    entry: MasterEntry, changes: _Changes, of_candidate: Collection[tuple[str, str]]
) -> MasterEntry:
    """Adapt those options of the entry that come from the candidate, by name and value."""
    where = f"master.cf: {entry.name}"
    for argument in reversed(entry.arguments):
        if argument.name and (argument.name, argument.value) in of_candidate:
            entry = _adapt_option(entry, argument, where, changes)
    return entry


def _adapt_option(
    entry: MasterEntry, argument: Argument, where: str, changes: _Changes
) -> MasterEntry:
    value = _adapt_value(where, argument.name, argument.value, changes)
    if value == argument.value:
        return entry
    if value is not None:
        return set_option(entry, argument, value)
    text = entry.text[: argument.start].rstrip(" \t") + entry.text[argument.end :]
    text = "\n".join(line for line in text.split("\n") if line.strip()) + "\n"
    return parse_entry(text, entry.line)


def set_option(entry: MasterEntry, argument: Argument, value: str) -> MasterEntry:
    """The entry with another value for one of its options; one with a space needs braces."""
    option = f"{argument.name}={value}"
    if " " in value:
        option = f"{{ {argument.name} = {value} }}"
    before, after = entry.text[: argument.start], entry.text[argument.end :]
    return parse_entry(f"{before}-o {option}{after}", entry.line)


def _without_chroot(entry: MasterEntry, where: str, changes: _Changes) -> MasterEntry:
    """The entry without chroot: the files that a chroot has to hold are on the user's machine."""
    if len(entry.fields) < FIELDS or entry.fields[_CHROOT_FIELD] == "n":
        return entry
    if entry.fields[_CHROOT_FIELD] == "y":
        reason = "the content of a chroot is prepared on the user's machine"
        changes.add_replacement(where, "chroot", "y", "n", (_MACHINE, reason))
    fields = [*entry.fields[:_CHROOT_FIELD], "n", *entry.fields[_CHROOT_FIELD + 1 :]]
    end = entry.arguments[0].start if entry.arguments else len(entry.text.rstrip("\n"))
    head = entry.text[:end]
    kept = head[len(head.rstrip(" \t\n")) :] if entry.arguments else ""
    return parse_entry(" ".join(fields) + kept + entry.text[end:], entry.line)


def set_last(main_cf: str, name: str, value: str) -> str:
    """A main.cf that sets a parameter exactly once, at its end."""
    pieces = split_chunks(main_cf, Path("main.cf"))
    kept = [c.text for c in pieces if not c.logical or read_setting(c.text, 1).name != name]
    return end_line("".join(kept)) + f"{name} = {value}\n"
