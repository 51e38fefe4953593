"""The answer of ``verify`` as text of 80 columns: stand-ins, a finding a service, the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.observations.rundir import RunData
from harness.reports.service_labels import service_labels
from harness.reports.stand_ins import stand_ins_of, stand_ins_text
from harness.reports.verify_findings import Finding, findings, rejection
from harness.reports.verify_remedy import Remedy, outcome_of_remedy
from harness.reports.wrapping import columns, wrapped
from harness.verdicts.claims import Standing
from harness.verdicts.policy import Answer, ServiceAnswer

#: Findings that are told of one service; the rest is counted.
MOST = 3
MEANINGS = {
    Answer.YES: "yes",
    Answer.NO: "no",
    Answer.NONE: "none: it offers no TLS",
    Answer.CONFIG_REJECTED: "config-rejected: Postfix does not serve with this configuration",
    Answer.UNMEASURED: "not measured",
}


def verification(
    data: RunData,
    scenario: str,
    found: Sequence[ServiceAnswer],
    remedy: Remedy | None = None,
    *,
    verbose: bool = False,
) -> str:
    """The whole answer."""
    parts = [
        stand_ins_text(stand_ins_of(data, scenario), verbose=verbose),
        list(sentences(data, scenario, found)),
        table(data, scenario, found),
        list(told_remedy(remedy, found)) if remedy is not None else [],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def sentences(data: RunData, scenario: str, found: Sequence[ServiceAnswer]) -> Iterator[str]:
    """A service's answer each, with what it rests on, as lines.

    A configuration with which Postfix runs for no service is told once, not service by service.
    """
    rejected = rejected_builds(found)
    for line, builds in _by_line(data, scenario, rejected).items():
        where = f"on {builds_in_words(builds, _builds_of(found))}"
        told = "Postfix does not run with this configuration, so no service answers."
        yield from wrapped(f"config-rejected, {where}: {told}")
        if line:
            yield from wrapped(line, "    ")
    labels = service_labels(data, scenario)
    for answer in found:
        if all(build in rejected for build in answer.builds):
            continue
        yield from wrapped(f"{labels[answer.service].text}: {_sentence(answer, rejected)}")
        yield from _findings(data, scenario, answer, rejected)


def rejected_builds(found: Sequence[ServiceAnswer]) -> list[str]:
    """The builds on which every service is config-rejected."""
    return [
        build
        for build in _builds_of(found)
        if all(one.builds[build].answer is Answer.CONFIG_REJECTED for one in found)
    ]


def _builds_of(found: Sequence[ServiceAnswer]) -> list[str]:
    return list(found[0].builds) if found else []


def _by_line(data: RunData, scenario: str, builds: Sequence[str]) -> dict[str, list[str]]:
    """The builds by Postfix's words; the number of the process counts for nothing."""
    grouped: dict[str, tuple[str, list[str]]] = {}
    for build in builds:
        line = rejection(data, build, scenario)
        key = line.partition("]: ")[2] or line
        grouped.setdefault(key, (line, []))[1].append(build)
    return dict(grouped.values())


def _sentence(answer: ServiceAnswer, rejected: Sequence[str]) -> str:
    """``no, on debian-11; yes, on debian-12``; what was told of all services is left out."""
    every = [build for build in answer.builds if build not in rejected]
    parts = []
    for word, builds in answer.builds_by_answer().items():
        shown = [build for build in builds if build in every]
        if shown:
            parts.append(f"{MEANINGS[word]}, on {builds_in_words(shown, every)}")
    return "; ".join(parts)


def builds_in_words(builds: Sequence[str], every: Sequence[str]) -> str:
    """``all 4 builds`` where these are all of several, else their names."""
    return f"all {len(every)} builds" if len(builds) == len(every) > 1 else ", ".join(builds)


def _findings(
    data: RunData, scenario: str, answer: ServiceAnswer, rejected: Sequence[str]
) -> Iterator[str]:
    told = findings(data, answer)
    for one in told[:MOST]:
        yield from _finding(one, len(answer.builds))
    if len(told) > MOST:
        yield f"  and {len(told) - MOST} more findings (--format json has all)"
    alone = answer.builds_by_answer().get(Answer.CONFIG_REJECTED, [])
    for line in _by_line(data, scenario, [one for one in alone if one not in rejected]):
        yield from wrapped(line, "    ")


def _finding(one: Finding, builds: int) -> Iterator[str]:
    offers = "; ".join(f"{' and '.join(who)} with {offer}" for offer, who in one.offers.items())
    where = f", on {', '.join(one.builds)}" if len(one.builds) < builds else ""
    known = "not known" if one.is_gap else "asked"
    yield from wrapped(f"{offers}{where}: {one.what} ({known}: {one.asked})", "  ")
    for words in dict.fromkeys(text for text in (one.reply, one.log) if text):
        if not (words == one.reply and one.reply in one.log):
            yield from wrapped(words, "    ")


def table(data: RunData, scenario: str, found: Sequence[ServiceAnswer]) -> list[str]:
    """Services down the side, builds across; wrapped where the builds do not fit."""
    if not found:
        return []
    labels = service_labels(data, scenario)
    builds = _builds_of(found)
    rows = [
        [labels[answer.service].name, *(answer.builds[build].answer for build in builds)]
        for answer in found
    ]
    return columns(["", *builds], rows)


def told_remedy(remedy: Remedy, found: Sequence[ServiceAnswer]) -> Iterator[str]:
    """What to change, where it was tried and helps; else what was tried, and that it does not."""
    failing = [one.service for one in found if one.standing is Standing.FAILS]
    if not remedy.lines:
        if failing:
            yield from wrapped(f"What to change for {', '.join(failing)}: {remedy.why_none}")
        return
    helped = outcome_of_remedy(remedy)
    yield "What to change, in main.cf:" if helped.met else "This was tried, in main.cf:"
    yield from (f"    {line}" for line in remedy.lines)
    if remedy.overrides:
        yield "  and in master.cf, take out:" if helped.met else "  and in master.cf, without:"
        yield from (
            line for one in remedy.overrides for line in wrapped(one.text, "    ", "      ")
        )
    for service in helped.met:
        yield from wrapped(f"tried: {service} then meets the policy", "  ")
    for service in helped.unmeasured:
        yield from wrapped(f"tried: whether {service} then meets it was not measured", "  ")
    for service in helped.failing:
        yield from wrapped(f"tried: it does not help {service}, which still fails", "  ")
