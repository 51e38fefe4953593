"""Whether two servers behave alike: the same clients and offers, cell by cell.

What counts is what a client experiences: the outcome, its reason, the TLS version. Another cipher
or group is no other behaviour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import RunData
from harness.pytest_plugin.engine_requests import CellAnswer
from harness.pytest_plugin.failures import count_more, describe_place
from harness.pytest_plugin.not_measured import NotMeasured
from harness.pytest_plugin.protocol_facts import describe_ending
from harness.reports.evidence_command import evidence_command
from harness.reports.verify_findings import reply_and_log
from harness.verdicts.observation_diff import INCONCLUSIVE, protocol_of


@dataclass(frozen=True, slots=True)
class BehaviourPair:
    """One client's offer to one service of both servers."""

    cell: Observation
    other: Observation


def check_same_behaviour(
    data: RunData,
    answers: Mapping[str, CellAnswer],
    other_answers: Mapping[str, CellAnswer],
    other_name: str,
) -> None:
    """Compare the cells of two servers by service, client and offer.

    Raises:
        AssertionError: some differ; the text has each with both results.
        NotMeasured: none differs, and some show nothing.
    """
    pairs: list[BehaviourPair] = []
    unknown: list[str] = []
    for place, answer in answers.items():
        cell, other = answer.observation, other_answers[place].observation
        if cell is None or other is None:
            unknown.append(f"{place}: {answer.why or other_answers[place].why}")
        elif unclear := _find_unclear(cell, other):
            unknown.append(f"{describe_place(unclear.cell)}: {describe_ending(unclear)}")
        elif cell.outcome is not Outcome.CLIENT_INCAPABLE:
            pairs.append(BehaviourPair(cell, other))
    differing = [pair for pair in pairs if _behaviour_of(pair.cell) != _behaviour_of(pair.other)]
    if differing:
        raise AssertionError("\n".join(_report_differences(data, differing, other_name)))
    if unknown or not pairs:
        first = unknown[0] if unknown else "no client can make any of the offers"
        raise NotMeasured(f"not measured: {first}{count_more(len(unknown) - 1)}")


def _find_unclear(cell: Observation, other: Observation) -> Observation | None:
    """The one of two cells that shows nothing; a client that cannot make an offer can to none."""
    if cell.outcome is other.outcome is Outcome.CLIENT_INCAPABLE:
        return None
    pair = (cell, other)
    return next((e for e in pair if e.outcome in INCONCLUSIVE or e.agree is False), None)


def _report_differences(
    data: RunData, differing: list[BehaviourPair], other_name: str
) -> Iterator[str]:
    first = differing[0]
    yield (
        f"{describe_place(first.cell.cell)}: {_describe_cell(first.cell)}, "
        f"with {other_name}: {_describe_cell(first.other)}{count_more(len(differing) - 1)}"
    )
    for pair in differing:
        yield f"  {describe_place(pair.cell.cell)}"
        yield f"    here      {_describe_cell(pair.cell)}"
        yield f"    there     {_describe_cell(pair.other)}"
        _, log = reply_and_log(data, pair.cell)
        if log:
            yield f"    log       {log}"
        yield f"    evidence  {evidence_command(data.folder, pair.cell.cell)}"


def _behaviour_of(observation: Observation) -> tuple[object, ...]:
    return (observation.outcome, observation.reason, protocol_of(observation))


def _describe_cell(observation: Observation) -> str:
    protocol = protocol_of(observation)
    return describe_ending(observation) + (f" with {protocol}" if protocol else "")
