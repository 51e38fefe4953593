"""What each line of a candidate does, in words and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.config.levels import service_levels
from harness.observations.rundir import RunData
from harness.reports.plain import plain
from harness.reports.words import sentence
from harness.verdicts.effects import cipher_of
from harness.verdicts.lines import Change, Compared, Explanation, LineEffect, Part

#: Changes that are shown for one line; the rest is counted.
MOST_CHANGES = 3


def explanation(data: RunData, found: Explanation) -> Iterator[str]:
    """The whole answer, a line of text at a time."""
    builds = [b for b in data.run.axes.builds if b in _measured(data, found.scenario)]
    services = _services(data, found)
    yield plain(f"{found.scenario}: {data.run.scenarios[found.scenario].title}")
    yield f"  held against {found.against}, on {_builds(builds)}"
    yield f"  services: {', '.join(services)}" if services else "  no service was measured"
    yield f"  as a whole: {_whole(found.whole)}"
    for effect in found.lines:
        yield ""
        yield from _line(effect, found, builds)
    unmeasured = [b for b in data.run.axes.builds if b not in builds]
    if unmeasured:
        yield ""
        yield f"not measured: {', '.join(unmeasured)}"


def table(data: RunData, found: Explanation) -> str:
    """Lines × services as a Markdown table; a service with how it does TLS."""
    services = list(data.run.axes.scope(found.scenario).services)
    levels = levels_of(data, found.scenario)
    head = ["line", *(_head(name, levels) for name in services)]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for effect in found.lines:
        cells = [_cell(effect, name) for name in services]
        rows.append("| " + " | ".join([f"`{effect.line.text}`", *cells]) + " |")
    return "\n".join(rows)


def _cell(effect: LineEffect, service: str) -> str:
    if effect.part is Part.UNMEASURED:
        return "?"
    if _on(effect.removed, service):
        return "acts"
    if _on(effect.alone, service):
        return "covered"
    return "no effect"


def _on(compared: Compared, service: str) -> list[Change]:
    return [one for one in compared.changes if one.spot[0] == service]


def _whole(whole: Compared) -> str:
    if whole.changes:
        return f"{_count(len(whole.changes), 'cell')} of {len(whole.changes) + whole.same} change"
    return f"no cell of {whole.same} changes" if whole.same else "not compared"


def _line(effect: LineEffect, found: Explanation, builds: Sequence[str]) -> Iterator[str]:
    yield plain(f"{effect.line.number}  {effect.line.text}")
    match effect.part:
        case Part.ACTS:
            yield f"   acts: without it {_where(effect.removed, builds)}"
            yield from _examples(effect.removed.changes)
            if effect.together:
                yield f"   only together with {_partners(effect)}: alone it changes nothing"
        case Part.COVERED:
            yield f"   covered by {_partners(effect)}: without it alone nothing changes"
            yield f"   alone it acts: {_where(effect.alone, builds)}"
        case Part.NONE:
            yield f"   no observable effect: {_none(effect)}"
            if hint := _hint(effect.line.name, found):
                yield f"   {hint}"
        case Part.UNMEASURED:
            yield f"   not measured: {_count(effect.removed.gaps, 'cell')} without a result"


def _none(effect: LineEffect) -> str:
    cells = effect.removed.same
    return f"the {_count(cells, 'cell')} are the same without it, and with it alone as without all"


def _hint(name: str, found: Explanation) -> str:
    """Whose parameter it is, where that is why nothing changes."""
    inbound = all(service != "outbound" for service in _spots(found))
    if inbound and name.startswith(("smtp_", "lmtp_")):
        client = name.partition("_")[0]
        return (
            f"{name} is a parameter of {client}(8), Postfix as a client: it can act on mail that "
            "this server sends, which these cells do not (service outbound)"
        )
    return ""


def _spots(found: Explanation) -> set[str]:
    return {
        change.spot[0]
        for effect in found.lines
        for change in (*effect.removed.changes, *effect.alone.changes)
    }


def _where(compared: Compared, builds: Sequence[str]) -> str:
    """``12 cells change: smtp TLSv1; on all 4 builds``."""
    by_service: dict[str, dict[str, None]] = {}
    for one in compared.changes:
        by_service.setdefault(one.spot[0], {})[one.spot[2]] = None
    places = "; ".join(f"{name} {', '.join(offers)}" for name, offers in by_service.items())
    changed = dict.fromkeys(one.build for one in compared.changes)
    where = _builds(builds) if len(changed) == len(builds) else f"on {', '.join(changed)} only"
    return f"{_count(len(compared.changes), 'cell')} change: {places}; {where}"


def _examples(changes: Sequence[Change]) -> Iterator[str]:
    shown: dict[str, str] = {}
    for one in changes:
        service, client, offer = one.spot
        text = f"{_said(one, with_it=True)}; without it {_said(one, with_it=False)}"
        shown.setdefault(f"{service} {text}", f"   {service}, {client}, {offer}: {text}")
    for line in list(shown.values())[:MOST_CHANGES]:
        yield plain(f"  {line}")


def _said(change: Change, *, with_it: bool) -> str:
    seen = change.with_it if with_it else change.without_it
    cipher = cipher_of(seen)
    return sentence(seen) + (f", {cipher}" if cipher and "cipher" in change.names else "")


def _partners(effect: LineEffect) -> str:
    if not effect.partners:
        return "others, which pairs do not show"
    numbers = ", ".join(map(str, effect.partners))
    return f"line {numbers}" if len(effect.partners) == 1 else f"lines {numbers}"


def _builds(builds: Sequence[str]) -> str:
    return f"{builds[0]} alone" if len(builds) == 1 else f"all {len(builds)} builds"


def _services(data: RunData, found: Explanation) -> list[str]:
    levels = levels_of(data, found.scenario)
    return [_head(name, levels) for name in data.run.axes.scope(found.scenario).services]


def _head(service: str, levels: Mapping[str, str]) -> str:
    return f"{service} ({levels[service]})" if service in levels else service


def levels_of(data: RunData, scenario: str) -> dict[str, str]:
    """How each service does TLS, where all builds say the same."""
    told: dict[str, set[str]] = {}
    for build in data.run.axes.builds:
        instance = data.instance(build, scenario)
        if instance is None:
            continue
        levels = service_levels(
            str(instance.get("main.cf", "")),
            str(instance.get("master.cf", "")),
            [str(line) for line in instance.get("added", ())],
        )
        for service, level in levels.items():
            told.setdefault(str(service), set()).add(level)
    return {service: " or ".join(sorted(found)) for service, found in told.items()}


def _measured(data: RunData, scenario: str) -> set[str]:
    return {one.build for one in data.observations if one.scenario == scenario}


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
