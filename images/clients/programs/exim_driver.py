#!/usr/bin/python3
"""Client driver: Exim (GnuTLS), an MTA told to deliver one message at once, behind the relay."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from common.contract import EHLO_NAME, PROTOCOLS, Reply, Request, main
from common.mailer import Relayed, Report, find_refusal, format_message
from gnutls import make_priorities
from programs import ask_program, find_first, package_version, run_mail_program

EXIM = "/usr/sbin/exim4"
#: "=> b@sink.test R=out T=out H=mx.test [127.0.0.1] X=TLS1.3:... C="250 2.0.0 Ok: queued as 9F2""
_SENT = re.compile(r'^ *=> .* C="(?P<code>\d{3}) (?P<text>.*)"', re.M)
#: What a log line begins with that says why a delivery did not go through.
_TROUBLE = re.compile(r"^ *(?:==|\*\*|H=|.*(?:TLS|SMTP) error|.*gnutls_)")


def make_configuration(request: Request, port: int, folder: str, group: int) -> str:
    """A whole exim.conf for one message: everything goes to the relay, and nothing else is done.

    TLS is the smtp transport's own default (where it is offered) unless there is an offer; with one
    it is required, by GnuTLS's priority string (spec 30.4, tls_require_ciphers).

    Raises:
        Incapable: GnuTLS has no word for the offer.
    """
    return "\n".join(
        [
            f"exim_user = {os.getuid()}",
            f"exim_group = {group}",
            # It is not root here, and has nobody to become.
            "deliver_drop_privilege = true",
            "never_users =",
            f"trusted_users = {os.getuid()}",
            f"spool_directory = {folder}/spool",
            f"log_file_path = {folder}/%slog",
            "log_selector = +tls_cipher +smtp_confirmation",
            f"primary_hostname = {EHLO_NAME}",
            "keep_environment =",
            "disable_ipv6 = true",
            "begin routers",
            "bounces:",
            "  driver = redirect",
            "  senders = :",
            "  data = :blackhole:",
            "out:",
            "  driver = manualroute",
            f"  route_list = * {request.server_name}::{port} byname",
            "  self = send",
            "  transport = out",
            "begin transports",
            "out:",
            "  driver = smtp",
            *(f"  {line}" for line in make_transport_options(request)),
            "begin retry",
            "begin authenticators",
            *_login_section(request),
            "",
        ]
    )


def make_transport_options(request: Request) -> list[str]:
    """The options of the smtp transport that a request needs.

    Raises:
        Incapable: GnuTLS has no word for the offer.
    """
    if request.plaintext:
        return ["hosts_avoid_tls = *"]
    lines = [f"tls_verify_certificates = {request.ca_file}", f"tls_sni = {request.server_name}"]
    if request.implicit_tls:
        lines.append("protocol = smtps")
    if request.offer is not None:
        string = make_priorities(request.offer)
        lines += ["hosts_require_tls = *", "tls_try_verify_hosts ="]
        lines.append(f"tls_require_ciphers = {string}")
    if request.username is not None:
        lines.append("hosts_require_auth = *")
    return lines


def _login_section(request: Request) -> list[str]:
    if request.username is None:
        return []
    # "^" is NUL in client_send, so one that is meant is doubled.
    user, word = (str(text).replace("^", "^^") for text in (request.username, request.password))
    return [
        "plain:",
        "  driver = plaintext",
        "  public_name = PLAIN",
        f"  client_send = ^{user}^{word}",
    ]


def read_output(output: str) -> Report:
    """What Exim's log lines, which -v prints, report of the delivery."""
    if sent := _SENT.search(output):
        return Report(True, reply=Reply(int(sent["code"]), sent["text"]))
    troubles = [line.strip() for line in output.splitlines() if _TROUBLE.match(line)]
    message = "\n".join(dict.fromkeys(troubles)) or output.strip() or None
    stage = "auth" if re.search(r"authenticat", message or "") else None
    return Report(False, message, find_refusal(message or ""), stage)


class Exim:
    """The mailer."""

    plaintext = True

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` leaves out SSLv3, of which GnuTLS has the word only."""
        library = package_version("libgnutls30") or package_version("libgnutls30t64")
        return {
            "client": "Exim",
            "version": find_first(r"Exim version (\S+)", ask_program(EXIM, "-bV")),
            "tls_library": "GnuTLS",
            "tls_version": f"GnuTLS {library}",
            "offers": list(PROTOCOLS[2:]),
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Deliver once, in the foreground, from a spool of its own: nothing is tried again."""
        with tempfile.TemporaryDirectory(prefix="exim-") as folder:
            conf = Path(folder, "exim.conf")
            conf.write_text(make_configuration(request, port, folder, os.getgid()))
            command = [EXIM, "-C", str(conf), "-odf", "-oi", "-v", "-f", request.sender]
            given = format_message(request).replace(b"\r\n", b"\n")
            ended = await run_mail_program([*command, request.recipient], given)
        return read_output(ended.output + "\n" + ended.errors)


if __name__ == "__main__":
    asyncio.run(main(Relayed(Exim())))
