"""Which TLS versions a service accepts, from cells of clients that offer one version each."""

from __future__ import annotations

from collections.abc import Iterable

from harness.catalog.cells import Cell
from harness.observations.record import Observation, Outcome
from harness.pytest_plugin.engine_requests import CellAnswer
from harness.pytest_plugin.not_measured import NotMeasured
from harness.reports.protocols import is_negotiated, is_proved
from harness.tls import Offer, Protocol, Service

_OLD_CLIENT, _NEW_CLIENT = "openssl-1.0.2h", "openssl-3.5.7"
#: The clients that can offer each version: a server may refuse the ciphers of one of them.
PROBES = {
    Protocol.SSLv2: (_OLD_CLIENT,),
    Protocol.SSLv3: (_OLD_CLIENT,),
    Protocol.TLSv1: (_OLD_CLIENT,),
    Protocol.TLSv1_1: (_OLD_CLIENT,),
    Protocol.TLSv1_2: (_OLD_CLIENT, _NEW_CLIENT),
    Protocol.TLSv1_3: (_NEW_CLIENT,),
}


def protocol_cells(build: str, scenario: str, service: Service) -> tuple[Cell, ...]:
    """The cells that show which versions a service accepts."""
    return tuple(
        Cell(build, scenario, service, client, Offer(protocol, protocol))
        for protocol, clients in PROBES.items()
        for client in clients
    )


def accepted_protocols(answers: Iterable[CellAnswer]) -> set[str]:
    """The versions that some client negotiated.

    A version is not among them only where a client that can offer it was refused, as a control
    shows.

    Raises:
        NotMeasured: that is not known of every version.
    """
    by_offer: dict[str, list[CellAnswer]] = {}
    for answer in answers:
        by_offer.setdefault(answer.cell.rsplit("/", 1)[1], []).append(answer)
    return {offer for offer, of_offer in by_offer.items() if _is_accepted(offer, of_offer)}


def _is_accepted(offer: str, answers: list[CellAnswer]) -> bool:
    observations = [answer.observation for answer in answers if answer.observation]
    if any(map(is_negotiated, observations)):
        return True
    unknown = [why for answer in answers if (why := _why_unknown(answer))]
    capable = [cell for cell in observations if cell.outcome is not Outcome.CLIENT_INCAPABLE]
    if unknown or not capable:
        whys = unknown or [f"{answer.cell}: the client cannot offer it" for answer in answers]
        raise NotMeasured(f"whether {offer} is accepted was not measured: {whys[0]}")
    return False


def _why_unknown(answer: CellAnswer) -> str:
    """Why a cell does not show whether its version is accepted; "" where it does."""
    observation = answer.observation
    if observation is None:
        return f"{answer.cell}: {answer.why}"
    if observation.outcome is Outcome.CLIENT_INCAPABLE or is_proved(observation):
        return ""
    return f"{answer.cell}: {describe_ending(observation)}"


def describe_ending(observation: Observation) -> str:
    """How a cell ended, in a few words: ``refused at handshake (protocol-version)``."""
    at = f" at {observation.stage}" if observation.stage else ""
    reason = f" ({observation.reason})" if observation.reason else ""
    return f"{observation.outcome}{at}{reason}"
