"""What was put in the place of a configuration's own settings, in one paragraph. Pure.

It stands at the top of an answer, since the answer is about what was measured: a configuration
whose surroundings are not the user's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.adaptation.setting_kinds import (
    USERS_OWN,
    SettingKind,
    Treatment,
    rule_of,
)
from harness.observations.run_folder import RunData
from harness.reports.plain_text import markdown
from harness.reports.wrapping import wrapped
from harness.tls import Service

#: Names that are told of one group of settings; the rest is counted, and listed with -v.
MOST_NAMES = 4
#: Groups by what a setting's name has in it, the first that fits.
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

    ``replaced`` are its settings that are not applied as written (config.replacement), ``base`` the
    lines that were laid below a candidate of single lines, ``notes`` what is to be said of how it
    was read. ``sends``: what is measured is mail that Postfix sends, too. ``keys`` are the kinds of
    the test's own keys, which lie at the paths of the configuration's.
    """

    replaced: tuple[Mapping[str, str], ...] = ()
    base: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sends: bool = False
    keys: tuple[str, ...] = ()


def stand_ins_of(data: RunData, scenario: str) -> StandIns:
    """Those of a scenario of a run, over all its builds; each once."""
    instances = (data.instance(build, scenario) for build in data.run.axes.builds)
    sends = Service.OUTBOUND in data.run.axes.scope(scenario).services
    return replace(united([one for one in instances if one is not None]), sends=sends)


def united(instances: Sequence[Mapping[str, Any]]) -> StandIns:
    """Those that some instances' evidence has (docs/run-folder.md), each once."""
    found: dict[tuple[str, ...], Mapping[str, str]] = {}
    for instance in instances:
        for one in instance.get("replaced") or ():
            replaced = {str(key): str(value) for key, value in one.items()}
            place = tuple(replaced.get(key, "") for key in ("where", "setting", "value"))
            found.setdefault(place, replaced)

    def lines(key: str) -> tuple[str, ...]:
        every = (str(line) for one in instances for line in one.get(key) or ())
        return tuple(dict.fromkeys(every))

    kinds = (str(kind) for one in instances for kind in (one.get("files") or {}).values())
    keys = tuple(dict.fromkeys(kind for kind in kinds if " key" in kind))
    return StandIns(tuple(found.values()), lines("base"), lines("notes"), keys=keys)


def stand_ins_text(found: StandIns, *, verbose: bool = False) -> list[str]:
    """The paragraph as lines of 80 columns; none where nothing was replaced or added.

    ``verbose``: each replacement below it, with its reason.
    """
    lines = [line for text in _sentences(found) for line in wrapped(text)]
    if verbose:
        for one in found.replaced:
            lines += wrapped(_in_full(one), "  ", "      ")
    elif found.replaced:
        lines += wrapped("Each with its reason: --verbose.")
    return lines


def stand_ins_markdown(found: StandIns, *, verbose: bool = False) -> str:
    """The same as Markdown."""
    text = "\n\n".join(markdown(one) for one in _sentences(found))
    if verbose:
        items = [f"- {markdown(_in_full(one))}" for one in found.replaced]
        text = "\n\n".join(part for part in (text, "\n".join(items)) if part)
    return text


def _in_full(one: Mapping[str, str]) -> str:
    instead = one.get("instead", "") or "left out"
    return (
        f"{one.get('where', '')}: {one.get('setting', '')} = {one.get('value', '')} "
        f"→ {instead}: {one.get('reason', '')}"
    )


def _sentences(found: StandIns) -> Iterator[str]:
    for note in found.notes:
        yield f"{note[:1].upper()}{note[1:]}."
    if found.base:
        yield f"Only lines were given; they were laid over a base: {'; '.join(found.base)}."
    if found.keys and not found.base:
        kinds = ", ".join(found.keys)
        yield (
            f"Keys and certificates are the test's own ({kinds}): where the kind or size of yours "
            "decides, this answer does not know it."
        )
    machine = [one for one in found.replaced if one.get("kind") == SettingKind.MACHINE]
    others = [one for one in found.replaced if one.get("kind") != SettingKind.MACHINE]
    if others:
        yield _of_surroundings(others, sends=found.sends)
    if machine:
        settings = list(dict.fromkeys(one.get("setting", "") for one in machine))
        verb = "setting says" if len(settings) == 1 else "settings say"
        names = _names(settings)
        yield (
            f"{len(settings)} {verb} where things are on your machine; the build's own were used: "
            f"{names}."
        )


def _of_surroundings(replaced: Sequence[Mapping[str, str]], *, sends: bool) -> str:
    groups: dict[str, list[str]] = {}
    settings = list(dict.fromkeys(one.get("setting", "") for one in replaced))
    for setting in settings:
        groups.setdefault(_group(setting), []).append(setting)
    order = [*(name for name, _ in _GROUPS), _OWN, _REST]
    told = "; ".join(f"{name} ({_names(groups[name])})" for name in order if name in groups)
    number = len(settings)
    need = (
        "setting of your configuration needs"
        if number == 1
        else ("settings of your configuration need")
    )
    return (
        f"{number} {need} things that are not here; stand-ins were used: {told}. "
        f"{_of_tls(replaced, sends=sends)}"
    )


def _of_tls(replaced: Sequence[Mapping[str, str]], *, sends: bool) -> str:
    """That none decides TLS, or which may: a table by destination or server name, say."""
    settings = {one.get("setting", ""): one for one in replaced}
    about = [name for name, one in settings.items() if _may_decide_tls(name, one)]
    sending = [one for one in about if one.startswith(("smtp_", "lmtp_"))]
    receiving = [one for one in about if one not in sending]
    if receiving or (sending and sends):
        names = _names([*receiving, *(sending if sends else ())])
        return f"Of these {names} can decide TLS: what yours say is not known here."
    if sending:
        return f"None of them decides TLS for clients; {_names(sending)}: for mail that it sends."
    return "None of them decides TLS." if len(settings) > 1 else "It decides no TLS."


def _may_decide_tls(setting: str, one: Mapping[str, str]) -> bool:
    """Whether a table that is not here may decide TLS: by server, client or destination.

    STARTTLS can be left out of EHLO's answer by smtpd_discard_ehlo_keyword_address_maps, say. A
    table that was given, and goes by another type here, is known.
    """
    rule = rule_of(setting)
    decides = rule.kind is SettingKind.UNDER_TEST and rule.treatment is Treatment.TABLES
    decides = decides and "sasl" not in setting
    instead = one.get("instead", "")
    is_known = bool(instead) and "/etc/empty" not in instead
    return (decides or ("tls" in setting and "tlsrpt" not in setting)) and not is_known


def _group(setting: str) -> str:
    if rule_of(setting) is USERS_OWN:
        return _OWN
    return next((name for name, parts in _GROUPS if any(p in setting for p in parts)), _REST)


def _names(settings: Sequence[str]) -> str:
    """``a, b, c and 3 more``, each once."""
    names = list(dict.fromkeys(settings))
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"
