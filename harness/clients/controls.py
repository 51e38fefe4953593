"""Which control servers tell a client that cannot from a server that will not. Pure.

A control is a permissive server of the same run. None reaches over all of SSLv2 to TLSv1.3, so each
offer has the controls that speak every version in it, the most modern first.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.catalog.cells import Cell
from harness.catalog.clients import Control
from harness.tls import Offer, Service

#: The "scenario" of all control cells.
PERMISSIVE = "permissive"


def controls_for(offer: Offer, controls: Iterable[Control]) -> tuple[Control, ...]:
    """The controls that can grant an offer whole; ``default`` is anything, so all of them."""
    return tuple(control for control in controls if _speaks(control, offer))


def control_cell(control: str, service: Service, client: str, offer: Offer) -> Cell:
    """The cell that measures a control."""
    return Cell(control, PERMISSIVE, service, client, offer)


def _speaks(control: Control, offer: Offer) -> bool:
    if offer.lowest is None or offer.highest is None:
        return True
    return control.lowest.rank <= offer.lowest.rank and offer.highest.rank <= control.highest.rank
