"""A warm client: one container for a run, many requests over one pipe.

A driver that hangs, prints rubbish, dies or answers a wrong id fails only the cells it had in hand,
as ``error`` with what it said; after a death the next request starts it anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from harness.catalog.clients import Client
from harness.clients.contract import (
    CERTIFICATE_FILE,
    KEY_FILE,
    ClientProtocolError,
    ClientResult,
    Request,
)
from harness.docker_engine.session import talking
from harness.errors import InfrastructureError
from harness.scenarios.lab_names import CLIENT_DOMAIN
from harness.targets.lab import (
    PKI_DIR,
    POSTFIX_CAPABILITIES,
    FileSpec,
    Lab,
    Role,
    attach,
    put_files,
)
from harness.targets.pki import SERVER_NAME
from harness.targets.stream import LineStream
from harness.tls import ClientCertificate

#: The harness waits this much longer, in seconds, than it asked the driver to.
GRACE = 5.0
DIED = "the driver died"
CA_FILE = f"{PKI_DIR}/ca.pem"
#: A client that verifies certificates must connect to their name; so that a relay of the driver's
#: own can stand between, that name is the client's own machine.
ROLE = Role(interactive=True, hosts={SERVER_NAME: "127.0.0.1"}, domain=CLIENT_DOMAIN)
#: Of a client that is a Postfix with its master(8): it changes users, and owns files.
DAEMON_ROLE = replace(ROLE, capabilities=POSTFIX_CAPABILITIES)


def role_of(client: Client | None) -> Role:
    """What a client's container may do; None: it is nobody's that the catalog knows."""
    return DAEMON_ROLE if client is not None and client.is_daemon else ROLE


class Driver:
    """Speaks the client contract with a container. ``ask`` may be called concurrently."""

    def __init__(self, lab: Lab, name: str, reference: str, role: Role = ROLE) -> None:
        self.name = name
        self._role = role
        self._lab = lab
        self._reference = reference
        self._waiting: dict[str, asyncio.Future[ClientResult]] = {}
        self._stream: LineStream | None = None
        self._starting = asyncio.Lock()
        self._lives = 0
        self._loop = asyncio.get_running_loop()
        self._container: Any = None
        self._extras: frozenset[str] | None = None

    async def start(self) -> None:
        """Start the container, unless it runs.

        Raises:
            InfrastructureError: the engine could not start it.
        """
        async with self._starting:
            if self._stream is None:
                stream = await asyncio.to_thread(self._open)
                # It may have died before it could be noted here, when nobody would hear of it.
                self._stream = None if stream.ended else stream

    async def ask(self, request: Request) -> ClientResult:
        """Have one dialogue. Always gives a result; trouble of the driver's own is ``error``.

        What a driver does not say that it can do is not asked of it. A driver that died under it,
        perhaps over another's request, is started anew and asked once more.
        """
        lacking = await self._lacking(request)
        if lacking:
            return ClientResult(request.id, "client-incapable", "handshake", error=lacking)
        result = await self._ask(request)
        if result.outcome == "error" and (result.error or "").startswith(DIED):
            result = await self._ask(request)
        return result

    async def _lacking(self, request: Request) -> str:
        """Which extras of an offer the driver does not say that it can do; "": none.

        An image of before there were extras says nothing of them, and would pass over them.
        """
        needed = request.offer.extras.abilities
        if not needed:
            return ""
        if self._extras is None:
            try:
                await self.start()
            except InfrastructureError:
                return ""  # Asking it fails as well, and tells why.
            await self.describe()
        return lacking_words(needed, self._extras or frozenset())

    async def _ask(self, request: Request) -> ClientResult:
        try:
            await self.start()
        except InfrastructureError as error:
            return _failed(request, str(error))
        stream = self._stream
        if stream is None:
            return _failed(request, f"{DIED} as it started")
        future: asyncio.Future[ClientResult] = self._loop.create_future()
        self._waiting[request.id] = future
        try:
            stream.write(request.to_json() + "\n")
            async with asyncio.timeout(request.time_limit + GRACE):
                return await future
        except TimeoutError:
            limit = request.time_limit + GRACE
            return _failed(
                request, f"the driver gave no answer in {limit:g} s: {_last_words(stream)}"
            )
        except OSError as error:
            return _failed(request, f"the driver's pipe is closed: {error}")
        finally:
            self._waiting.pop(request.id, None)

    async def describe(self) -> dict[str, Any]:
        """What the driver says it is (``driver --describe``), as evidence; {} if nothing."""
        try:
            described = json.loads(await asyncio.to_thread(self._say_what_it_is))
        except ValueError:
            described = {}
        described = described if isinstance(described, dict) else {}
        extras = described.get("extras")
        self._extras = frozenset(map(str, extras)) if isinstance(extras, list) else frozenset()
        return described

    def _say_what_it_is(self) -> bytes:
        with talking(f"asking client {self.name} what it is"):
            output: bytes = self._container.exec_run(["driver", "--describe"], stderr=False).output
        return output

    def close(self) -> None:
        """Let go of the pipe; the container is the lab's to remove."""
        if self._stream is not None:
            self._stream.close()

    def _open(self) -> LineStream:
        self._lives += 1
        name = f"client-{self.name}" + (f"-{self._lives}" if self._lives > 1 else "")
        container = self._lab.start(self._reference, name, self._role)
        self._container = container
        put_files(container, {CA_FILE: FileSpec(self._lab.pki.ca), **certificate_files(self._lab)})
        stream = self._make_stream(container)
        stream.start()
        return stream

    def _make_stream(self, container: Any) -> LineStream:
        def on_lines(lines: list[str]) -> None:
            self._loop.call_soon_threadsafe(self._take, lines)

        def on_end() -> None:
            self._loop.call_soon_threadsafe(self._died, stream)

        stream = LineStream(attach(container, stdin=True), on_lines, on_end, name=self.name)
        return stream

    def _take(self, lines: list[str]) -> None:
        for line in lines:
            try:
                result = ClientResult.from_json(line)
            except ClientProtocolError as error:
                self._rubbish(line, error)
                continue
            future = self._waiting.get(result.id)
            if future is not None and not future.done():
                future.set_result(result)

    def _rubbish(self, line: str, error: ClientProtocolError) -> None:
        """A line that breaks the contract cannot be joined to a cell: it is kept for who waits."""
        if self._stream is not None:
            self._stream.error_tail.append(f"not of the contract ({error}): {line[:200]}")

    def _died(self, stream: LineStream) -> None:
        if self._stream is stream:
            self._stream = None
        for name, future in list(self._waiting.items()):
            if not future.done():
                why = f"{DIED}: {_last_words(stream)}"
                future.set_result(ClientResult(name, "error", error=why))


def certificate_files(lab: Lab) -> dict[str, FileSpec]:
    """The certificates that a client can be told to present, and their keys.

    Everybody in the container may read the keys: drivers run under users of their own.
    """
    files: dict[str, FileSpec] = {}
    for which in ClientCertificate:
        if which is not ClientCertificate.NONE:
            pair = lab.pki.client_pair(which)
            files[CERTIFICATE_FILE.format(which)] = FileSpec(pair.certificate)
            files[KEY_FILE.format(which)] = FileSpec(pair.key)
    return files


#: What a client that lacks an ability cannot be told, in words (also images/clients/common).
_ABILITIES = {
    "cert": "to present a certificate",
    "sni": "which server name to send",
    "resume": "to take up an earlier session",
    "renegotiate": "to renegotiate",
    "hangup=starttls": "to hang up after STARTTLS",
    "hangup=handshake": "to hang up in the handshake",
    "hangup=data": "to hang up in the middle of a message",
}


def lacking_words(needed: Iterable[str], able: frozenset[str]) -> str:
    """What of this a client cannot be told, as a sentence; "": nothing."""
    lacking = [_ABILITIES.get(one, one) for one in needed if one not in able]
    return f"this client cannot be told {' or '.join(lacking)}" if lacking else ""


def _failed(request: Request, why: str) -> ClientResult:
    return ClientResult(request.id, "error", error=why)


def _last_words(stream: LineStream) -> str:
    return "; ".join(list(stream.error_tail)[-5:]) or "it said nothing on standard error"
