#!/usr/bin/python3
"""Client driver: mutt (GnuTLS), told to send one message without its screen."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from common.contract import EHLO_NAME, Request, main
from common.mailer import Incapable, Relayed, Report, find_refusal
from description import describe_sender
from libraries import read_gnutls_version
from priorities import list_versions, parse_gnutls_version, spell_priorities
from programs import ask_program, find_first, run_mail_program

#: mutt's program; packages of patched versions used to divert it.
PROGRAMS = ("/usr/bin/mutt", "/usr/bin/mutt-org")
#: mutt's own switches of versions, which it adds to a priority string. That of SSLv3 is not used:
#: from GnuTLS 3.6 on it has no effect.
_SWITCHES = {
    "TLSv1": "ssl_use_tlsv1",
    "TLSv1.1": "ssl_use_tlsv1_1",
    "TLSv1.2": "ssl_use_tlsv1_2",
    "TLSv1.3": "ssl_use_tlsv1_3",
}


def make_configuration(request: Request, port: int, gnutls: tuple[int, ...], spool: str) -> str:
    """A muttrc for one message.

    Raises:
        Incapable: it has no option for the offer.
    """
    scheme = "smtps" if request.implicit_tls else "smtp"
    user = "" if request.username is None else f"{request.username.replace('@', '%40')}@"
    settings = {
        "smtp_url": f"{scheme}://{user}{request.server_name}:{port}/",
        "smtp_pass": request.password or "",
        "from": request.sender,
        "realname": "",
        "hostname": EHLO_NAME,
        "copy": "no",
        "record": "",
        "spoolfile": spool,
        "folder": str(Path(spool).parent),
        "ssl_starttls": "no" if request.plaintext else "yes",
    }
    if request.plaintext:
        settings["ssl_force_tls"] = "no"
    elif request.offer is None:
        settings |= {
            "certificate_file": request.ca_file,
            "ssl_ca_certificates_file": request.ca_file,
        }
    else:
        settings |= make_offer_settings(request, gnutls)
    return "".join(f'set {name}="{value}"\n' for name, value in settings.items())


def make_offer_settings(request: Request, gnutls: tuple[int, ...]) -> dict[str, str]:
    """The settings that pin an offer.

    Raises:
        Incapable: it has no option for the offer.
    """
    assert request.offer is not None
    offered = request.offer.list_versions()
    if unknown := [version for version in offered if version not in _SWITCHES]:
        raise Incapable(f"mutt has no option for {unknown[0]} on this GnuTLS")
    settings = {
        switch: "yes" if version in offered else "no"
        for version, switch in _SWITCHES.items()
        if version in offered or version in list_versions(gnutls)
    }
    return {
        **settings,
        "ssl_force_tls": "yes",
        "ssl_ciphers": spell_priorities(request.offer, gnutls),
        "certificate_file": request.ca_file,
        "ssl_ca_certificates_file": request.ca_file,
    }


class Mutt:
    """The mailer. ``paths``: where its program may be."""

    plaintext = True
    paths: tuple[str, ...] = PROGRAMS

    def __init__(self) -> None:
        self._program = next(path for path in self.paths if Path(path).exists())
        self._library = read_gnutls_version(self._program)
        self._gnutls = parse_gnutls_version(self._library)

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        name = Path(self._program).name.partition("-")[0]
        version = find_first(r"(?:Neo)?Mutt (\S+)", ask_program(self._program, "-v"))
        offers = [version for version in list_versions(self._gnutls) if version in _SWITCHES]
        return describe_sender(name, version, self._library, offers)

    async def send_message(self, request: Request, port: int) -> Report:
        """Run it once, with a home of its own."""
        with tempfile.TemporaryDirectory(prefix="mutt-") as folder:
            spool = f"{folder}/spool"
            Path(spool).touch()
            rc = Path(folder, "muttrc")
            rc.write_text(make_configuration(request, port, self._gnutls, spool))
            command = [self._program, "-n", "-F", str(rc), "-s", request.subject]
            ended = await run_mail_program(
                [*command, "--", request.recipient],
                f"{request.id}\n".encode(),
                {"HOME": folder, "TMPDIR": folder, "TERM": "dumb"},
            )
        text = ended.both_outputs
        stage = "auth" if "authentication failed" in text.lower() else None
        return Report(ended.status == 0, text or None, find_refusal(text), stage)


if __name__ == "__main__":
    asyncio.run(main(Relayed(Mutt())))
