"""Speaks with a client's driver: one container for a run, many requests over one pipe.

A driver that hangs, prints invalid lines, dies or answers with a wrong id fails only its current
cells, as ``error`` with its error output. If it has died, the next request starts it again.
"""

from __future__ import annotations

import asyncio
import json
import time
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
from harness.docker_engine.session import discard_container, engine_errors
from harness.errors import FaultError, InfrastructureError
from harness.scenarios.lab_names import CLIENT_DOMAIN
from harness.targets.lab import (
    PKI_DIR,
    POSTFIX_CAPABILITIES,
    FileSpec,
    Lab,
    Role,
    attach_socket,
    put_files,
)
from harness.targets.pki import SERVER_NAME
from harness.targets.stream import LineStream
from harness.tls import ClientCertificate

#: The harness waits this much longer, in seconds, than the time limit of the request.
GRACE = 5.0
DIED = "the driver died"
CA_FILE = f"{PKI_DIR}/ca.pem"
#: A client that verifies certificates must connect to their name. That name is the client's own
#: machine, so that the driver's relay can be between client and server.
ROLE = Role(interactive=True, hosts={SERVER_NAME: "127.0.0.1"}, domain=CLIENT_DOMAIN)
#: For a client that is a Postfix with its master(8), which changes users and owns files.
DAEMON_ROLE = replace(ROLE, capabilities=POSTFIX_CAPABILITIES)


def client_role(client: Client | None) -> Role:
    """The role of a client's container; None: a client that the catalog does not know."""
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
        #: The last stream that was made, also where nothing waits for it any more.
        self._last_stream: LineStream | None = None
        self._is_closed = False
        self._starting = asyncio.Lock()
        self._starts = 0
        self._has_certificates = False
        self._loop = asyncio.get_running_loop()
        self._container: Any = None
        self._address = ""
        self._extras: frozenset[str] | None = None
        #: When the driver last wrote a line, on the monotonic clock.
        self._last_answer = 0.0

    async def start(self) -> None:
        """Start the container, unless it runs.

        Raises:
            InfrastructureError: the engine could not start it.
        """
        async with self._starting:
            if self._stream is None:
                stream = await asyncio.to_thread(self._start_container)
                # It may have died before it is noted here; then its end would go unnoticed.
                self._stream = None if stream.ended else stream

    async def ask(self, request: Request) -> ClientResult:
        """Have one dialogue. Always gives a result; a failure of the driver is ``error``.

        A driver gets no request for an ability that it does not declare. If it dies meanwhile,
        perhaps of another request, it is started again and gets the request once more.
        """
        reason = await self._describe_missing_abilities(request)
        if reason:
            return ClientResult(request.id, "client-incapable", "handshake", error=reason)
        result = await self._send_request(request)
        if result.outcome == "error" and (result.error or "").startswith(DIED):
            result = await self._send_request(request)
        return result

    async def _describe_missing_abilities(self, request: Request) -> str:
        """The extras of an offer that the driver does not declare, as a sentence; "": none.

        An image that is older than extras declares none, and would ignore them.
        """
        needed = request.offer.extras.abilities
        if not needed:
            return ""
        if self._extras is None:
            try:
                await self.start()
            except InfrastructureError:
                return ""  # The request will fail as well, and report why.
            await self.describe()
        return describe_unavailable(needed, self._extras or frozenset())

    async def _send_request(self, request: Request) -> ClientResult:
        try:
            await self.start()
            if request.offer.extras.presents_certificate:
                await self._place_certificates()
        except InfrastructureError as error:
            return _error_result(request.id, str(error))
        return await self.send_line(request.id, request.to_json(), request.time_limit)

    async def send_line(self, name: str, line: str, time_limit: float) -> ClientResult:
        """Send one line to the running driver, and wait for the answer with the id ``name``."""
        stream = self._stream
        if stream is None:
            return _error_result(name, f"{DIED} as it started")
        future: asyncio.Future[ClientResult] = self._loop.create_future()
        self._waiting[name] = future
        began = time.monotonic()
        try:
            stream.write(f"{line}\n")
            return await self._await_result(future, time_limit)
        except TimeoutError:
            limit = time_limit + GRACE
            if self._last_answer < began and stream is self._stream:
                # It gave no other request an answer either: it was stopped, or cut off.
                await self._drop_container(stream)
                return _error_result(name, f"{DIED}: it gave no answer in {limit:g} s")
            return _error_result(
                name, f"the driver gave no answer in {limit:g} s: {_last_errors(stream)}"
            )
        except OSError as error:
            return _error_result(name, f"the driver's pipe is closed: {error}")
        finally:
            self._waiting.pop(name, None)

    async def _await_result(
        self, future: asyncio.Future[ClientResult], time_limit: float
    ) -> ClientResult:
        """Wait for a result, for longer while the machine is slow.

        Raises:
            TimeoutError: it did not come.
        """
        began = time.monotonic()
        while True:
            limit = time_limit + self._lab.pace.stretch(GRACE)
            left = began + limit - time.monotonic()
            done, _ = await asyncio.wait({future}, timeout=max(0.0, min(left, GRACE)))
            if done:
                return future.result()
            if left <= 0:
                raise TimeoutError

    async def check_network(self) -> None:
        """Have another container started for the next request if this one is cut off."""
        container, stream = self._container, self._stream
        if stream is None:
            return
        try:
            is_there = await asyncio.to_thread(self._lab.has_address, container, self._address)
        except FaultError:
            return
        if not is_there and stream is self._stream:
            await self._drop_container(stream)

    async def _drop_container(self, stream: LineStream) -> None:
        """Remove the container that does not answer; the next request starts another one."""
        # That request may come before the container is gone.
        self._stream, container = None, self._container
        await asyncio.to_thread(stream.close)
        await asyncio.to_thread(discard_container, container)

    async def _place_certificates(self) -> None:
        """Put the client certificates into the container, once, when a request names one.

        Their keys take longer to make than a container to start.
        """
        async with self._starting:
            if not self._has_certificates:
                files = await asyncio.to_thread(certificate_files, self._lab)
                await asyncio.to_thread(put_files, self._container, files)
                self._has_certificates = True

    def take_description(self, described: dict[str, Any]) -> None:
        """Use a description that the same image gave before."""
        extras = described.get("extras")
        self._extras = frozenset(map(str, extras)) if isinstance(extras, list) else frozenset()

    async def describe(self) -> dict[str, Any]:
        """The driver's own description (``driver --describe``), as evidence; {} without one."""
        try:
            described = json.loads(await asyncio.to_thread(self._run_describe))
        except ValueError:
            described = {}
        described = described if isinstance(described, dict) else {}
        self.take_description(described)
        return described

    def _run_describe(self) -> bytes:
        with engine_errors(f"asking client {self.name} for its description"):
            output: bytes = self._container.exec_run(["driver", "--describe"], stderr=False).output
        return output

    def close(self) -> None:
        """Close the pipe, also one that a thread is still making; the lab removes the container."""
        self._is_closed = True
        if self._last_stream is not None:
            self._last_stream.close()

    def _start_container(self) -> LineStream:
        self._starts += 1
        name = f"client-{self.name}" + (f"-{self._starts}" if self._starts > 1 else "")
        container = self._lab.start(self._reference, name, self._role)
        self._container = container
        self._address = self._lab.address(container)
        self._has_certificates = False
        put_files(container, {CA_FILE: FileSpec(self._lab.pki.ca)})
        stream = self._last_stream = self._make_stream(container)
        if self._is_closed:
            # Its end would be reported to an event loop that has ended too.
            stream.close()
        stream.start()
        return stream

    def _make_stream(self, container: Any) -> LineStream:
        def on_lines(lines: list[str]) -> None:
            self._loop.call_soon_threadsafe(self._take_lines, lines)

        def on_end() -> None:
            self._loop.call_soon_threadsafe(self._handle_end, stream)

        stream = LineStream(attach_socket(container, stdin=True), on_lines, on_end, name=self.name)
        return stream

    def _take_lines(self, lines: list[str]) -> None:
        self._last_answer = time.monotonic()
        for line in lines:
            try:
                result = ClientResult.from_json(line)
            except ClientProtocolError as error:
                self._note_invalid_line(line, error)
                continue
            future = self._waiting.get(result.id)
            if future is not None and not future.done():
                future.set_result(result)

    def _note_invalid_line(self, line: str, error: ClientProtocolError) -> None:
        """Keep a line that violates the contract for error messages; it belongs to no cell."""
        if self._stream is not None:
            self._stream.error_tail.append(f"not of the contract ({error}): {line[:200]}")

    def _handle_end(self, stream: LineStream) -> None:
        if self._stream is stream:
            self._stream = None
        for name, future in list(self._waiting.items()):
            if not future.done():
                why = f"{DIED}: {_last_errors(stream)}"
                future.set_result(ClientResult(name, "error", error=why))


def certificate_files(lab: Lab) -> dict[str, FileSpec]:
    """The certificates that a request can name, and their keys.

    All users in the container may read the keys: drivers run under various users.
    """
    files: dict[str, FileSpec] = {}
    for which in ClientCertificate:
        if which is not ClientCertificate.NONE:
            pair = lab.pki.client_pair(which)
            files[CERTIFICATE_FILE.format(which)] = FileSpec(pair.certificate)
            files[KEY_FILE.format(which)] = FileSpec(pair.key)
    return files


#: For each ability, what a client without it cannot be told (also images/clients/common).
_ABILITIES = {
    "cert": "to present a certificate",
    "sni": "which server name to send",
    "resume": "to take up an earlier session",
    "renegotiate": "to renegotiate",
    "hangup=starttls": "to hang up after STARTTLS",
    "hangup=handshake": "to hang up in the handshake",
    "hangup=data": "to hang up in the middle of a message",
}


def describe_unavailable(needed: Iterable[str], able: frozenset[str]) -> str:
    """What a client without some needed abilities cannot be told, as a sentence; "": nothing."""
    unavailable = [_ABILITIES.get(ability, ability) for ability in needed if ability not in able]
    return f"this client cannot be told {' or '.join(unavailable)}" if unavailable else ""


def _error_result(name: str, why: str) -> ClientResult:
    return ClientResult(name, "error", error=why)


def _last_errors(stream: LineStream) -> str:
    return "; ".join(list(stream.error_tail)[-5:]) or "it said nothing on standard error"
