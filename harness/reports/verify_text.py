"""The answer of ``verify`` as text: a finding per service, the table, what stood in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.observations.run_folder import RunData
from harness.reports.service_labels import ServiceLabel, service_labels
from harness.reports.stand_ins import StandIns, stand_ins_of, stand_ins_text
from harness.reports.verify_findings import VerifyFinding, rejection_line, service_findings
from harness.reports.verify_remedy import TriedRemedy, outcome_of_remedy
from harness.reports.wrapping import table_lines, wrap_text
from harness.verdicts.judging import Standing
from harness.verdicts.policy_answers import (
    PolicyAnswer,
    ServiceAnswer,
    counted_services,
    overall_standing,
)

#: Findings that are shown for one service; further ones are counted.
MOST = 3
MEANINGS = {
    PolicyAnswer.YES: "yes",
    PolicyAnswer.NO: "no",
    PolicyAnswer.NONE: "none: it offers no TLS",
    PolicyAnswer.CONFIG_REJECTED: "config-rejected",
    PolicyAnswer.UNMEASURED: "not measured",
}


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The parts of an answer, from which the text and the Markdown are made.

    ``rows`` has each service with its answer on each of the ``builds``; ``answers`` and ``remedy``
    are lines that fit the terminal.
    """

    stand_ins: StandIns
    builds: tuple[str, ...]
    rows: tuple[tuple[ServiceLabel, tuple[str, ...]], ...]
    answers: tuple[str, ...]
    remedy: tuple[str, ...]


def make_report(
    data: RunData,
    scenario: str,
    answers: Sequence[ServiceAnswer],
    remedy: TriedRemedy | None = None,
) -> VerifyReport:
    """The parts of an answer."""
    labels = service_labels(data, scenario)
    builds = tuple(_builds_of(answers))
    rows = (
        (labels[each.service], tuple(each.builds[build].answer.value for build in builds))
        for each in answers
    )
    return VerifyReport(
        stand_ins=stand_ins_of(data, scenario),
        builds=builds,
        rows=tuple(rows),
        answers=tuple(answer_lines(data, scenario, answers)),
        remedy=tuple(remedy_lines(remedy, answers)) if remedy is not None else (),
    )


def verification_text(
    data: RunData,
    scenario: str,
    answers: Sequence[ServiceAnswer],
    remedy: TriedRemedy | None = None,
    *,
    verbose: bool = False,
) -> str:
    """The whole answer; the table has several blocks where the builds do not fit."""
    report = make_report(data, scenario, answers, remedy)
    rows = [[label.name, *cells] for label, cells in report.rows]
    parts = (
        wrap_text(describe_overall(answers, service_labels(data, scenario))),
        report.answers,
        table_lines(["service", *report.builds], rows) if rows else [],
        report.remedy,
        stand_ins_text(report.stand_ins, verbose=verbose),
    )
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def describe_overall(answers: Sequence[ServiceAnswer], labels: Mapping[str, ServiceLabel]) -> str:
    """The answer over all services in one sentence; "" where there is none."""
    counted = counted_services(answers)
    failing = [labels[each.service].name for each in counted if each.standing is Standing.FAILS]
    match overall_standing(answers):
        case Standing.FAILS:
            verb = "does" if len(failing) == 1 else "do"
            return f"No: {', '.join(failing)} {verb} not meet the policy."
        case Standing.HOLDS:
            return "Yes: the configuration meets the policy."
    return "Not known: something that the answer needs was not measured." if answers else ""


def answer_lines(data: RunData, scenario: str, answers: Sequence[ServiceAnswer]) -> Iterator[str]:
    """Each service's answer, with what it rests on, as lines.

    What Postfix rejects is reported once for all services that it does not serve for one reason.
    """
    labels = service_labels(data, scenario)
    builds = _builds_of(answers)
    for line, rejected in rejected_places(data, scenario, answers).items():
        where = describe_builds(list(dict.fromkeys(build for _, build in rejected)), builds)
        services = list(dict.fromkeys(service for service, _ in rejected))
        if len(services) == len(answers):
            text = "Postfix does not run with this configuration, so no service answers."
        else:
            names = " and ".join(labels[service].name for service in services)
            text = f"Postfix does not serve {names} with this configuration."
        yield from wrap_text(f"config-rejected, on {where}: {text}")
        if line:
            yield from wrap_text(line, "    ")
    for answer in answers:
        if sentence := describe_answer(answer):
            yield from wrap_text(f"{labels[answer.service].text}: {sentence}")
            yield from _finding_lines(data, answer)


def rejected_places(
    data: RunData, scenario: str, answers: Sequence[ServiceAnswer]
) -> dict[str, list[tuple[str, str]]]:
    """The services and builds that are config-rejected, by Postfix's error.

    The name and number of the process that logged it do not count.
    """
    grouped: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    for answer in answers:
        for name, build in answer.builds.items():
            if build.answer is PolicyAnswer.CONFIG_REJECTED:
                line = rejection_line(data, name, scenario, answer.service)
                key = line.partition("]: ")[2] or line
                grouped.setdefault(key, (line, []))[1].append((answer.service, name))
    return dict(grouped.values())


def _builds_of(answers: Sequence[ServiceAnswer]) -> list[str]:
    return list(answers[0].builds) if answers else []


def describe_answer(answer: ServiceAnswer) -> str:
    """A service's answer: ``no, on debian-11; yes, on debian-12``, without what Postfix rejects."""
    every = list(answer.builds)
    parts = [
        f"{MEANINGS[given]}, on {describe_builds(builds, every)}"
        for given, builds in answer.builds_by_answer().items()
        if given is not PolicyAnswer.CONFIG_REJECTED
    ]
    local = "; only its own machine reaches it, so it does not count"
    return "; ".join(parts) + (local if parts and answer.is_local else "")


def describe_builds(builds: Sequence[str], every: Sequence[str]) -> str:
    """``all 4 builds`` where these are all of several, else their names."""
    return f"all {len(every)} builds" if len(builds) == len(every) > 1 else ", ".join(builds)


def _finding_lines(data: RunData, answer: ServiceAnswer) -> Iterator[str]:
    """What an answer rests on; the requirement, and the log line, once for each requirement."""
    every = service_findings(data, answer)
    requirements: set[str] = set()
    for finding in every[:MOST]:
        first = finding.required not in requirements
        yield from _format_finding(finding, len(answer.builds), first=first)
        requirements.add(finding.required)
    if len(every) > MOST:
        yield f"  and {len(every) - MOST} more findings (--format json has all)"


def _format_finding(finding: VerifyFinding, builds: int, *, first: bool) -> Iterator[str]:
    yield from wrap_text(describe_finding(finding, builds, with_requirement=first), "  ")
    if first:
        reply = finding.reply if finding.reply not in finding.log else ""
        for text in (reply, finding.log):
            yield from wrap_text(text, "    ") if text else ()


def describe_finding(finding: VerifyFinding, builds: int, *, with_requirement: bool) -> str:
    """``openssl-1.0.2h with TLSv1, on debian-12: accepted with TLSv1 (required: …)``.

    ``builds`` is the number of those that the service was measured on.
    """
    offers = "; ".join(
        f"{' and '.join(clients)} with {', '.join(offers)}"
        for clients, offers in finding.clients.items()
    )
    where = f", on {', '.join(finding.builds)}" if len(finding.builds) < builds else ""
    lead = "so it is not known:" if finding.is_unknown else "required:"
    requirement = f" ({lead} {finding.required})" if with_requirement else ""
    return f"{offers}{where}: {finding.what}{requirement}"


def remedy_lines(remedy: TriedRemedy, answers: Sequence[ServiceAnswer]) -> Iterator[str]:
    """What to change, where it was tried and helps; else what was tried without success."""
    failing = [answer.service for answer in answers if answer.standing is Standing.FAILS]
    if not remedy.lines:
        if failing:
            yield from wrap_text(f"What to change for {', '.join(failing)}: {remedy.why_none}")
        return
    outcome = outcome_of_remedy(remedy)
    yield "What to change, in main.cf:" if outcome.met else "This was tried, in main.cf:"
    yield from (f"    {line}" for line in remedy.lines)
    if remedy.overrides:
        yield "  and in master.cf, remove:" if outcome.met else "  and in master.cf, without:"
        for override in remedy.overrides:
            yield from wrap_text(override.text, "    ", "      ")
    for service in outcome.met:
        yield from wrap_text(f"tried: {service} then meets the policy", "  ")
    for service in outcome.unmeasured:
        yield from wrap_text(f"tried: whether {service} then meets it was not measured", "  ")
    for service in outcome.failing:
        yield from wrap_text(f"tried: it does not help {service}, which still fails", "  ")
