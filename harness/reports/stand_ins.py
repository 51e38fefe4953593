"""What replaced a configuration's settings, in one paragraph.

It comes first in an answer, since the answer is about what was measured: a configuration whose
surroundings are not the user's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.adaptation.setting_kinds import (
    USER_DEFINED,
    SettingKind,
    Treatment,
    rule_of,
)
from harness.observations.run_folder import RunData
from harness.reports.plain_text import escape_markdown
from harness.reports.wrapping import wrap_text
from harness.tls import Service

#: Names that are listed for one group of settings; the rest is counted, and listed with -v.
MOST_NAMES = 4
#: Groups by what a setting's name contains; the first match counts.
_GROUPS = (
    ("milters", ("milter",)),
    ("SASL", ("sasl",)),
    ("content filters", ("content_filter", "proxy_filter")),
    ("restrictions", ("_restrictions",)),
    ("postscreen", ("postscreen",)),
    (
        "tables",
        (
            "_checks",
            "_maps",
            "alias",
            "_table",
            "_database",
            "_recipients",
            "_domains",
            "transport",
        ),
    ),
    ("delivery", ("mailbox", "mydestination", "myorigin", "_uid", "_gid", "mailer", "_command")),
    ("other hosts", ("relayhost", "_proxy", "dns", "host_lookup", "peername", "_rbl", "dnsbl")),
)
_OWN, _REST = "names of your own", "others"


@dataclass(frozen=True, slots=True)
class StandIns:
    """What differs between a configuration as it was given and as it was measured.

    ``replaced`` are its settings that are not applied as written (adaptation), ``base`` the lines
    that were added below a candidate of single lines, ``notes`` how the configuration was read.
    ``sends``: mail that Postfix sends was measured, too. ``keys`` are the kinds of the test's keys
    that were installed at the paths of the configuration's.
    """

    replaced: tuple[Mapping[str, str], ...] = ()
    base: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sends: bool = False
    keys: tuple[str, ...] = ()


def stand_ins_of(data: RunData, scenario: str) -> StandIns:
    """The stand-ins of a scenario of a run, over all its builds; each once."""
    instances = (data.instance(build, scenario) for build in data.run.axes.builds)
    sends = Service.OUTBOUND in data.run.axes.scope(scenario).services
    available = [instance for instance in instances if instance is not None]
    return replace(merge_stand_ins(available), sends=sends)


def merge_stand_ins(instances: Sequence[Mapping[str, Any]]) -> StandIns:
    """The stand-ins that some instances' evidence has (docs/run-folder.md), each once."""
    by_place: dict[tuple[str, ...], Mapping[str, str]] = {}
    for instance in instances:
        for record in instance.get("replaced") or ():
            replaced = {str(key): str(value) for key, value in record.items()}
            place = tuple(replaced.get(key, "") for key in ("where", "setting", "value"))
            by_place.setdefault(place, replaced)

    def lines(key: str) -> tuple[str, ...]:
        every = (str(line) for instance in instances for line in instance.get(key) or ())
        return tuple(dict.fromkeys(every))

    files = (instance.get("files") or {} for instance in instances)
    kinds = (str(kind) for by_path in files for kind in by_path.values())
    keys = tuple(dict.fromkeys(kind for kind in kinds if " key" in kind))
    return StandIns(tuple(by_place.values()), lines("base"), lines("notes"), keys=keys)


def stand_ins_text(stand_ins: StandIns, *, verbose: bool = False) -> list[str]:
    """The paragraph as lines of 80 columns; none where nothing was replaced or added.

    ``verbose``: each replacement below it, with its reason.
    """
    lines = [line for text in _stand_in_sentences(stand_ins) for line in wrap_text(text)]
    if verbose:
        for replacement in stand_ins.replaced:
            lines += wrap_text(_describe_replacement(replacement), "  ", "      ")
    elif stand_ins.replaced:
        lines += wrap_text("Each with its reason: --verbose.")
    return lines


def stand_ins_markdown(stand_ins: StandIns, *, verbose: bool = False) -> str:
    """The same as Markdown."""
    text = "\n\n".join(escape_markdown(sentence) for sentence in _stand_in_sentences(stand_ins))
    if verbose:
        items = [
            f"- {escape_markdown(_describe_replacement(entry))}" for entry in stand_ins.replaced
        ]
        text = "\n\n".join(part for part in (text, "\n".join(items)) if part)
    return text


def _describe_replacement(replacement: Mapping[str, str]) -> str:
    instead = replacement.get("instead", "") or "left out"
    return (
        f"{replacement.get('where', '')}: "
        f"{replacement.get('setting', '')} = {replacement.get('value', '')} "
        f"→ {instead}: {replacement.get('reason', '')}"
    )


def _stand_in_sentences(stand_ins: StandIns) -> Iterator[str]:
    for note in stand_ins.notes:
        yield f"{note[:1].upper()}{note[1:]}."
    if stand_ins.base:
        yield f"Only lines were given; they were added to a base: {'; '.join(stand_ins.base)}."
    if stand_ins.keys and not stand_ins.base:
        kinds = ", ".join(stand_ins.keys)
        yield (
            f"Keys and certificates are the test's ({kinds}): where the kind or size of yours "
            "decides, this answer does not know it."
        )
    machine = [
        replacement
        for replacement in stand_ins.replaced
        if replacement.get("kind") == SettingKind.MACHINE
    ]
    others = [
        replacement
        for replacement in stand_ins.replaced
        if replacement.get("kind") != SettingKind.MACHINE
    ]
    if others:
        yield _surroundings_sentence(others, sends=stand_ins.sends)
    if machine:
        settings = list(dict.fromkeys(replacement.get("setting", "") for replacement in machine))
        verb = "setting says" if len(settings) == 1 else "settings say"
        names = _list_names(settings)
        yield (
            f"{len(settings)} {verb} where things are on your machine; the build's values were "
            f"used: {names}."
        )


def _surroundings_sentence(replaced: Sequence[Mapping[str, str]], *, sends: bool) -> str:
    groups: dict[str, list[str]] = {}
    settings = list(dict.fromkeys(replacement.get("setting", "") for replacement in replaced))
    for setting in settings:
        groups.setdefault(_group_of(setting), []).append(setting)
    order = [*(name for name, _ in _GROUPS), _OWN, _REST]
    listed = "; ".join(f"{name} ({_list_names(groups[name])})" for name in order if name in groups)
    number = len(settings)
    need = (
        "setting of your configuration needs"
        if number == 1
        else ("settings of your configuration need")
    )
    return (
        f"{number} {need} things that are not here; stand-ins were used: {listed}. "
        f"{_tls_sentence(replaced, sends=sends)}"
    )


def _tls_sentence(replaced: Sequence[Mapping[str, str]], *, sends: bool) -> str:
    """Whether any of them may decide TLS: a table by destination or server name, for example."""
    settings = {replacement.get("setting", ""): replacement for replacement in replaced}
    about = [name for name, replacement in settings.items() if _may_decide_tls(name, replacement)]
    sending = [name for name in about if name.startswith(("smtp_", "lmtp_"))]
    receiving = [name for name in about if name not in sending]
    if receiving or (sending and sends):
        names = _list_names([*receiving, *(sending if sends else ())])
        return f"Of these {names} can decide TLS: the content of yours is not known here."
    if sending:
        return (
            f"None of them decides TLS for clients; {_list_names(sending)}: for mail that it sends."
        )
    return "None of them decides TLS." if len(settings) > 1 else "It decides no TLS."


def _may_decide_tls(setting: str, replacement: Mapping[str, str]) -> bool:
    """Whether a table that is not here may decide TLS: by server, client or destination.

    For example, smtpd_discard_ehlo_keyword_address_maps can remove STARTTLS from EHLO's reply. A
    table that was given, and has another type here, is known.
    """
    rule = rule_of(setting)
    decides = rule.kind is SettingKind.UNDER_TEST and rule.treatment is Treatment.TABLES
    decides = decides and "sasl" not in setting
    instead = replacement.get("instead", "")
    is_known = bool(instead) and "/etc/empty" not in instead
    return (decides or ("tls" in setting and "tlsrpt" not in setting)) and not is_known


def _group_of(setting: str) -> str:
    if rule_of(setting) is USER_DEFINED:
        return _OWN
    return next((name for name, parts in _GROUPS if any(p in setting for p in parts)), _REST)


def _list_names(settings: Sequence[str]) -> str:
    """``a, b, c and 3 more``, each once."""
    names = list(dict.fromkeys(settings))
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"
