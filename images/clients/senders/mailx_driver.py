#!/usr/bin/python3
"""Client driver: s-nail, S-nail's predecessor Heirloom mailx (OpenSSL), a program run a message."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.contract import EHLO_NAME, PROTOCOLS, Offer, Request, main
from common.mailer import Incapable, Relayed, Report, find_refusal
from description import describe_sender
from libraries import read_openssl_version
from programs import find_first, package_version, run_mail_program

PROGRAMS = ("/usr/bin/s-nail", "/usr/bin/heirloom-mailx")


def make_variables(request: Request, port: int, version: tuple[int, ...]) -> dict[str, str | None]:
    """The variables of s-nail(1) for one message; None: set without a value.

    Raises:
        Incapable: it has no option for the offer.
    """
    scheme = "smtps" if request.implicit_tls else "smtp"
    user = "" if request.username is None else f"{quote_part(request.username)}:"
    user += "" if request.username is None else f"{quote_part(str(request.password))}@"
    url = f"{scheme}://{user}{request.server_name}:{port}"
    variables: dict[str, str | None] = {
        "v15-compat": "yes",
        "from": request.sender,
        "hostname": EHLO_NAME,
        "sendwait": None,
        "smtp" if version < (14, 9) else "mta": url,
        "smtp-auth": "none" if request.username is None else "plain",
    }
    if not request.plaintext and not request.implicit_tls:
        variables["smtp-use-starttls"] = None
    tls = "ssl" if version < (14, 9, 7) else "tls"
    if request.offer is None:
        variables |= {f"{tls}-ca-file": request.ca_file, f"{tls}-verify": "strict"}
    else:
        variables[f"{tls}-verify"] = "ignore"
        variables |= make_offer_variables(request.offer, tls, version)
    return variables


def make_offer_variables(offer: Offer, tls: str, version: tuple[int, ...]) -> dict[str, str | None]:
    """The variables that pin an offer. Before 14.9 there is one for versions, one for ciphers.

    Raises:
        Incapable: it has no option for the offer.
    """
    if version >= (14, 9):
        return {f"{tls}-config-pairs": make_pairs(offer)}
    # Ubuntu's OpenSSL 1.0.2 was built without SSLv3, and offers more when no other is left.
    if offer.groups or {"SSLv2", "SSLv3", "TLSv1.3"} & set(offer.list_versions()):
        raise Incapable("this s-nail has no option for groups; SSLv3 and TLSv1.3 are not supported")
    named = ", ".join(f"+{version}" for version in offer.list_versions())
    ciphers = ":".join(offer.ciphers) or "ALL:COMPLEMENTOFALL"
    return {"ssl-protocol": f"-ALL, {named}", "ssl-cipher-list": ciphers}


def make_pairs(offer: Offer) -> str:
    """An offer as SSL_CONF_cmd(3) has it.

    Raises:
        Incapable: it has no word for the offer.
    """
    if offer.lowest == "SSLv2":
        raise Incapable("SSL_CONF_cmd(3) has no word for SSLv2")
    new = [name for name in offer.ciphers if name.startswith("TLS_")]
    old = [name for name in offer.ciphers if name not in new] or ["ALL", "COMPLEMENTOFALL"]
    pairs = {
        "MinProtocol": offer.lowest,
        "MaxProtocol": offer.highest,
        "CipherString": ":".join([*old, "@SECLEVEL=0"]),
        **({"Ciphersuites": ":".join(new)} if new else {}),
        **({"Curves": ":".join(offer.groups)} if offer.groups else {}),
    }
    return ",".join(f"{name}={value}" for name, value in pairs.items())


def quote_part(text: str) -> str:
    """A part of a URL. Of RFC 3986's unreserved characters, s-nail insists that none is quoted."""
    return quote(text, safe="")


class Mailx:
    """The mailer."""

    plaintext = True

    def __init__(self) -> None:
        self._program = next(name for name in PROGRAMS if Path(name).exists())
        name = "s-nail" if "s-nail" in self._program else "heirloom-mailx"
        self._release = package_version(name).partition("-")[0]
        self._version = tuple(int(part) for part in self._release.split("."))

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        library = read_openssl_version(self._program)
        offers = PROTOCOLS[2:] if library >= "OpenSSL 1.1.1" else PROTOCOLS[2:5]
        return describe_sender(Path(self._program).name, self._release, library, offers)

    async def send_message(self, request: Request, port: int) -> Report:
        """Run it once."""
        command = [self._program, "-n", "-s", request.subject]
        for name, value in make_variables(request, port, self._version).items():
            command += ["-S", name if value is None else f"{name}={value}"]
        body = f"{request.id}\n".encode()
        free = {} if request.offer is None else {"OPENSSL_CONF": "/dev/null"}
        environment = {"HOME": "/tmp", "MAILRC": "/dev/null", **free}
        ended = await run_mail_program([*command, request.recipient], body, environment)
        text = ended.both_outputs
        return Report(ended.status == 0, text or None, find_refusal(text), find_stage(text))


def find_stage(text: str) -> str | None:
    """Where it says that it was turned away."""
    return "auth" if find_first(r"(?i)(authentication)", text) else None


if __name__ == "__main__":
    asyncio.run(main(Relayed(Mailx())))
