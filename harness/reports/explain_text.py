"""What each line of a candidate does, in words and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.observations.record import Outcome
from harness.observations.run_folder import RunData
from harness.reports.labels import sentence
from harness.reports.plain_text import plain
from harness.reports.service_labels import service_labels
from harness.reports.stand_ins import stand_ins_of, stand_ins_text
from harness.reports.wrapping import wrapped
from harness.verdicts.line_effects import (
    Change,
    Compared,
    Explanation,
    LineEffect,
    LinePart,
)
from harness.verdicts.observation_diff import cipher_of

#: Changes that are shown for one line; the rest is counted.
MOST_CHANGES = 3


def explanation(data: RunData, found: Explanation, *, verbose: bool = False) -> Iterator[str]:
    """The whole answer, a line of text at a time, none wider than a terminal of 80 columns."""
    if told := stand_ins_text(stand_ins_of(data, found.scenario), verbose=verbose):
        yield from told
        yield ""
    builds = [b for b in data.run.axes.builds if b in _measured(data, found.scenario)]
    services = ", ".join(_services(data, found))
    yield from wrapped(f"{found.scenario}: {data.run.scenarios[found.scenario].title}")
    held = f"held against {found.against}" if found.against else "a whole configuration"
    yield from wrapped(f"{held}, on {_builds(builds)}", "  ")
    yield from wrapped(f"services: {services}" if services else "no service was measured", "  ")
    if found.whole is not None:
        yield f"  as a whole: {_whole(found.whole)}"
    apart = (LinePart.LEFT_OUT,) if found.against else (LinePart.LEFT_OUT, LinePart.NONE)
    for effect in found.lines:
        if effect.part not in apart:
            yield ""
            yield from (line for text in _line(effect, found, builds) for line in _folded(text))
    yield from _together(found, apart)
    unmeasured = [b for b in data.run.axes.builds if b not in builds]
    if unmeasured:
        yield ""
        yield from wrapped(f"not measured: {', '.join(unmeasured)}")


def _folded(text: str) -> list[str]:
    """A line wrapped below where it begins."""
    indent = text[: len(text) - len(text.lstrip())]
    return wrapped(text, "", f"{indent}  ") if text.strip() else [text]


def _together(found: Explanation, apart: Sequence[LinePart]) -> Iterator[str]:
    """The lines that are told in a paragraph: those of no effect, and those left out, by why."""
    if LinePart.NONE in apart:
        idle = [one for one in found.lines if one.part is LinePart.NONE]
        if idle:
            cells = max(one.removed.same for one in idle)
            yield ""
            yield from wrapped(
                f"No observable effect ({_count(len(idle), 'line')}; the {_count(cells, 'cell')} "
                f"are the same without each): {_names_of(idle)}"
            )
    reasons: dict[str, list[LineEffect]] = {}
    for one in found.lines:
        if one.part is LinePart.LEFT_OUT:
            reasons.setdefault(one.left_out, []).append(one)
    if reasons:
        yield ""
        told = "; ".join(f"{_names_of(lines)} ({why})" for why, lines in reasons.items())
        count = sum(map(len, reasons.values()))
        yield from wrapped(
            f"Left out ({_count(count, 'line')}), since they cannot bear on what is asked: {told}."
        )


def _names_of(effects: Sequence[LineEffect]) -> str:
    return ", ".join(dict.fromkeys(_name_of(one) for one in effects))


def _name_of(effect: LineEffect) -> str:
    """The parameter, an option's with its entry."""
    line = effect.line
    return line.name if line.entry is None else f"{line.name} under {line.entry}"


def table(data: RunData, found: Explanation) -> str:
    """Lines × services as a Markdown table; a service with how it does TLS."""
    services = list(data.run.axes.scope(found.scenario).services)
    head = ["line", *(label.text for label in service_labels(data, found.scenario).values())]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for effect in found.lines:
        cells = [_cell(effect, name) for name in services]
        rows.append("| " + " | ".join([f"`{effect.line.text}`", *cells]) + " |")
    return "\n".join(rows)


def _cell(effect: LineEffect, service: str) -> str:
    if effect.part in (LinePart.UNMEASURED, LinePart.LEFT_OUT):
        return "?" if effect.part is LinePart.UNMEASURED else "left out"
    if _on(effect.removed, service):
        return "acts"
    if effect.alone is not None and _on(effect.alone, service):
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
        case LinePart.ACTS:
            yield f"   acts: without it {_where(effect.removed, builds)}"
            yield from _examples(effect.removed.changes)
            if effect.needs_partner:
                yield f"   only together with {_partners(effect)}: alone it changes nothing"
        case LinePart.COVERED:
            yield f"   covered by {_partners(effect)}: without it alone nothing changes"
            if effect.alone is not None:
                yield f"   alone it acts: {_where(effect.alone, builds)}"
        case LinePart.NONE:
            yield f"   no observable effect: {_none(effect)}"
            if hint := _hint(effect.line.name, found):
                yield f"   {hint}"
        case LinePart.UNMEASURED:
            yield f"   not measured: {_unmeasured(effect.removed)}"


def _none(effect: LineEffect) -> str:
    cells = effect.removed.same
    if effect.alone is None:
        return f"the {_count(cells, 'cell')} are the same without it"
    return f"the {_count(cells, 'cell')} are the same without it, and with it alone as without all"


def _unmeasured(removed: Compared) -> str:
    """Why nothing is known of a line."""
    parts = []
    if removed.unmeasured or not removed.unsteady:
        parts.append(f"{_count(removed.unmeasured, 'cell')} without a result")
    if removed.unsteady:
        parts.append(
            f"{_count(removed.unsteady, 'cell')} changed once, and not when measured again"
        )
    return "; ".join(parts)


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
        for change in (*effect.removed.changes, *(effect.alone.changes if effect.alone else ()))
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
    # What went through with the line says more than one refusal in the place of another.
    telling = sorted(changes, key=lambda one: one.with_it.outcome is not Outcome.ACCEPTED)
    for one in telling:
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
    return [label.text for label in service_labels(data, found.scenario).values()]


def _measured(data: RunData, scenario: str) -> set[str]:
    return {one.build for one in data.observations if one.scenario == scenario}


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
