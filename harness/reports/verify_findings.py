"""What an answer of ``verify`` rests on, cell by cell, with Postfix's own words beside it."""

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
    """One thing that is wrong, or not known, of a service, in all cells that say it.

    ``asked`` is what the policy asks there, ``what`` what is so instead. ``reply`` is the server's
    reply (``554 5.7.1 ...``) and ``log`` the decisive line of Postfix's log, both of the first
    cell; "" where there is none. ``is_gap``: it is not known, and not a contradiction.
    """

    asked: str
    what: str
    is_gap: bool
    cells: tuple[str, ...]
    reply: str = ""
    log: str = ""

    @property
    def builds(self) -> tuple[str, ...]:
        """The builds of its cells."""
        return tuple(dict.fromkeys(cell.split("/", 1)[0] for cell in self.cells))

    @property
    def clients(self) -> dict[tuple[str, ...], list[str]]:
        """The clients of its cells, those that made the same offers together, with these offers."""
        by_offer: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            _, _, _, client, offer = cell.split("/", 4)
            by_offer.setdefault(offer, {})[client] = None
        found: dict[tuple[str, ...], list[str]] = {}
        for offer, clients in by_offer.items():
            found.setdefault(tuple(clients), []).append(offer)
        return found


def findings(data: RunData, answer: ServiceAnswer) -> tuple[VerifyFinding, ...]:
    """What a service's answer rests on, where it is not "yes": contradictions, then gaps.

    Gaps are told of builds that nothing contradicts only. Of a build that rejects the configuration
    there is nothing to tell but that (:func:`rejection`).
    """
    grouped: dict[tuple[bool, str, str], list[str]] = {}
    wishes: dict[tuple[bool, str, str], dict[str, None]] = {}
    for one in answer.builds.values():
        for is_gap, asked, cell, what in _words(one):
            # A gap is one thing however much is asked of the cell.
            key = (is_gap, "" if is_gap else asked, what)
            cells = grouped.setdefault(key, [])
            if cell not in cells:
                cells.append(cell)
            wishes.setdefault(key, {})[asked] = None
    order = sorted(grouped, key=lambda key: key[0])
    return tuple(
        _finding(data, key[0], "; ".join(wishes[key]), key[2], tuple(grouped[key])) for key in order
    )


def _words(one: BuildAnswer) -> Iterator[tuple[bool, str, str, str]]:
    if one.answer is PolicyAnswer.CONFIG_REJECTED:
        return
    for judged, wrong in one.mismatches:
        yield False, judged.expectation.text, wrong.cell, wrong.what
    if one.answer is PolicyAnswer.UNMEASURED:
        for judged in one.judged:
            for gap in judged.unmeasured:
                yield True, judged.expectation.text, gap.cell, gap.why


def _finding(
    data: RunData, is_gap: bool, asked: str, what: str, cells: tuple[str, ...]
) -> VerifyFinding:
    seen = data.find(cells[0])
    reply, log = own_words(data, seen, is_gap=is_gap) if seen is not None else ("", "")
    return VerifyFinding(asked, what, is_gap, cells, reply, log)


def own_words(data: RunData, seen: Observation, *, is_gap: bool = False) -> tuple[str, str]:
    """The server's refusing reply and the decisive line of Postfix's log; "" for what is not there.

    ``is_gap``: what is asked is why nothing is known, and not what was negotiated.
    """
    evidence = data.evidence(seen) or {}
    client = evidence.get("client") or {}
    reply = client.get("reply") or {}
    text = f"{reply['code']} {reply['text']}" if reply and int(reply["code"]) >= 400 else ""
    if is_gap:
        question = DecisiveQuestion.REFUSED if seen.stage in AFTER_TLS else DecisiveQuestion.ENDED
    else:
        question = (
            DecisiveQuestion.NEGOTIATED if negotiated_protocol(seen) else DecisiveQuestion.ENDED
        )
    lines = [str(line) for line in evidence.get("log") or ()]
    return text, decisive_line(lines, question) or ""


def rejection(data: RunData, build: str, scenario: str, service: str) -> str:
    """Why Postfix does not serve with a configuration: the line of its log that says so, or "".

    A process that died says it in the cells that it should have served, a master that did not start
    in the instance's evidence.
    """
    instance = data.instance(build, scenario) or {}
    said = [*instance.get("startup", ()), *str(instance.get("check", "")).splitlines()]
    if not instance.get("started", True):
        return decisive_line(map(str, said)) or next(map(str, said), "")
    for one in data.observations:
        if (one.build, one.scenario, one.service) == (build, scenario, service):
            _, log = own_words(data, one)
            if "fatal: " in log or "panic: " in log:
                return log
            said = [*said, log]
    return decisive_line(map(str, said)) or ""
