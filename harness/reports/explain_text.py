"""What each line of a candidate does, as text and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.counts import format_count
from harness.observations.record import Outcome
from harness.observations.run_folder import RunData
from harness.plain_text import escape_controls
from harness.reports.labels import describe_result
from harness.reports.service_labels import service_labels
from harness.reports.stand_ins import stand_ins_of, stand_ins_text
from harness.reports.wrapping import wrap_text
from harness.verdicts.line_effects import (
    Change,
    Compared,
    Explanation,
    LineEffect,
    LinePart,
)
from harness.verdicts.observation_diff import cipher_of

#: Changes that are shown for one line; further ones are counted.
MOST_CHANGES = 3


def explanation_lines(
    data: RunData, effects: Explanation, *, verbose: bool = False
) -> Iterator[str]:
    """The whole answer, one line of text at a time, none wider than a terminal of 80 columns."""
    if stand_ins := stand_ins_text(stand_ins_of(data, effects.scenario), verbose=verbose):
        yield from stand_ins
        yield ""
    builds = [b for b in data.run.axes.builds if b in _measured_builds(data, effects.scenario)]
    services = ", ".join(_service_texts(data, effects))
    yield from wrap_text(f"{effects.scenario}: {data.run.scenarios[effects.scenario].title}")
    against = f"compared with {effects.against}" if effects.against else "a whole configuration"
    yield from wrap_text(f"{against}, on {_describe_builds(builds)}", "  ")
    yield from wrap_text(f"services: {services}" if services else "no service was measured", "  ")
    if effects.whole is not None:
        yield f"  as a whole: {_describe_whole(effects.whole)}"
    grouped = (LinePart.LEFT_OUT,) if effects.against else (LinePart.LEFT_OUT, LinePart.NONE)
    for effect in effects.lines:
        if effect.part not in grouped:
            yield ""
            for text in _describe_line(effect, effects, builds):
                yield from _wrap_line(text)
    yield from _grouped_lines(effects, grouped)
    unmeasured = [b for b in data.run.axes.builds if b not in builds]
    if unmeasured:
        yield ""
        yield from wrap_text(f"not measured: {', '.join(unmeasured)}")


def _wrap_line(text: str) -> list[str]:
    """A line, wrap_text with the indent at which it begins."""
    indent = text[: len(text) - len(text.lstrip())]
    return wrap_text(text, "", f"{indent}  ") if text.strip() else [text]


def _grouped_lines(explanation: Explanation, grouped: Sequence[LinePart]) -> Iterator[str]:
    """The lines that share a paragraph: those without effect, and those left out, by reason."""
    if LinePart.NONE in grouped:
        idle = [effect for effect in explanation.lines if effect.part is LinePart.NONE]
        if idle:
            cells = max(effect.removed.same for effect in idle)
            yield ""
            yield from wrap_text(
                f"No observable effect ({format_count(len(idle), 'line')}; the "
                f"{format_count(cells, 'cell')} are the same without each): {_join_names(idle)}"
            )
    reasons: dict[str, list[LineEffect]] = {}
    for effect in explanation.lines:
        if effect.part is LinePart.LEFT_OUT:
            reasons.setdefault(effect.left_out, []).append(effect)
    if reasons:
        yield ""
        names = "; ".join(f"{_join_names(lines)} ({why})" for why, lines in reasons.items())
        count = format_count(sum(map(len, reasons.values())), "line")
        yield from wrap_text(f"Left out ({count}), since they cannot affect the results: {names}.")


def _join_names(effects: Sequence[LineEffect]) -> str:
    return ", ".join(dict.fromkeys(_qualified_name(effect) for effect in effects))


def _qualified_name(effect: LineEffect) -> str:
    """The parameter; for an option, with its entry."""
    line = effect.line
    return line.name if line.entry is None else f"{line.name} under {line.entry}"


def explanation_table(data: RunData, explanation: Explanation) -> str:
    """Lines × services as a Markdown table; each service with how it does TLS."""
    services = list(data.run.axes.scope(explanation.scenario).services)
    head = ["line", *(label.text for label in service_labels(data, explanation.scenario).values())]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for effect in explanation.lines:
        cells = [_effect_on_service(effect, name) for name in services]
        rows.append("| " + " | ".join([f"`{effect.line.text}`", *cells]) + " |")
    return "\n".join(rows)


def _effect_on_service(effect: LineEffect, service: str) -> str:
    if effect.part in (LinePart.UNMEASURED, LinePart.LEFT_OUT):
        return "?" if effect.part is LinePart.UNMEASURED else "left out"
    if _changes_on(effect.removed, service):
        return "acts"
    if effect.alone is not None and _changes_on(effect.alone, service):
        return "covered"
    return "no effect"


def _changes_on(compared: Compared, service: str) -> list[Change]:
    return [change for change in compared.changes if change.spot[0] == service]


def _describe_whole(whole: Compared) -> str:
    if whole.changes:
        changed = format_count(len(whole.changes), "cell")
        return f"{changed} of {len(whole.changes) + whole.same} change"
    return f"no cell of {whole.same} changes" if whole.same else "not compared"


def _describe_line(
    effect: LineEffect, explanation: Explanation, builds: Sequence[str]
) -> Iterator[str]:
    yield escape_controls(f"{effect.line.number}  {effect.line.text}")
    match effect.part:
        case LinePart.ACTS:
            yield f"   acts: without it {_describe_places(effect.removed, builds)}"
            yield from _example_lines(effect.removed.changes)
            if effect.needs_partner:
                yield f"   only together with {_list_partners(effect)}: alone it changes nothing"
        case LinePart.COVERED:
            yield f"   covered by {_list_partners(effect)}: without it alone nothing changes"
            if effect.alone is not None:
                yield f"   alone it acts: {_describe_places(effect.alone, builds)}"
        case LinePart.NONE:
            yield f"   no observable effect: {_describe_no_effect(effect)}"
            if hint := _client_parameter_hint(effect.line.name, explanation):
                yield f"   {hint}"
        case LinePart.UNMEASURED:
            yield f"   not measured: {_explain_unmeasured(effect.removed)}"


def _describe_no_effect(effect: LineEffect) -> str:
    cells = format_count(effect.removed.same, "cell")
    if effect.alone is None:
        return f"the {cells} are the same without it"
    return f"the {cells} are the same without it, and with it alone as without all"


def _explain_unmeasured(removed: Compared) -> str:
    """Why nothing is known about a line."""
    parts = []
    if removed.unmeasured or not removed.unsteady:
        parts.append(f"{format_count(removed.unmeasured, 'cell')} without a result")
    if removed.unsteady:
        parts.append(
            f"{format_count(removed.unsteady, 'cell')} changed once, and not when measured again"
        )
    return "; ".join(parts)


def _client_parameter_hint(name: str, explanation: Explanation) -> str:
    """What the parameter is for, where that is why nothing changes."""
    inbound = all(service != "outbound" for service in _changed_services(explanation))
    if inbound and name.startswith(("smtp_", "lmtp_")):
        client = name.partition("_")[0]
        return (
            f"{name} is a parameter of {client}(8), Postfix as a client: it can act on mail that "
            "this server sends, which these cells do not (service outbound)"
        )
    return ""


def _changed_services(explanation: Explanation) -> set[str]:
    return {
        change.spot[0]
        for effect in explanation.lines
        for change in (*effect.removed.changes, *(effect.alone.changes if effect.alone else ()))
    }


def _describe_places(compared: Compared, builds: Sequence[str]) -> str:
    """``12 cells change: smtp TLSv1; on all 4 builds``."""
    by_service: dict[str, dict[str, None]] = {}
    for change in compared.changes:
        by_service.setdefault(change.spot[0], {})[change.spot[2]] = None
    places = "; ".join(f"{name} {', '.join(offers)}" for name, offers in by_service.items())
    changed = dict.fromkeys(change.build for change in compared.changes)
    every = len(changed) == len(builds)
    where = _describe_builds(builds) if every else f"on {', '.join(changed)} only"
    return f"{format_count(len(compared.changes), 'cell')} change: {places}; {where}"


def _example_lines(changes: Sequence[Change]) -> Iterator[str]:
    shown: dict[str, str] = {}
    # A cell that was accepted with the line shows more than a refusal that replaces another.
    ordered = sorted(changes, key=lambda change: change.with_it.outcome is not Outcome.ACCEPTED)
    for change in ordered:
        service, client, offer = change.spot
        before = _describe_result(change, with_it=False)
        text = f"{_describe_result(change, with_it=True)}; without it {before}"
        shown.setdefault(f"{service} {text}", f"   {service}, {client}, {offer}: {text}")
    for line in list(shown.values())[:MOST_CHANGES]:
        yield escape_controls(f"  {line}")


def _describe_result(change: Change, *, with_it: bool) -> str:
    observation = change.with_it if with_it else change.without_it
    cipher = cipher_of(observation)
    return describe_result(observation) + (
        f", {cipher}" if cipher and "cipher" in change.names else ""
    )


def _list_partners(effect: LineEffect) -> str:
    if not effect.partners:
        return "others, which pairs do not show"
    numbers = ", ".join(map(str, effect.partners))
    return f"line {numbers}" if len(effect.partners) == 1 else f"lines {numbers}"


def _describe_builds(builds: Sequence[str]) -> str:
    return f"{builds[0]} alone" if len(builds) == 1 else f"all {len(builds)} builds"


def _service_texts(data: RunData, explanation: Explanation) -> list[str]:
    return [label.text for label in service_labels(data, explanation.scenario).values()]


def _measured_builds(data: RunData, scenario: str) -> set[str]:
    return {cell.build for cell in data.observations if cell.scenario == scenario}
