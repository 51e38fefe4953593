"""Whether the negotiated session lies within what a client was told to offer.

A client that ignores its pin "succeeds": curl --sslv3 negotiates TLSv1.3, and software without an
option for a cipher list offers all ciphers. What is unknown of a session counts against no one.
"""

from __future__ import annotations

from harness.observations.groups import comparable_group
from harness.observations.record import TlsView
from harness.tls import Offer, Protocol

_RANKS = {protocol.value: protocol.rank for protocol in Protocol}


def outside_offer(offer: Offer, view: TlsView | None) -> str | None:
    """What was negotiated outside the offer; None where all that is known lies within it.

    For an offer that names ciphers, a cipher of another protocol version is outside as well: such
    an offer has these ciphers alone.
    """
    if offer.lowest is None or offer.highest is None or view is None:
        return None
    rank = _RANKS.get(view.protocol or "")
    if rank is not None and not offer.lowest.rank <= rank <= offer.highest.rank:
        return view.protocol
    if offer.ciphers and view.cipher and view.cipher not in offer.ciphers:
        return view.cipher
    name = comparable_group(view.group)
    if offer.groups and name and name not in {comparable_group(group) for group in offer.groups}:
        return view.group
    return None
