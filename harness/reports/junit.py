"""A run as JUnit's XML, for the test reports of a CI: docs/schemas/junit.xsd.

One suite per build and scenario; a case is an expectation of the scenario, or a group of cells that
a check found alike (``check.json``). A case has at most one failure or error: what was not measured
is an error, what does not apply or was not checked is skipped. A known failure that is wrong itself
is a failure. A case that rests on simulated cells says so: only a check's can, as no expectation
rests on them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from harness.catalog.cells import is_simulated
from harness.observations.run_folder import RunData
from harness.observations.run_json import RunRecord
from harness.plain_text import escape_controls
from harness.snapshots.findings import RED, UNPROVED, Finding
from harness.verdicts.judging import Judged, Standing
from harness.verdicts.verdict import BuildVerdict, Verdict, judge_run

#: Cells of a case whose evidence is named.
_MOST_COMMANDS = 10
#: The file of a run in which a check keeps what it found: docs/schemas/comparison.schema.json.
CHECK_FILE = "check.json"
JUNIT_FILE = "junit.xml"


@dataclass(frozen=True, slots=True)
class JUnitCase:
    """One case. ``problem`` is "failure", "error" or "skipped", "" for none.

    ``message`` is one line, ``text`` has all; ``evidence`` are cells that have it. ``simulated`` is
    how many of its cells no client had, but a recorded hello.
    """

    name: str
    problem: str = ""
    message: str = ""
    text: str = ""
    file: str = ""
    line: int | None = None
    evidence: tuple[str, ...] = ()
    simulated: int = 0


@dataclass(slots=True)
class JUnitSuite:
    """The cases of one scenario on one build."""

    build: str
    scenario: str
    cases: list[JUnitCase] = field(default_factory=list)

    def count(self, problem: str) -> int:
        """How many cases have a problem of this kind."""
        return sum(case.problem == problem for case in self.cases)


def render_junit(data: RunData) -> str:
    """The run's JUnit report: its scenarios' expectations, and its check if it has one."""
    suites = make_suites(data, read_check(data))
    root = ElementTree.Element(
        "testsuites", {"name": _clean_text(data.run.id), **_count_totals(suites)}
    )
    for suite in suites:
        root.append(_suite_element(suite, data.run))
    ElementTree.indent(root, " ")
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def read_check(data: RunData) -> Mapping[str, Any] | None:
    """What a check kept in the run's folder; None where there was none, or it cannot be read."""
    try:
        check = json.loads((data.folder / CHECK_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return check if isinstance(check, dict) else None


def make_suites(data: RunData, check: Mapping[str, Any] | None = None) -> list[JUnitSuite]:
    """The suites of a run, in its order; without a case there is no suite."""
    suites: dict[tuple[str, str], JUnitSuite] = {}

    def suite_of(build: str, scenario: str) -> JUnitSuite:
        return suites.setdefault((build, scenario), JUnitSuite(build, scenario))

    for verdict in judge_run(data):
        for on_build in verdict.builds:
            suite_of(on_build.build, verdict.scenario).cases += _expectation_cases(
                on_build, verdict.scenario
            )
    for build, scenario, case in _check_cases(check or {}, _count_simulated(data)):
        suite_of(build, scenario).cases.append(case)
    return [suite for suite in suites.values() if suite.cases]


def _expectation_cases(verdict: BuildVerdict, scenario: str) -> Iterator[JUnitCase]:
    if verdict.verdict is Verdict.NOT_APPLICABLE:
        yield JUnitCase(scenario, "skipped", verdict.why)
        return
    for judged in verdict.judged:
        yield _expectation_case(judged, scenario)


def _expectation_case(judged: Judged, scenario: str) -> JUnitCase:
    expectation = judged.expectation
    line = expectation.line
    file = f"{scenario}/scenario.toml" if line is not None else ""
    if judged.standing is Standing.HOLDS:
        return JUnitCase(expectation.text, file=file, line=line)
    if judged.standing is Standing.FAILS:
        lines = [f"{mismatch.cell}: {mismatch.what}" for mismatch in judged.mismatches]
        cells = tuple(mismatch.cell for mismatch in judged.mismatches)
        message = judged.mismatches[0].what
        return JUnitCase(expectation.text, "failure", message, "\n".join(lines), file, line,
                         cells[:_MOST_COMMANDS])  # fmt: skip
    lines = [f"{cell.cell}: {cell.why}" for cell in judged.unmeasured]
    cells = tuple(cell.cell for cell in judged.unmeasured)
    return JUnitCase(expectation.text, "error", judged.why, "\n".join(lines), file, line,
                     cells[:_MOST_COMMANDS])  # fmt: skip


def _count_simulated(data: RunData) -> Counter[tuple[str, str, str]]:
    """How many simulated cells each build, scenario and service of a run has."""
    return Counter(
        (observation.build, observation.scenario, observation.service)
        for observation in data.observations
        if observation.is_simulated
    )


def _check_cases(
    check: Mapping[str, Any], simulated: Counter[tuple[str, str, str]]
) -> Iterator[tuple[str, str, JUnitCase]]:
    """The cases of a check by build and scenario: one per group, and one for what is the same.

    ``simulated`` are the numbers of the run's simulated cells; those in no group are the same.
    """
    grouped = {
        tuple(cell["cell"].split("/")) for g in check.get("groups", ()) for cell in g["cells"]
    }
    in_groups = Counter(place[:3] for place in grouped if is_simulated(place[3]))
    for same in check.get("same", ()):
        name = f"{same['service']}: as recorded"
        text = f"{same['cells']} cells"
        place = (same["build"], same["scenario"] or "", same["service"])
        number = min(simulated[place] - in_groups[place], same["cells"])
        yield *place[:2], JUnitCase(name, text=text, simulated=number)
    setting = _blamed_place(check)
    for number, group in enumerate(check.get("groups", ()), start=1):
        builds: dict[tuple[str, str], list[str]] = {}
        for cell in group["cells"]:
            build, scenario, *_ = cell["cell"].split("/")
            builds.setdefault((build, scenario), []).append(cell["cell"])
        for (build, scenario), cells in builds.items():
            yield build, _original_scenario(scenario), _group_case(group, number, cells, setting)
    for fault in check.get("known_failures", ()):
        name = Path(fault["file"]).name
        yield name, "known failures", _known_case(fault)


def _known_case(fault: Mapping[str, Any]) -> JUnitCase:
    """A known failure that is wrong itself, which makes a check red."""
    file, line = fault["file"], fault["line"]
    name = f"line {line}: {fault['what']}"
    return JUnitCase(name, "failure", fault["what"], fault["text"], file, line)


def _group_case(
    group: Mapping[str, Any], number: int, cells: list[str], setting: tuple[str, int | None]
) -> JUnitCase:
    finding = Finding(group["finding"])
    name = f"{group['service'] or 'all services'}: {finding} ({number})"
    problem = "failure" if finding in RED else "error" if finding in UNPROVED else ""
    problem = "skipped" if finding in (Finding.NOT_CHECKED, Finding.KNOWN) else problem
    lines = [group["text"], *([group["log"]] if group["log"] else []), *cells]
    file, line = setting if finding in (Finding.BROKEN, Finding.GONE) else ("", None)
    evidence = () if problem == "skipped" else tuple(cells[:_MOST_COMMANDS])
    return JUnitCase(
        name, problem, f"{finding}: {group['text']}", "\n".join(lines), file, line, evidence,
        simulated=sum(is_simulated(cell.split("/")[3]) for cell in cells),
    )  # fmt: skip


def _blamed_place(check: Mapping[str, Any]) -> tuple[str, int | None]:
    """File and line of the first setting that a check blames."""
    for blame in check.get("blames", ()):
        for setting in blame["settings"]:
            if setting["line"] is not None:
                return setting["file"], setting["line"]
    return "", None


def _original_scenario(scenario: str) -> str:
    """The candidate's id, also where its cell was measured once more."""
    return scenario.partition("--again-")[0]


def _count_totals(suites: Iterable[JUnitSuite]) -> dict[str, str]:
    suites = list(suites)
    counts = {"tests": sum(len(suite.cases) for suite in suites)}
    for attribute, problem in _COUNTS.items():
        counts[attribute] = sum(suite.count(problem) for suite in suites)
    return {name: str(number) for name, number in counts.items()}


_COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _suite_element(suite: JUnitSuite, run: RunRecord) -> ElementTree.Element:
    element = ElementTree.Element(
        "testsuite",
        {
            "name": _clean_text(f"{suite.build}/{suite.scenario}"),
            **_count_totals([suite]),
            "timestamp": run.started.removesuffix("Z"),
        },
    )
    for case in suite.cases:
        element.append(_case_element(case, f"{suite.build}.{suite.scenario}", run.id))
    return element


def _case_element(case: JUnitCase, classname: str, run: str) -> ElementTree.Element:
    attributes = {"classname": _clean_text(classname), "name": _clean_text(case.name)}
    if case.file:
        attributes["file"] = _clean_text(case.file)
    if case.file and case.line is not None:
        attributes["line"] = str(case.line)
    element = ElementTree.Element("testcase", attributes)
    if named := list(_list_properties(case, run)):
        properties = ElementTree.SubElement(element, "properties")
        for name, value in named:
            ElementTree.SubElement(
                properties, "property", {"name": name, "value": _clean_text(value)}
            )
    if case.problem:
        problem = ElementTree.SubElement(
            element, case.problem, {"message": _clean_text(case.message)}
        )
        problem.text = _clean_text(case.text)
    return element


def _list_properties(case: JUnitCase, run: str) -> Iterator[tuple[str, str]]:
    """Names and values of a case's properties."""
    if case.simulated > 0:
        cells = "1 cell" if case.simulated == 1 else f"{case.simulated} cells"
        yield "simulated", f"{cells} of recorded hellos: no client was there"
    for cell in case.evidence:
        # A report goes to other machines: there a run goes by its id.
        yield "evidence", f"postfix-matrix show --run {run} {cell}"


def _clean_text(text: str) -> str:
    """Text that XML 1.0 can carry: control characters as ``\\x1b``."""
    return escape_controls(text).replace("\ufffe", "?").replace("\uffff", "?")
