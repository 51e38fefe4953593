#!/usr/bin/python3
"""Client driver: nodemailer on Node.js, Deno or Bun, one message a request, by warm workers behind
the relay."""

from __future__ import annotations

import asyncio
import json
import mmap
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.contract import PROTOCOLS, Offer, Request, main
from common.mailer import Incapable, Relayed, Report
from common.worker import MOST, Workers, make_job, read_answer

PROGRAMS = Path("/usr/local/bin")
WORKER = "/opt/client/worker.js"
#: What comes between each runtime and the worker. Deno alone asks leave for what a program reaches.
RUNTIMES: dict[str, tuple[str, ...]] = {
    "node": (),
    "bun": (),
    "deno": ("run", "--allow-all", "--no-lock"),
}
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C",
    "NODE_NO_WARNINGS": "1",
    "DENO_NO_UPDATE_CHECK": "1",
    "NO_COLOR": "1",
}


def find_command(programs: Path = PROGRAMS) -> list[str]:
    """The worker's command line, on the one runtime that the image has."""
    (runtime,) = (name for name in RUNTIMES if (programs / name).exists())
    return [str(programs / runtime), *RUNTIMES[runtime], WORKER]


def list_node_offers(node: str) -> tuple[str, ...]:
    """What a release of Node.js was built with, and its API can be told (tried, each of them)."""
    major, minor = (int(part) for part in node.split(".")[:2])
    if (major, minor) < (0, 10):
        return PROTOCOLS[:3]
    if major < 12:
        return PROTOCOLS[1 if major == 0 else 2 : 5]
    return PROTOCOLS[2:]


def find_rustls(program: Path) -> str:
    """The release of rustls in a Rust program, by the paths of its source in the panic messages.

    Nothing else tells it: ``process.versions.openssl`` is made up by Deno and by Bun alike.
    """
    with (
        program.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        match = re.search(rb"/rustls-([0-9.]+)/src/", data)
        return match.group(1).decode() if match else "of unknown version"


def identify_runtime(versions: Mapping[str, str], program: Path) -> dict[str, Any]:
    """What a runtime is, by its ``process.versions``: its name, its TLS library, its offers."""
    offers: tuple[str, ...]
    if "deno" in versions:
        runtime, library, tls = f"Deno {versions['deno']}", "rustls", find_rustls(program)
        offers = PROTOCOLS[4:]
    elif "bun" in versions:
        runtime, library, tls = f"Bun {versions['bun']}", "BoringSSL", versions["boringssl"]
        offers = PROTOCOLS[2:]
    else:
        runtime, library, tls = f"Node.js {versions['node']}", "OpenSSL", versions["openssl"]
        offers = list_node_offers(versions["node"])
    return {
        "runtime": runtime,
        "tls_library": library,
        "tls_version": f"{library} {tls}",
        "offers": list(offers),
    }


def explain_impossible_offer(runtime: str, offer: Offer | None) -> str | None:
    """Why a runtime cannot be told of an offer's ciphers or groups; None where it can.

    Both were seen to take the names without a word and to offer what they offer anyway, so that a
    cipher which nobody had named was negotiated.
    """
    if offer is None:
        return None
    if runtime == "deno" and (offer.ciphers or offer.groups):
        return "Deno cannot choose ciphers or groups: rustls offers all, whatever it is told"
    if runtime == "bun" and offer.ciphers and offer.highest == "TLSv1.3":
        return "Bun cannot choose among the ciphers of TLSv1.3: it offers all, whatever it is told"
    return None


def find_extras(runtime: str) -> frozenset[str]:
    """The extras that a runtime was seen to do: Node.js's from 10 on take both as options."""
    if runtime != "node":
        return frozenset()
    version = subprocess.run(
        [PROGRAMS / "node", "--version"], capture_output=True, check=True
    ).stdout
    major = int(version.decode().lstrip("v").split(".")[0])
    return frozenset({"cert", "sni"}) if major >= 10 else frozenset()


class Nodemailer:
    """The mailer."""

    plaintext = True

    def __init__(self) -> None:
        self._command = find_command()
        self.extras = find_extras(Path(self._command[0]).name)
        self._workers = Workers(self._command, ENVIRONMENT)

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` are the versions that the runtime's library has."""
        description = json.loads(
            subprocess.run(
                [*self._command, "--describe"], env=ENVIRONMENT, capture_output=True, check=True
            ).stdout
        )
        who = identify_runtime(description["versions"], Path(self._command[0]))
        return {
            "client": "nodemailer",
            "version": f"{description['nodemailer']} on {who.pop('runtime')}",
            **who,
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Have a worker send the message.

        Raises:
            Incapable: the runtime would make another offer, and not say so.
        """
        why = explain_impossible_offer(Path(self._command[0]).name, request.offer)
        if why is not None:
            raise Incapable(why)
        return read_answer(await self._workers.run_job(make_job(request, port)))


if __name__ == "__main__":
    asyncio.run(main(Relayed(Nodemailer()), MOST))
