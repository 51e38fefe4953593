"""Whether what was negotiated lies within what a client was told to offer. Pure.

A client that ignores its pin "succeeds": curl --sslv3 negotiates TLSv1.3, and software that has no
word for a cipher list offers all it has. What is not known of a session is held against nobody.
"""

from __future__ import annotations

from harness.observations.record import TlsView
from harness.tls import Offer, Protocol

# One group has several names: OpenSSL's, NIST's, the TLS registry's.
_GROUPS = {"prime256v1": "p-256", "secp256r1": "p-256", "secp384r1": "p-384", "secp521r1": "p-521"}
_RANKS = {protocol.value: protocol.rank for protocol in Protocol}


def outside(offer: Offer, seen: TlsView | None) -> str | None:
    """What was negotiated that the offer does not have; None where all that is known lies within.

    Of an offer that names ciphers each of another version's names is outside too: such an offer has
    these ciphers alone.
    """
    if offer.lowest is None or offer.highest is None or seen is None:
        return None
    rank = _RANKS.get(seen.protocol or "")
    if rank is not None and not offer.lowest.rank <= rank <= offer.highest.rank:
        return seen.protocol
    if offer.ciphers and seen.cipher and seen.cipher not in offer.ciphers:
        return seen.cipher
    name = common_name(seen.group)
    if offer.groups and name and name not in {common_name(one) for one in offer.groups}:
        return seen.group
    return None


def common_name(group: str | None) -> str | None:
    """A group by the one name that stands for all that it has; None for DHE's nameless primes.

    Postfix logs these as ``DHE (2048 bits)``.
    """
    name = group.lower() if group else ""
    return _GROUPS.get(name, name) if name and not name.endswith(" bits") else None
