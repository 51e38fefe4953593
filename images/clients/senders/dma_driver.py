#!/usr/bin/python3
"""Client driver: dma (OpenSSL), the DragonFly Mail Agent, delivering one message to a smarthost."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from cell_root import CellLog, RootTemplate, remove_root
from common.contract import EHLO_NAME, Request, main
from common.mailer import Incapable, Relayed, Report, find_refusal, format_message
from common.process import Process
from description import describe_sender
from libraries import read_openssl_version
from programs import ENVIRONMENT, package_version

DMA = "/usr/sbin/dma"
#: Its queue (dma(8)).
SPOOL = "var/spool/dma"
#: What the log says once a delivery has come to its end, or is put off.
_ENDED = re.compile(
    r"delivery successful|remote delivery deferred(?!: AUTH)|trying again|delivery failed"
    r"|bounc|giving up"
)


def make_configuration(request: Request, port: int) -> dict[str, str]:
    """The files of /etc/dma: TLS where the server has it, unless none is wanted.

    Raises:
        Incapable: there is an offer.
    """
    if request.offer is not None:
        raise Incapable("dma has no option that chooses a TLS version")
    lines = [f"SMARTHOST {request.server_name}", f"PORT {port}", f"MAILNAME {EHLO_NAME}"]
    lines += [f"SPOOLDIR /{SPOOL}"]
    if not request.plaintext:
        lines += ["SECURETRANSFER"]
        lines += [] if request.implicit_tls else ["STARTTLS", "OPPORTUNISTIC_TLS"]
    files = {"dma.conf": lines, "auth.conf": []}
    if request.username is not None:
        lines += ["AUTHPATH /etc/dma/auth.conf"]
        files["auth.conf"] = [f"{request.username}|{request.server_name}:{request.password}"]
    return {name: "".join(f"{line}\n" for line in text) for name, text in files.items()}


def read_log(lines: list[str]) -> Report:
    """What the log says of the delivery."""
    text = "\n".join(lines)
    sent = "delivery successful" in text
    message = None if sent else text or "dma logged nothing"
    stage = "auth" if re.search(r"(?i)authentication|SASL|login", message or "") else None
    return Report(sent, message, None if sent else find_refusal(text), stage)


class Dma:
    """The mailer."""

    plaintext = True

    def __init__(self) -> None:
        self._template = RootTemplate([DMA])

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        return describe_sender("dma", package_version("dma"), read_openssl_version(DMA))

    async def send_message(self, request: Request, port: int) -> Report:
        """Run dma once in the foreground, in a root of its own; it would try again for days."""
        files = make_configuration(request, port)
        root = self._template.make_root()
        ended = asyncio.Event()
        log = CellLog(root, lambda line: _follow_line(line, root / SPOOL, ended))
        try:
            _fill_root(root, files)
            command = ["/usr/sbin/chroot", str(root), DMA, "-D", "-f", request.sender]
            given = format_message(request).replace(b"\r\n", b"\n")
            output = await _run_until([*command, request.recipient], given, ended)
            log.read_lines()
            return read_log([*log.lines, *([output] if output else [])])
        finally:
            log.close()
            remove_root(root)


def _follow_line(line: str, spool: Path, ended: asyncio.Event) -> None:
    """Note a line of the log. Once dma connects, its queue takes no further message.

    It would send a bounce after a refusal, to the same server.
    """
    if "trying remote delivery" in line:
        spool.chmod(0o555)
    if _ENDED.search(line):
        ended.set()


async def _run_until(command: list[str], given: bytes, ended: asyncio.Event) -> str:
    """Run a program until it ends, or ``ended`` is set; what it printed."""
    process = Process(command, ENVIRONMENT, lambda _: None)
    waiting = asyncio.ensure_future(ended.wait())
    try:
        process.write_input(given)
        process.close_input()
        either: set[asyncio.Future[Any]] = {process.ended, waiting}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        process.kill()
    return (process.errors + process.output).decode("utf-8", "replace").strip()


def _fill_root(root: Path, files: dict[str, str]) -> None:
    folder = root / "etc/dma"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    spool = root / SPOOL
    spool.mkdir(parents=True, exist_ok=True)
    spool.chmod(0o1777)
    (root / "etc/mailname").write_text(f"{EHLO_NAME}\n")


if __name__ == "__main__":
    asyncio.run(main(Relayed(Dma())))
