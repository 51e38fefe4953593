#!/usr/bin/python3
"""Client driver: curl (libcurl on OpenSSL), a program run a message, behind the relay."""

from __future__ import annotations

import asyncio
import functools
import re
from typing import Any

from common.contract import PROTOCOLS, Offer, Reply, Request, main
from common.mailer import Incapable, Relayed, Report, find_refusal, format_message
from programs import ask_program, find_first, run_mail_program

CURL = "/usr/bin/curl"
#: -2 and -3 are options too; from 7.77.0 on curl passes them over (curl(1)).
LOWEST = {"SSLv2": "--sslv2", "SSLv3": "--sslv3", **{p: f"--{p.lower()}" for p in PROTOCOLS[2:]}}
HIGHEST = {"TLSv1": "1.0", "TLSv1.1": "1.1", "TLSv1.2": "1.2", "TLSv1.3": "1.3"}
#: curl(1), EXIT CODES, where they say at which command it was turned away.
_STAGES = {67: "auth"}


def make_command(request: Request, port: int) -> list[str]:
    """The command line: TLS asked for, a file sent; with an offer what it takes to make it."""
    scheme = "smtps" if request.implicit_tls else "smtp"
    arguments = [CURL, "-q", "--silent", "--show-error", "--verbose", "--upload-file", "-"]
    arguments += ["--url", f"{scheme}://{request.server_name}:{port}/client.test", "--ssl-reqd"]
    arguments += ["--mail-from", request.sender, "--mail-rcpt", request.recipient]
    if request.username is not None:
        arguments += ["--user", f"{request.username}:{request.password}"]
    if request.offer is None:
        return [*arguments, "--cacert", request.ca_file]
    return [*arguments, "--insecure", *offer_options(request.offer)]


def offer_options(offer: Offer) -> list[str]:
    """The options of an offer. What has no option raises Incapable."""
    if offer.lowest.startswith("SSL"):
        if tuple(int(part) for part in curl_version().split(".")[:2]) >= (7, 77):
            raise Incapable(
                f"curl {curl_version()} passes {LOWEST[offer.lowest]} over: not supported"
            )
        if offer.highest != offer.lowest:
            raise Incapable(f"curl has no range from {offer.lowest} on")
        arguments = [LOWEST[offer.lowest]]
    else:
        lowest = "--tlsv1.0" if offer.lowest == "TLSv1" else LOWEST[offer.lowest]
        arguments = [lowest, "--tls-max", HIGHEST[offer.highest]]
    new = [name for name in offer.ciphers if name.startswith("TLS_")]
    old = [name for name in offer.ciphers if name not in new] or ["ALL", "COMPLEMENTOFALL"]
    arguments += ["--ciphers", ":".join([*old, "@SECLEVEL=0"])]
    arguments += ["--tls13-ciphers", ":".join(new)] if new else []
    return [*arguments, "--curves", ":".join(offer.groups)] if offer.groups else arguments


@functools.cache
def curl_version() -> str:
    """The release, ``7.88.1``."""
    return find_first(r"^curl (\S+)", ask_program(CURL, "--version"))


def read_output(status: int, errors: str) -> Report:
    """What curl reports of its message; ``errors`` has its verbose transcript."""
    message = "\n".join(line for line in errors.splitlines() if line.startswith("curl: ("))
    view = re.search(r"SSL connection using (\S+) / (\S+)", errors)
    protocol, cipher = (view[1], view[2]) if view else (None, None)
    replies = re.findall(r"^< (\d{3}) (.*?)\r?$", errors, re.M)
    taken = [Reply(250, text) for code, text in replies if code == "250" and "queued as" in text]
    reply = taken[-1] if status == 0 and taken else find_refusal(errors)
    protocol = "TLSv1" if protocol == "TLSv1.0" else protocol
    return Report(status == 0, message or None, reply, _STAGES.get(status), protocol, cipher)


class Curl:
    """The mailer."""

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        output = ask_program(CURL, "--version")
        return {
            "client": "curl",
            "version": curl_version(),
            "tls_library": "OpenSSL",
            "tls_version": "OpenSSL " + find_first(r"OpenSSL/(\S+)", output),
            "offers": list(PROTOCOLS[2:]),
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Run curl once."""
        # The distribution's openssl.cnf may forbid what is to be offered.
        free = {} if request.offer is None else {"OPENSSL_CONF": "/dev/null"}
        ended = await run_mail_program(make_command(request, port), format_message(request), free)
        return read_output(ended.status, ended.errors)


if __name__ == "__main__":
    asyncio.run(main(Relayed(Curl())))
