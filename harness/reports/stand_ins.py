"""What was put in the place of a configuration's own settings, in one paragraph. Pure.

It stands at the top of an answer, since the answer is about what was measured: a configuration
whose surroundings are not the user's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.config.setting_kinds import SettingKind
from harness.observations.rundir import RunData
from harness.reports.plain import markdown
from harness.reports.wrapping import wrapped

#: Names that are told of one group of settings; the rest is counted, and listed with -v.
MOST_NAMES = 4
#: Groups by what a setting's name has in it, the first that fits.
_GROUPS = (
    ("milters", ("milter",)),
    ("SASL", ("sasl",)),
    ("content filters", ("content_filter", "proxy_filter")),
    ("restrictions", ("_restrictions", "_checks")),
    ("tables", ("_maps", "alias", "_table", "_database", "_recipients", "_domains", "transport")),
    ("other hosts", ("relayhost", "_proxy", "dns", "host_lookup", "peername", "_rbl", "dnsbl")),
)
_REST = "others"


@dataclass(frozen=True, slots=True)
class StandIns:
    """What differs between a configuration as it was given and as it was measured.

    ``replaced`` are its settings that are not applied as written (config.replacement), ``base`` the
    lines that were laid below a candidate of single lines, ``notes`` what is to be said of how it
    was read.
    """

    replaced: tuple[Mapping[str, str], ...] = ()
    base: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def stand_ins_of(data: RunData, scenario: str) -> StandIns:
    """Those of a scenario of a run, over all its builds; each once."""
    instances = (data.instance(build, scenario) for build in data.run.axes.builds)
    return united([one for one in instances if one is not None])


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

    return StandIns(tuple(found.values()), lines("base"), lines("notes"))


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
        yield f"Read: {note}"
    if found.base:
        yield f"Only lines were given; they were laid over a base: {'; '.join(found.base)}."
    machine = [one for one in found.replaced if one.get("kind") == SettingKind.MACHINE]
    others = [one for one in found.replaced if one.get("kind") != SettingKind.MACHINE]
    if others:
        yield _of_surroundings(others)
    if machine:
        names = _names([one.get("setting", "") for one in machine])
        verb = "setting says" if len(machine) == 1 else "settings say"
        yield (
            f"{len(machine)} {verb} where things are on your machine; the build's own were used: "
            f"{names}."
        )


def _of_surroundings(replaced: Sequence[Mapping[str, str]]) -> str:
    groups: dict[str, list[str]] = {}
    for one in replaced:
        groups.setdefault(_group(one.get("setting", "")), []).append(one.get("setting", ""))
    order = [*(name for name, _ in _GROUPS), _REST]
    told = "; ".join(f"{name} ({_names(groups[name])})" for name in order if name in groups)
    number = len(replaced)
    settings = (
        "setting of your configuration needs"
        if number == 1
        else "settings of your configuration need"
    )
    return (
        f"{number} {settings} things that are not here; stand-ins were used: {told}. "
        f"{_of_tls(replaced)}"
    )


def _of_tls(replaced: Sequence[Mapping[str, str]]) -> str:
    """That none decides TLS, or which may: a table by destination or server name, say."""
    about = list(dict.fromkeys(s for one in replaced if "tls" in (s := one.get("setting", ""))))
    if not about:
        return "None of them decides TLS." if len(replaced) > 1 else "It decides no TLS."
    return f"Of these {_names(about)} can decide TLS: what yours say is not known here."


def _group(setting: str) -> str:
    return next((name for name, parts in _GROUPS if any(p in setting for p in parts)), _REST)


def _names(settings: Sequence[str]) -> str:
    """``a, b, c and 3 more``, each once."""
    names = list(dict.fromkeys(settings))
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"
