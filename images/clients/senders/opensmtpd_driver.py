#!/usr/bin/python3
"""Client driver: OpenSMTPD (OpenSSL or LibreSSL), one smtpd(8) a message, to a smarthost."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cell_root import RootTemplate, remove_root
from common.contract import EHLO_NAME, Request, main
from common.mailer import Incapable, Relayed, Report, find_refusal, format_message
from common.process import Process, run_program
from description import describe_sender
from libraries import read_openssl_version
from programs import ENVIRONMENT, find_first, package_version

#: smtpctl(8) is also the sendmail(8) of OpenSMTPD, by the name that it is run under.
SMTPD, CONTROL, SENDMAIL = "/usr/sbin/smtpd", "/usr/sbin/smtpctl", "/usr/sbin/sendmail"
#: The configuration's language changed with 6.4 (smtpd.conf(5)).
NEW_LANGUAGE = (6, 4)
#: On a busy machine it takes seconds until smtpd has read its configuration; till then EX_TEMPFAIL.
ENQUEUE_TRIES, ENQUEUE_PAUSE = 40, 0.2
OLD_SCHEMES = ("smtp+tls", "tls", "smtp")
SCHEMES = ("smtp", "smtp+tls", "smtp+notls")
#: smtpd -d -v: "mta delivery evpid=... result="Ok" stat="250 2.0.0 Ok: queued as 4F2"", and before
#: 6.4 "smtp-out: session 97aa: evpid=..., status=Ok, from=..., stat=250 2.0.0 Ok: queued as 4F2".
_ENDED = re.compile(r"""\b(?:result|status)="?(?P<result>\w+)"?.*?\bstat="?(?P<text>[^"\n]*)""")

#: An error of the dialogue, and the library's message of one in TLS.
_ERROR = re.compile(r"^smtp-out: .*?((?:[Ee]rror).*)$|^.*? mta (?:event=)?error reason=(.*)$", re.M)
_LIBRARY = re.compile(r"TLS IO error: (error:.*)$", re.M)


def make_configuration(request: Request, port: int, version: tuple[int, ...]) -> str:
    """smtpd.conf(5) for one message.

    Raises:
        Incapable: there is an offer.
    """
    if request.offer is not None:
        raise Incapable("this OpenSMTPD has no option that chooses a TLS version for what it sends")
    is_old = version < NEW_LANGUAGE
    # Opportunistic, mandatory, and no TLS: the names of the schemes changed places.
    may, must, never = OLD_SCHEMES if is_old else SCHEMES
    scheme = "smtps" if request.implicit_tls else never if request.plaintext else may
    label = ""
    if request.username is not None:
        # Credentials need a scheme that insists on TLS.
        scheme, label = ("smtps" if request.implicit_tls else must), "account@"
        scheme += "+auth" if is_old else ""
    url = f"{scheme}://{label}{request.server_name}:{port}"
    table = "table secrets file:/etc/secrets\n" if label else ""
    auth = " auth <secrets>" if label else ""
    if is_old:
        return f"{table}accept from any for any relay via {url}{auth} hostname {EHLO_NAME}\n"
    return (
        f'{table}action "out" relay host {url}{auth} helo {EHLO_NAME}\n'
        'match from any for any action "out"\n'
    )


def read_output(output: str) -> Report | None:
    """What smtpd's log says of the delivery; None: nothing yet."""
    ended = _ENDED.search(output)
    if ended is not None and ended["result"] == "Ok":
        return Report(True)
    errors = ["".join(parts) for parts in _ERROR.findall(output)]
    # An error in a session that it takes up again without TLS does not end the delivery.
    if ended is None and not (errors and "downgrading" not in errors[-1]):
        return None
    lines = [*([ended["text"]] if ended else []), *_LIBRARY.findall(output), *errors]
    text = "\n".join(lines)
    stage = "auth" if re.search(r"(?i)\bauth", text) else None
    return Report(False, text, find_refusal(text), stage)


class OpenSmtpd:
    """The mailer."""

    plaintext = True

    def __init__(self) -> None:
        release = package_version("opensmtpd")
        self._release = release.partition("-")[0].partition("+")[0]
        self._version = tuple(int(part) for part in re.findall(r"\d+", self._release)[:2])
        programs = [str(path) for path in Path("/usr/lib").glob("*/opensmtpd/*") if path.is_file()]
        self._template = RootTemplate([SMTPD, CONTROL, *programs])

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        return describe_sender("OpenSMTPD", self._release, read_openssl_version(SMTPD))

    async def send_message(self, request: Request, port: int) -> Report:
        """Start an smtpd in a root of its own, and hand it the message."""
        text = make_configuration(request, port, self._version)
        root = self._template.make_root()
        try:
            fill_root(root, text, request)
            chroot = ["/usr/sbin/chroot", str(root)]
            command = [*chroot, SMTPD, "-d", "-v", "-f", "/etc/smtpd.conf"]
            process = Process(command, ENVIRONMENT, lambda _: None)
            try:
                await _wait_for(process, lambda: (root / "var/run/smtpd.sock").exists())
                await _put_into_queue(chroot, request)
                await _wait_for(process, lambda: read_output(_read_text(process)) is not None)
            finally:
                process.kill()
            output = _read_text(process)
            return read_output(output) or Report(False, output)
        finally:
            remove_root(root)


def _read_text(process: Process) -> str:
    return (process.errors + process.output).decode("utf-8", "replace").strip()


async def _wait_for(process: Process, is_done: Callable[[], bool]) -> None:
    """Wait until something is so, or smtpd has ended."""
    while not is_done() and not process.ended.done():
        await asyncio.wait({process.ended}, timeout=0.02)


async def _put_into_queue(chroot: list[str], request: Request) -> None:
    """Hand smtpd the message; its socket is there before it listens."""
    given = format_message(request).replace(b"\r\n", b"\n")
    as_group = [chroot[0], f"--userspec=0:{find_user('opensmtpq')}", *chroot[1:]]
    command = [*as_group, SENDMAIL, "-f", request.sender, request.recipient]
    for _ in range(ENQUEUE_TRIES):
        ended = await run_program(command, ENVIRONMENT, given)
        if ended.status == 0:
            return
        await asyncio.sleep(ENQUEUE_PAUSE)
    raise RuntimeError(f"smtpctl took no message ({ended.status}): {ended.both_outputs}")


def fill_root(root: Path, text: str, request: Request) -> None:
    """The files that smtpd has in its root beside the template's; ``text`` is its configuration."""
    os.link(root / CONTROL.lstrip("/"), root / SENDMAIL.lstrip("/"))
    (root / "etc/smtpd.conf").write_text(text)
    (root / "etc/mailname").write_text(f"{EHLO_NAME}\n")
    # Its resolver, asr(3), asks the DNS before it reads /etc/hosts, and has no other setting.
    (root / "etc/resolv.conf").write_text("lookup file\n")
    trusted = root / "etc/ssl/certs/ca-certificates.crt"
    trusted.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(request.ca_file, trusted)
    if request.username is not None:
        secrets = root / "etc/secrets"
        secrets.write_text(f"account {request.username}:{request.password}\n")
        shutil.chown(secrets, "root", find_user("opensmtpd"))
        secrets.chmod(0o640)
    for folder in ("var/spool/smtpd", "var/lib/opensmtpd/empty", "var/empty", "run/opensmtpd"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder).chmod(0o755 if folder.endswith("empty") else 0o711)


def find_user(name: str) -> str:
    """The first of OpenSMTPD's users in /etc/passwd."""
    return find_first(rf"(?m)^({name}\w*):", Path("/etc/passwd").read_text()) or name


if __name__ == "__main__":
    asyncio.run(main(Relayed(OpenSmtpd())))
