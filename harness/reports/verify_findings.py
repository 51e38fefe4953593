"""The cells that an answer of ``verify`` rests on, with what Postfix replied and logged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.observations.record import Observation
from harness.observations.run_folder import RunData
from harness.verdicts.decisive_lines import (
    DecisiveQuestion,
    decisive_line,
)
from harness.verdicts.judging import (
    AFTER_TLS,
    negotiated_protocol,
)
from harness.verdicts.policy_answers import (
    BuildAnswer,
    PolicyAnswer,
    ServiceAnswer,
)


@dataclass(frozen=True, slots=True)
class VerifyFinding:
    """A problem, or something unknown, of a service, with all cells that show it.

    ``required`` is what the policy requires there, ``what`` the result. ``reply`` is the server's
    reply (``554 5.7.1 ...``) and ``log`` the decisive line of Postfix's log, both of the first
    cell; "" where there is none. ``is_unknown``: it is unknown, and no contradiction.
    """

    required: str
    what: str
    is_unknown: bool
    cells: tuple[str, ...]
    reply: str = ""
    log: str = ""

    @property
    def builds(self) -> tuple[str, ...]:
        """The builds of its cells."""
        return tuple(dict.fromkeys(cell.split("/", 1)[0] for cell in self.cells))

    @property
    def clients(self) -> dict[tuple[str, ...], list[str]]:
        """The clients of its cells with their offers, grouped where the offers are the same."""
        by_offer: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            _, _, _, client, offer = cell.split("/", 4)
            by_offer.setdefault(offer, {})[client] = None
        by_clients: dict[tuple[str, ...], list[str]] = {}
        for offer, clients in by_offer.items():
            by_clients.setdefault(tuple(clients), []).append(offer)
        return by_clients


def service_findings(data: RunData, answer: ServiceAnswer) -> tuple[VerifyFinding, ...]:
    """What a service's answer rests on, where it is not "yes": contradictions, then the unknown.

    What is unknown is reported only for builds that nothing contradicts. For a build that rejects
    the configuration there is nothing else to report (:func:`rejection_line`).
    """
    grouped: dict[tuple[bool, str, str], list[str]] = {}
    requirements: dict[tuple[bool, str, str], dict[str, None]] = {}
    for build in answer.builds.values():
        for is_unknown, required, cell, what in _collect_problems(build):
            # An unknown result is one problem, however many requirements concern the cell.
            key = (is_unknown, "" if is_unknown else required, what)
            cells = grouped.setdefault(key, [])
            if cell not in cells:
                cells.append(cell)
            requirements.setdefault(key, {})[required] = None
    every = []
    for key in sorted(grouped, key=lambda key: key[0]):
        is_unknown, _, what = key
        required = "; ".join(requirements[key])
        every.append(_make_finding(data, is_unknown, required, tuple(grouped[key]), what))
    return tuple(every)


def _collect_problems(answer: BuildAnswer) -> Iterator[tuple[bool, str, str, str]]:
    if answer.answer is PolicyAnswer.CONFIG_REJECTED:
        return
    for judged, wrong in answer.mismatches:
        yield False, judged.expectation.text, wrong.cell, wrong.what
    if answer.answer is PolicyAnswer.UNMEASURED:
        for judged in answer.judged:
            for cell in judged.unmeasured:
                yield True, judged.expectation.text, cell.cell, cell.why


def _make_finding(
    data: RunData, is_unknown: bool, required: str, cells: tuple[str, ...], what: str
) -> VerifyFinding:
    observation = data.find(cells[0])
    reply, log = "", ""
    if observation is not None:
        reply, log = reply_and_log(data, observation, is_unknown=is_unknown)
    return VerifyFinding(required, what, is_unknown, cells, reply, log)


def reply_and_log(
    data: RunData, observation: Observation, *, is_unknown: bool = False
) -> tuple[str, str]:
    """The server's error reply and the decisive line of Postfix's log; "" where there is none.

    ``is_unknown``: the question is why nothing is known, and not what was negotiated.
    """
    evidence = data.evidence(observation) or {}
    client = evidence.get("client") or {}
    reply = client.get("reply") or {}
    text = f"{reply['code']} {reply['text']}" if reply and int(reply["code"]) >= 400 else ""
    question = DecisiveQuestion.ENDED
    if is_unknown and observation.stage in AFTER_TLS:
        question = DecisiveQuestion.REFUSED
    elif not is_unknown and negotiated_protocol(observation):
        question = DecisiveQuestion.NEGOTIATED
    lines = [str(line) for line in evidence.get("log") or ()]
    return text, decisive_line(lines, question) or ""


def rejection_line(data: RunData, build: str, scenario: str, service: str) -> str:
    """Why Postfix does not serve with a configuration: the line of its log that says so, or "".

    A process that died logs it in the cells that it should have served; if the master did not
    start, it is in the instance's evidence.
    """
    instance = data.instance(build, scenario) or {}
    lines = [*instance.get("startup", ()), *str(instance.get("check", "")).splitlines()]
    if not instance.get("started", True):
        return decisive_line(map(str, lines)) or next(map(str, lines), "")
    for cell in data.observations:
        if (cell.build, cell.scenario, cell.service) == (build, scenario, service):
            _, log = reply_and_log(data, cell)
            if "fatal: " in log or "panic: " in log:
                return log
            lines = [*lines, log]
    return decisive_line(map(str, lines)) or ""
