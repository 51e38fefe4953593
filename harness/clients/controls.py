"""Selects the control servers that show whether a client is unable or a server refuses.

A permissive control is a server of the same run that accepts everything. None supports all versions
from SSLv2 to TLSv1.3, so each offer has the controls that support every version in it, the most
modern first. Each build has its permissive copy besides (``scenarios.permissive_copy``). The
forbidding control refuses every handshake: a driver that reports TLS there is not trusted when it
reports a refusal or a success elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.catalog.cells import CONTROL_PREFIX, Cell
from harness.catalog.clients import Control, all_controls
from harness.tls import INBOUND, Offer, Service

#: The "scenario" of the cells of permissive controls, and of the forbidding one.
PERMISSIVE = "permissive"
FORBIDDING = "forbidding"


def controls_for(offer: Offer, controls: Iterable[Control]) -> tuple[Control, ...]:
    """The controls that can accept every version of an offer; for ``default``, all of them."""
    return tuple(
        control for control in controls if not control.forbids and _grants_offer(control, offer)
    )


def first_controls(offers: Iterable[Offer], controls: Iterable[Control]) -> tuple[Control, ...]:
    """The first control for each of these offers; the others are used where it refuses.

    An offer without TLS needs none.
    """
    known = tuple(controls)
    tls = [offer for offer in offers if not offer.plaintext]
    permissive = [granting[0] for offer in tls if (granting := controls_for(offer, known))]
    return tuple(dict.fromkeys((*permissive, *(forbidding_controls(known) if tls else ()))))


def forbidding_controls(controls: Iterable[Control]) -> tuple[Control, ...]:
    """The controls that refuse every handshake."""
    return tuple(control for control in controls if control.forbids)


def control_cell(control: Control, service: Service, client: str, offer: Offer) -> Cell:
    """The cell that measures a control."""
    scenario = FORBIDDING if control.forbids else PERMISSIVE
    return Cell(control.name, scenario, service, client, offer)


def control_cells(client: str, offer: Offer) -> tuple[Cell, ...]:
    """Every cell that controls can have with a client and an offer."""
    return tuple(
        control_cell(control, service, client, offer)
        for control in all_controls()
        for service in INBOUND
    )


def permissive_copy_cell(build: str, scenario: str, client: str, offer: Offer) -> Cell:
    """The cell that measures the permissive copy of a build; TLS is the same on every service."""
    return Cell(f"{CONTROL_PREFIX}{build}", scenario, Service.SMTP, client, offer)


def _grants_offer(control: Control, offer: Offer) -> bool:
    if offer.lowest is None or offer.highest is None:
        return True
    return control.lowest.rank <= offer.lowest.rank and offer.highest.rank <= control.highest.rank
