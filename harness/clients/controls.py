"""Which control servers tell a client that cannot from a server that will not. Pure.

A permissive control is a server of the same run that grants everything. None reaches over all of
SSLv2 to TLSv1.3, so each offer has the controls that speak every version in it, the most modern
first. A build has controls of its own besides: itself with everything open
(``scenarios.permissive_copy``). The forbidding control refuses every handshake: a driver that comes
back from there with TLS cannot be believed when it tells of a refusal, or of none.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.catalog.cells import CONTROL_PREFIX, Cell
from harness.catalog.clients import Control
from harness.tls import Offer, Service

#: The "scenario" of the cells of permissive controls, and of the forbidding one.
PERMISSIVE = "permissive"
FORBIDDING = "forbidding"


def controls_for(offer: Offer, controls: Iterable[Control]) -> tuple[Control, ...]:
    """The controls that can grant an offer whole; ``default`` is anything, so all of them."""
    return tuple(one for one in controls if not one.forbids and _speaks(one, offer))


def first_controls(offers: Iterable[Offer], controls: Iterable[Control]) -> tuple[Control, ...]:
    """The controls that cells of these offers ask first; the others are asked where these refuse.

    Offers of no TLS ask none.
    """
    known = tuple(controls)
    tls = [offer for offer in offers if not offer.plaintext]
    permissive = [asked[0] for offer in tls if (asked := controls_for(offer, known))]
    return tuple(dict.fromkeys((*permissive, *(forbidding(known) if tls else ()))))


def forbidding(controls: Iterable[Control]) -> tuple[Control, ...]:
    """The controls that refuse every handshake."""
    return tuple(one for one in controls if one.forbids)


def control_cell(control: Control, service: Service, client: str, offer: Offer) -> Cell:
    """The cell that measures a control."""
    scenario = FORBIDDING if control.forbids else PERMISSIVE
    return Cell(control.name, scenario, service, client, offer)


def own_cell(build: str, scenario: str, client: str, offer: Offer) -> Cell:
    """The cell that measures one of a build's own controls; TLS is the same on every service."""
    return Cell(f"{CONTROL_PREFIX}{build}", scenario, Service.SMTP, client, offer)


def _speaks(control: Control, offer: Offer) -> bool:
    if offer.lowest is None or offer.highest is None:
        return True
    return control.lowest.rank <= offer.lowest.rank and offer.highest.rank <= control.highest.rank
