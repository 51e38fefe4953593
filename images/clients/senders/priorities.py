"""GnuTLS's priority strings in the spelling of a suite's GnuTLS, 2.12 to 3.8."""

from __future__ import annotations

import re

from common.contract import PROTOCOLS, Offer
from common.mailer import Incapable
from gnutls import make_priorities

#: TLSv1.3 came with 3.6.3; the words GROUP-* with 3.6.0, CURVE-* with 3.0, VERS-ALL with 3.4.
_TLS13, _GROUPS, _CURVES, _VERS_ALL = (3, 6, 3), (3, 6), (3, 0), (3, 4)
_WITHOUT_SSL3 = (3, 6)


def parse_gnutls_version(text: str) -> tuple[int, ...]:
    """``GnuTLS 3.4.10-4ubuntu1`` in numbers: 3, 4, 10.

    Raises:
        ValueError: there is no version in it.
    """
    numbers = re.search(r"GnuTLS (\d+(?:\.\d+)+)", text)
    if numbers is None:
        raise ValueError(f"{text!r} names no version of GnuTLS")
    return tuple(int(part) for part in numbers[1].split("."))


def list_versions(gnutls: tuple[int, ...]) -> list[str]:
    """What this GnuTLS can offer. From 3.6 on it is built without SSLv3, and has the word only."""
    lowest = 1 if gnutls < _WITHOUT_SSL3 else 2
    return list(PROTOCOLS[lowest:] if gnutls >= _TLS13 else PROTOCOLS[lowest:5])


def spell_priorities(offer: Offer, gnutls: tuple[int, ...]) -> str:
    """An offer as this GnuTLS spells it.

    Raises:
        Incapable: it has no word for the offer.
    """
    return respell_priorities(make_priorities(offer), gnutls)


def respell_priorities(priorities: str, gnutls: tuple[int, ...]) -> str:
    """A priority string for today's GnuTLS in the spelling of this one.

    Raises:
        Incapable: it has no word for a part of it.
    """
    if "+VERS-TLS1.3" in priorities and gnutls < _TLS13:
        raise Incapable("GnuTLS never had TLSv1.3 before 3.6.3")
    if "GROUP-" in priorities and gnutls < _GROUPS:
        if gnutls < _CURVES or "FFDHE" in priorities:
            raise Incapable("this GnuTLS has no option for groups")
        priorities = priorities.replace("GROUP-", "CURVE-")
    return priorities if gnutls >= _VERS_ALL else priorities.replace("VERS-ALL", "VERS-TLS-ALL")
