#!/usr/bin/python3
"""Client driver: Sendmail (OpenSSL), told to deliver one message at once to a smarthost."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any

from common.contract import EHLO_NAME, PROTOCOLS, Offer, Reply, Request, main
from common.mailer import Incapable, Relayed, Report, find_refusal, format_message
from common.process import run_program
from description import describe_sender
from libraries import read_openssl_version
from programs import ENVIRONMENT, package_version, run_mail_program

PROGRAMS = ("/usr/lib/sm.bin/sendmail", "/usr/libexec/sendmail/sendmail")
SENDMAIL = next((path for path in PROGRAMS if Path(path).exists()), PROGRAMS[0])
#: A map that is read from a text: in the same image, OpenSMTPD's makemap(8) took Sendmail's place.
TEXT_MAP = "text -z| -k0 -v1 -o"
#: The macros that sendmail.cf is made with.
MACROS = "/usr/share/sendmail/cf"
#: OpenSSL's options that leave a version out, by number: 8.14 and 8.15 do not have all the names.
_NO = {
    "SSLv2": "0x01000000",
    "SSLv3": "0x02000000",
    "TLSv1": "0x04000000",
    "TLSv1.1": "0x10000000",
    "TLSv1.2": "0x08000000",
    "TLSv1.3": "0x20000000",
}


def make_macros(request: Request, port: int, folder: str, options: list[str]) -> str:
    """The .mc file for one message: all goes to the relay, nothing is looked up elsewhere."""
    defines = {
        "confDOMAIN_NAME": EHLO_NAME,
        "confDONT_PROBE_INTERFACES": "True",
        "confTO_IDENT": "0",
        "confDELIVERY_MODE": "i",
        # However busy the machine is, no message is put off.
        "confQUEUE_LA": "10000",
        "confREFUSE_LA": "10000",
        # What the DNS is asked nevertheless is given up soon: it knows no name of a lab.
        "confTO_RESOLVER_RETRANS": "1s",
        "confTO_RESOLVER_RETRY": "1",
        "confCACERT": request.ca_file,
        "confCACERT_PATH": str(Path(request.ca_file).parent),
        "confAUTH_MECHANISMS": "PLAIN LOGIN",
        "confSERVICE_SWITCH_FILE": f"{folder}/service.switch",
        "confDONT_BLAME_SENDMAIL": "GroupReadableKeyFile,GroupWritableDirPathSafe,TrustStickyBit",
        "ALIAS_FILE": "",
        "STATUS_FILE": "",
        "QUEUE_DIR": f"{folder}/queue",
        "SMART_HOST": f"relay:[{name_server(request)}]",
        "RELAY_MAILER_ARGS": f"TCP $h {port}",
    }
    lines = ["divert(-1)", "divert(0)dnl", "OSTYPE(`linux')dnl"]
    lines += [f"define(`{name}', `{value}')dnl" for name, value in defines.items()]
    lines += ["FEATURE(`nocanonify')dnl", "FEATURE(`accept_unqualified_senders')dnl"]
    # Otherwise it looks for an address of IPv6 first, which /etc/hosts does not have.
    lines += ["CLIENT_OPTIONS(`Family=inet')dnl"]
    if request.username is not None:
        lines += [f"FEATURE(`authinfo', `{TEXT_MAP} {folder}/authinfo')dnl"]
    if request.plaintext:
        lines += [f"FEATURE(`access_db', `{TEXT_MAP} {folder}/access')dnl"]
    lines += ["MAILER(`smtp')dnl", "LOCAL_CONFIG", *options]
    return "\n".join([*lines, ""])


def name_server(request: Request) -> str:
    """How the relay is named: 8.17 looks a name up in the DNS alone, 8.15 an address too.

    The name decides nothing else, since Sendmail checks no certificate by default.
    """
    return "127.0.0.1" if PROGRAMS[1] == SENDMAIL else request.server_name


def offer_options(offer: Offer | None, known: list[str]) -> list[str]:
    """The lines of sendmail.cf for an offer; ``known`` are the versions that OpenSSL has.

    Raises:
        Incapable: there is no option for it.
    """
    if offer is None:
        return []
    if offer.groups or any(name.startswith("TLS_") for name in offer.ciphers):
        raise Incapable("Sendmail has no option for groups, nor for the ciphers of TLSv1.3")
    if missing := [version for version in offer.list_versions() if version not in known]:
        raise Incapable(f"Sendmail's OpenSSL was built without {missing[0]}: not supported")
    outside = [version for version in known if version not in offer.list_versions()]
    return [
        "O ClientSSLOptions=" + " ".join(f"+{_NO[version]}" for version in outside),
        f"O CipherList={':'.join(offer.ciphers) or 'ALL:COMPLEMENTOFALL'}" + level_of(known),
    ]


def level_of(known: list[str]) -> str:
    """Security level 0, for an OpenSSL that has levels; those without TLSv1.3 have none."""
    return ":@SECLEVEL=0" if "TLSv1.3" in known else ""


def read_output(status: int, output: str) -> Report:
    """What ``sendmail -v`` shows of the dialogue, inside TLS too."""
    if sent := re.search(r"Sent \((.*queued as .*)\)", output):
        return Report(True, reply=Reply(250, sent[1]))
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    shown = [line for line in lines if not re.match(r">>> |050 >>>|\d{3}[- ]", line)]
    refused = re.findall(r"^(?:050 )?([45]\d\d) ([^\r\n]*)", output, re.M)
    reply = Reply(int(refused[0][0]), refused[0][1]) if refused else find_refusal(output)
    stage = "auth" if reply is not None and reply.code in (454, 534, 535) else None
    return Report(False, "\n".join(shown) or f"exit status {status}", reply, stage)


class Sendmail:
    """The mailer."""

    plaintext = True

    def __init__(self) -> None:
        self._library = read_openssl_version(SENDMAIL)
        new = not re.match(r"OpenSSL 1\.(?:0|1\.0)", self._library)
        self._known = list(PROTOCOLS[2:] if new else PROTOCOLS[2:5])
        # Sendmail itself waits for a minute where its host has no domain, as in an image's build.
        self._release = package_version("sendmail-bin").partition("-")[0]
        # Its option ClientSSLOptions knows no version after TLSv1, neither by name nor by number.
        self._pins = not self._release.startswith("8.14.")

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        offers = self._known if self._pins else []
        return describe_sender("Sendmail", self._release, self._library, offers)

    async def send_message(self, request: Request, port: int) -> Report:
        """Deliver once, in the foreground, from a queue of its own; it is not tried again."""
        if request.implicit_tls:
            raise Incapable("Sendmail has STARTTLS only for what it sends")
        if request.offer is not None and not self._pins:
            raise Incapable(f"Sendmail {self._release} has no option for TLSv1.1 and TLSv1.2")
        options = offer_options(request.offer, self._known)
        with tempfile.TemporaryDirectory(prefix="sendmail-") as folder:
            Path(folder, "queue").mkdir(mode=0o700)
            cf = await write_configuration(request, port, folder, options)
            command = [SENDMAIL, f"-C{cf}", "-v", "-i", "-odi", "-f", request.sender]
            given = format_message(request).replace(b"\r\n", b"\n")
            free = {} if request.offer is None else {"OPENSSL_CONF": "/dev/null"}
            ended = await run_mail_program([*command, request.recipient], given, free)
        return read_output(ended.status, ended.output + "\n" + ended.errors)


async def write_configuration(request: Request, port: int, folder: str, options: list[str]) -> str:
    """Write sendmail.cf and its maps into a folder; the path of sendmail.cf.

    Raises:
        RuntimeError: m4(1) failed.
    """
    maps = {}
    if request.username is not None:
        value = f'"U:{request.username}" "I:{request.username}" "P:{request.password}"'
        maps["authinfo"] = f'AuthInfo:|{value} "M:PLAIN LOGIN"\n'
    if request.plaintext:
        names = (name_server(request), "localhost")
        maps["access"] = "".join(f"Try_TLS:{name}|NO\n" for name in names)
    macros = make_macros(request, port, folder, options)
    made = await run_tool(["/usr/bin/m4", "-I", f"{MACROS}/", f"{MACROS}/m4/cf.m4", "-"], macros)
    path = Path(folder, "sendmail.cf")
    path.write_text(made)
    Path(folder, "service.switch").write_text("hosts files\naliases files\n")
    for name, text in maps.items():
        Path(folder, name).write_text(text)
    return str(path)


async def run_tool(command: list[str], given: str) -> str:
    """The output of a program that must not fail.

    Raises:
        RuntimeError: it did.
    """
    ended = await run_program(command, ENVIRONMENT, given.encode())
    if ended.status != 0:
        raise RuntimeError(f"{command[0]} failed: {ended.both_outputs}")
    return ended.output


if __name__ == "__main__":
    asyncio.run(main(Relayed(Sendmail())))
