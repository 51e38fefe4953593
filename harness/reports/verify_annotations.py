"""The answers of ``verify`` as annotations: on the setting that decides a service's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.errors import FileLocation
from harness.observations.run_folder import RunData
from harness.postfix_config.main_cf import parse_main_cf
from harness.reports.annotations import Annotation, AnnotationLevel
from harness.reports.service_labels import ServiceLabel, service_labels
from harness.reports.verify_findings import rejection_line, service_findings
from harness.reports.verify_remedy import TriedRemedy, outcome_of_remedy
from harness.reports.verify_text import MOST, describe_answer, describe_finding
from harness.scenarios.policies import Policy
from harness.scenarios.remedies import find_overrides, parameters_of
from harness.scenarios.scenario import Scenario
from harness.snapshots.recorded_candidate import SettingChange
from harness.verdicts.judging import Standing
from harness.verdicts.policy_answers import PolicyAnswer, ServiceAnswer

#: Where a setting stands in the user's files.
Locate = Callable[[SettingChange], FileLocation]
#: A value shorter than this stands in a log line by chance.
_SHORTEST_VALUE = 4


def verify_annotations(
    data: RunData,
    candidate: Scenario,
    answers: Sequence[ServiceAnswer],
    policies: Sequence[Policy],
    locate: Locate,
    remedy: TriedRemedy | None = None,
) -> Iterator[Annotation]:
    """One per service that does not meet the policies (an error) or is unmeasured (a warning)."""
    labels = service_labels(data, candidate.id)
    helped = outcome_of_remedy(remedy).met if remedy is not None and remedy.lines else ()
    for answer in answers:
        if answer.standing is Standing.HOLDS:
            continue
        fails = answer.standing is Standing.FAILS and not answer.is_local
        level = AnnotationLevel.ERROR if fails else AnnotationLevel.WARNING
        label = labels[answer.service]
        lines = list(_describe_service(data, label, answer))
        setting = None
        rejected = answer.builds_by_answer().get(PolicyAnswer.CONFIG_REJECTED, ())
        for build in rejected[:1]:
            log = rejection_line(data, build, candidate.id, answer.service)
            lines += [f"config-rejected, on {', '.join(rejected)}: {log}"]
            setting = find_logged_setting(candidate, log)
        names = policies_not_met(answer) or [policy.name for policy in policies]
        decisive = [policy for policy in policies if policy.name in names]
        setting = setting or find_deciding_setting(candidate, label, decisive)
        place = locate(setting or SettingChange("", None, None))
        if setting is not None:
            lines.append(f"set here: {setting.text}")
        if remedy is not None and answer.service in helped:
            lines += ["tried, and then it is met:", *remedy.lines]
            lines += [f"without {override.text}" for override in remedy.overrides]
        yield Annotation(level, f"{', '.join(names)}: {answer.service}", "\n".join(lines), place)


def policies_not_met(answer: ServiceAnswer) -> list[str]:
    """The policies that some cell of a service contradicts, or that are unmeasured there."""
    judged = [judged for build in answer.builds.values() for judged in build.judged]
    decisive = Standing.UNMEASURED if answer.standing is Standing.UNMEASURED else Standing.FAILS
    names = (each.expectation.policy for each in judged if each.standing is decisive)
    return [name for name in dict.fromkeys(names) if name is not None]


def _describe_service(data: RunData, label: ServiceLabel, answer: ServiceAnswer) -> Iterator[str]:
    """The answer, and the findings that it rests on, each with the log line that shows it."""
    if sentence := describe_answer(answer):
        yield f"{label.text}: {sentence}"
    findings = service_findings(data, answer)
    requirements: set[str] = set()
    for finding in findings[:MOST]:
        first = finding.required not in requirements
        yield describe_finding(finding, len(answer.builds), with_requirement=first)
        if first and finding.log:
            yield f"log: {finding.log}"
        requirements.add(finding.required)
    if len(findings) > MOST:
        yield f"and {len(findings) - MOST} more findings"


def find_deciding_setting(
    candidate: Scenario, label: ServiceLabel, policies: Sequence[Policy]
) -> SettingChange | None:
    """The setting that the policies' remedy for this service would replace; None: it sets none.

    An option of the service's entry comes before a line of main.cf, which it overrides.
    """
    lines = [
        line
        for policy in policies
        for level in label.level.split(" or ")
        for line in policy.remedy(level)
    ]
    parameters = parameters_of(lines)
    services = {label.service, label.entry or label.service}
    for override in find_overrides(candidate.master_cf, services, parameters):
        return SettingChange(
            override.name, None, override.value, override.entry, line=override.line
        )
    settings = parse_main_cf(candidate.main_cf).settings
    for setting in reversed(settings):
        if setting.name in parameters:
            return SettingChange(setting.name, None, setting.value, line=setting.line)
    return None


def find_logged_setting(candidate: Scenario, log: str) -> SettingChange | None:
    """The last setting of main.cf whose name, or else whose value, a line of the log has."""
    settings = [
        SettingChange(setting.name, None, setting.value, line=setting.line)
        for setting in reversed(parse_main_cf(candidate.main_cf).settings)
    ]
    named = [setting for setting in settings if setting.name in log]
    valued = [
        setting
        for setting in settings
        if len(setting.now or "") >= _SHORTEST_VALUE and str(setting.now) in log
    ]
    return next(iter([*named, *valued]), None)
