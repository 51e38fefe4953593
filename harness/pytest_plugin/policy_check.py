"""Whether a server's cells meet what is required of it, and the report where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.observations.run_folder import RunData
from harness.pytest_plugin.failures import (
    count_more,
    describe_judged,
    describe_place,
    describe_unmeasured,
)
from harness.pytest_plugin.not_measured import NotMeasured
from harness.reports.verify_findings import rejection_line
from harness.verdicts.judging import Judged, Standing
from harness.verdicts.policy_answers import (
    BuildAnswer,
    PolicyAnswer,
    ServiceAnswer,
    judge_services,
    overall_standing,
)


def check_claims(data: RunData, build: str, scenario: str) -> None:
    """Compare a candidate's expectations with its cells on a build.

    Raises:
        AssertionError: a service does not meet them; the text has each cell with its log line.
        NotMeasured: nothing contradicts them, and a cell that should show them is unmeasured.
    """
    services = judge_services(data, scenario)
    match overall_standing(services):
        case Standing.FAILS:
            raise AssertionError("\n".join(_report_failure(data, build, scenario, services)))
        case Standing.UNMEASURED:
            raise NotMeasured("\n".join(_report_unmeasured(build, services)))


def _report_failure(
    data: RunData, build: str, scenario: str, services: Sequence[ServiceAnswer]
) -> Iterator[str]:
    failing = [s for s in services if s.builds[build].answer.standing is Standing.FAILS]
    yield _write_headline(data, build, scenario, failing)
    for service in failing:
        answer = service.builds[build]
        if answer.answer is PolicyAnswer.CONFIG_REJECTED:
            line = rejection_line(data, build, scenario, service.service)
            yield f"  {service.service} on {build}: Postfix rejects the configuration: {line}"
            continue
        for judged in answer.judged:
            if judged.mismatches:
                yield from (f"  {line}" for line in describe_judged(data, judged))


def _write_headline(
    data: RunData, build: str, scenario: str, failing: Sequence[ServiceAnswer]
) -> str:
    """The first line, which pytest repeats in its summary."""
    service = failing[0]
    answer = service.builds[build]
    if answer.answer is PolicyAnswer.CONFIG_REJECTED:
        line = rejection_line(data, build, scenario, service.service)
        return f"Postfix does not serve {service.service} with the configuration: {line}"
    first = next(judged for judged in answer.judged if judged.mismatches)
    wrong = first.mismatches[0]
    _, place = describe_place(wrong.cell).split(" → ")
    client = describe_place(wrong.cell).split(" → ")[0]
    cells = {m.cell for s in failing for _, m in s.builds[build].mismatches}
    more = count_more(len(cells) - 1)
    required = _name_requirement(first)
    return f"{place}: {required}: {client}: {wrong.what}{more}"


def _name_requirement(judged: Judged) -> str:
    policy = judged.expectation.policy
    if policy is None or policy == "delivers-from":
        return "mail must get through"
    return f"not {policy}"


def _report_unmeasured(build: str, services: Sequence[ServiceAnswer]) -> Iterator[str]:
    unknown = [
        cell
        for answer in _list_answers(build, services)
        for j in answer.judged
        for cell in j.unmeasured
    ]
    if not unknown:
        silent = [j for answer in _list_answers(build, services) for j in answer.judged]
        why = silent[0].why if silent else "the configuration has no service that it is about"
        yield f"not measured on {build}: {why}"
        return
    lines = list(dict.fromkeys(describe_unmeasured(unknown)))
    yield f"not measured: {lines[0]}{count_more(len(lines) - 1)}"
    yield from (f"  {line}" for line in lines)


def _list_answers(build: str, services: Sequence[ServiceAnswer]) -> Iterator[BuildAnswer]:
    return (service.builds[build] for service in services)
