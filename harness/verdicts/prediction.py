"""How well a client's recorded hello predicts the client's own cells, in a run that has both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.catalog.cells import is_control
from harness.catalog.recordings import RECORDED_PREFIX
from harness.observations.record import Observation, Outcome, Stage
from harness.verdicts.observation_diff import INCONCLUSIVE, cipher_of, protocol_of


@dataclass(frozen=True, slots=True)
class MissedCell:
    """A real cell that was predicted otherwise; both as text."""

    cell: str
    predicted: str
    real: str
    error: str


@dataclass(frozen=True, slots=True)
class PredictionFigures:
    """How many real cells were compared with their prediction, and those that were missed.

    ``silent`` are real cells that show nothing of the server (a time-out, an incapable client).
    """

    compared: int
    missed: tuple[MissedCell, ...]
    silent: int

    @property
    def share(self) -> float:
        """The share of cells that were predicted as they are; 0 where there are none."""
        return (self.compared - len(self.missed)) / self.compared if self.compared else 0.0


def compare_predictions(observations: Iterable[Observation]) -> PredictionFigures:
    """Compare each client's cells with those of its own recording (``hello-recorded-…``)."""
    by_place = {_place_of(cell): cell for cell in observations if not is_control(cell.build)}
    pairs = list(_pair_cells(by_place))
    counted = [(real, simulated) for real, simulated in pairs if _shows_any(real, simulated)]
    missed = tuple(
        MissedCell(real.cell, describe_tls(simulated), describe_tls(real), real.reason or "")
        for real, simulated in counted
        if describe_tls(real) != describe_tls(simulated)
    )
    return PredictionFigures(len(counted), missed, len(pairs) - len(counted))


def _place_of(cell: Observation) -> tuple[str, str, str, str, str]:
    return cell.build, cell.scenario, cell.service, cell.client, cell.offer


def _pair_cells(
    by_place: dict[tuple[str, str, str, str, str], Observation],
) -> Iterator[tuple[Observation, Observation]]:
    for place, simulated in by_place.items():
        client = place[3].removeprefix(RECORDED_PREFIX)
        real = by_place.get((*place[:3], client, place[4]))
        if client != place[3] and real is not None:
            yield real, simulated


def _shows_any(real: Observation, simulated: Observation) -> bool:
    return real.outcome not in INCONCLUSIVE and simulated.outcome not in INCONCLUSIVE


def describe_tls(cell: Observation) -> str:
    """What came of TLS in a cell, in the same text for a real cell and a prediction.

    A client whose handshake was completed has negotiated, whatever the server refused later.
    """
    protocol = protocol_of(cell)
    is_complete = cell.outcome is Outcome.ACCEPTED or (
        cell.outcome is Outcome.REFUSED and cell.stage not in (None, *_BEFORE_END)
    )
    if cell.outcome is Outcome.WOULD_NEGOTIATE or (is_complete and protocol):
        return f"{protocol} {cipher_of(cell)}"
    if cell.outcome in (Outcome.PLAINTEXT, Outcome.NOT_OFFERED):
        return "no TLS offered"
    if cell.outcome in (Outcome.REFUSED, Outcome.WOULD_BE_REFUSED):
        return "refused"
    return str(cell.outcome)


#: Stages at which a handshake is not complete.
_BEFORE_END = (Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.STARTTLS, Stage.HANDSHAKE)
