#!/usr/bin/python3
"""Client driver: curl before 7.54, which has one option for one version, behind the relay.

Ubuntu 14.04's is linked to OpenSSL, 16.04's to GnuTLS.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace
from typing import Any

from common.contract import Offer, Request, main
from common.mailer import Incapable, Relayed, Report, format_message
from curl_driver import CURL, LOWEST, Curl, make_command, read_output
from programs import ask_program, find_first, run_mail_program

#: Before 7.54 ``--tlsv1`` offers whatever of TLS the library has, and ``--tlsv1.0`` that alone.
ALL_TLS = ("TLSv1", "TLSv1.2")


@functools.cache
def uses_gnutls() -> bool:
    """Whether this curl is linked to GnuTLS."""
    return "GnuTLS/" in ask_program(CURL, "--version")


def old_offer_options(offer: Offer) -> list[str]:
    """The options of an offer.

    Raises:
        Incapable: this curl has none for it.
    """
    if offer.highest == "TLSv1.3" or offer.groups:
        raise Incapable("this curl has no option for TLSv1.3, and none for groups")
    if offer.lowest == offer.highest:
        # In curl_driver.py, TLSv1 is --tlsv1, which here is more.
        version = "--tlsv1.0" if offer.lowest == "TLSv1" else LOWEST[offer.lowest]
    elif (offer.lowest, offer.highest) == ALL_TLS:
        version = "--tlsv1"
    else:
        raise Incapable("this curl has options for one version, and for all of TLS")
    if uses_gnutls():
        if offer.ciphers:
            raise Incapable("curl on GnuTLS takes no list of ciphers")
        return [version]
    # Its OpenSSL has no security levels, and refuses a list that names one.
    return [version, "--ciphers", ":".join(offer.ciphers) or "ALL:COMPLEMENTOFALL"]


def make_old_command(request: Request, port: int) -> list[str]:
    """The command line.

    Raises:
        Incapable: this curl has no option for the offer.
    """
    plain = make_command(replace(request, offer=None), port)
    if request.offer is None:
        return plain
    return [*plain, "--insecure", *old_offer_options(request.offer)]


class OldCurl(Curl):
    """The mailer."""

    async def describe(self) -> dict[str, Any]:
        """What this is; it has no option for TLSv1.3. 14.04's OpenSSL has SSLv3."""
        offers = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"]
        described = {**await super().describe(), "offers": offers}
        if uses_gnutls():
            version = find_first(r"GnuTLS/(\S+)", ask_program(CURL, "--version"))
            described |= {"tls_library": "GnuTLS", "tls_version": f"GnuTLS {version}"}
        return described

    async def send_message(self, request: Request, port: int) -> Report:
        """Run curl once."""
        ended = await run_mail_program(make_old_command(request, port), format_message(request))
        report = read_output(ended.status, ended.errors)
        # GnuTLS has other names of versions and ciphers; the connection has the registry's numbers.
        return replace(report, protocol=None, cipher=None) if uses_gnutls() else report


if __name__ == "__main__":
    asyncio.run(main(Relayed(OldCurl())))
