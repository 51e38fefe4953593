"""The answer of ``verify`` as text of 80 columns: stand-ins, a finding a service, the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.observations.run_folder import RunData
from harness.reports.service_labels import service_labels
from harness.reports.stand_ins import stand_ins_of, stand_ins_text
from harness.reports.verify_findings import VerifyFinding, findings, rejection
from harness.reports.verify_remedy import TriedRemedy, outcome_of_remedy
from harness.reports.wrapping import columns, wrapped
from harness.verdicts.judging import Standing
from harness.verdicts.policy_answers import (
    PolicyAnswer,
    ServiceAnswer,
)

#: Findings that are told of one service; the rest is counted.
MOST = 3
MEANINGS = {
    PolicyAnswer.YES: "yes",
    PolicyAnswer.NO: "no",
    PolicyAnswer.NONE: "none: it offers no TLS",
    PolicyAnswer.CONFIG_REJECTED: "config-rejected",
    PolicyAnswer.UNMEASURED: "not measured",
}


def verification(
    data: RunData,
    scenario: str,
    found: Sequence[ServiceAnswer],
    remedy: TriedRemedy | None = None,
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

    What Postfix rejects is told once for all services that it does not serve for the same reason.
    """
    labels = service_labels(data, scenario)
    builds = _builds_of(found)
    for line, rejected in rejections(data, scenario, found).items():
        where = builds_in_words(list(dict.fromkeys(build for _, build in rejected)), builds)
        services = list(dict.fromkeys(service for service, _ in rejected))
        if len(services) == len(found):
            told = "Postfix does not run with this configuration, so no service answers."
        else:
            names = " and ".join(labels[one].name for one in services)
            told = f"Postfix does not serve {names} with this configuration."
        yield from wrapped(f"config-rejected, on {where}: {told}")
        if line:
            yield from wrapped(line, "    ")
    for answer in found:
        if sentence := _sentence(answer):
            yield from wrapped(f"{labels[answer.service].text}: {sentence}")
            yield from _findings(data, answer)


def rejections(
    data: RunData, scenario: str, found: Sequence[ServiceAnswer]
) -> dict[str, list[tuple[str, str]]]:
    """The services and builds that are config-rejected, by Postfix's words.

    The name and number of the process that says them count for nothing.
    """
    grouped: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    for answer in found:
        for build, one in answer.builds.items():
            if one.answer is PolicyAnswer.CONFIG_REJECTED:
                line = rejection(data, build, scenario, answer.service)
                key = line.partition("]: ")[2] or line
                grouped.setdefault(key, (line, []))[1].append((answer.service, build))
    return dict(grouped.values())


def _builds_of(found: Sequence[ServiceAnswer]) -> list[str]:
    return list(found[0].builds) if found else []


def _sentence(answer: ServiceAnswer) -> str:
    """``no, on debian-11; yes, on debian-12``; what Postfix rejects was told before."""
    every = list(answer.builds)
    parts = [
        f"{MEANINGS[word]}, on {builds_in_words(builds, every)}"
        for word, builds in answer.builds_by_answer().items()
        if word is not PolicyAnswer.CONFIG_REJECTED
    ]
    local = "; only its own machine reaches it, so it does not count"
    return "; ".join(parts) + (local if parts and answer.is_local else "")


def builds_in_words(builds: Sequence[str], every: Sequence[str]) -> str:
    """``all 4 builds`` where these are all of several, else their names."""
    return f"all {len(every)} builds" if len(builds) == len(every) > 1 else ", ".join(builds)


def _findings(data: RunData, answer: ServiceAnswer) -> Iterator[str]:
    """What an answer rests on; what is asked, and the words of the log, once for each wish."""
    told = findings(data, answer)
    wishes: set[str] = set()
    for one in told[:MOST]:
        yield from _finding(one, len(answer.builds), first=one.asked not in wishes)
        wishes.add(one.asked)
    if len(told) > MOST:
        yield f"  and {len(told) - MOST} more findings (--format json has all)"


def _finding(one: VerifyFinding, builds: int, *, first: bool) -> Iterator[str]:
    offers = "; ".join(
        f"{' and '.join(who)} with {', '.join(offers)}" for who, offers in one.clients.items()
    )
    where = f", on {', '.join(one.builds)}" if len(one.builds) < builds else ""
    known = "so it is not known:" if one.is_gap else "asked:"
    asked = f" ({known} {one.asked})" if first else ""
    yield from wrapped(f"{offers}{where}: {one.what}{asked}", "  ")
    if first:
        for words in (one.reply if one.reply not in one.log else "", one.log):
            yield from wrapped(words, "    ") if words else ()


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


def told_remedy(remedy: TriedRemedy, found: Sequence[ServiceAnswer]) -> Iterator[str]:
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
