"""Records the ClientHello of clients that run here: each connects to a Postfix through a relay."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.adaptation.harness_settings import LOGGED_IN_SENDER, SENDER, SINK_DOMAIN
from harness.catalog.builds import Build
from harness.catalog.client_hello import ClientHelloError, parse_recorded_hello
from harness.catalog.clients import Client, recording_driver
from harness.catalog.recordings import RECORDED_PREFIX, KeyLimits, Recording
from harness.clients.contract import ClientResult, Message, Request
from harness.clients.driver import CA_FILE, Driver
from harness.errors import HarnessError
from harness.run.cell_measurer import CREDENTIALS
from harness.run.choosing import read_scenarios
from harness.run.engine import Engine
from harness.run.measure import Endpoint
from harness.scan.client_hello import VERSIONS
from harness.scenarios.claims import BASELINE
from harness.targets.lab import host_name
from harness.targets.pki import SERVER_NAME
from harness.tls import Offer, Protocol, Service

_TIME_LIMIT = 10.0
_TRIES = 2
#: The versions as a ClientHello spells them. No scan sends a number of SSLv2.
_VERSIONS = {0x0002: Protocol.SSLv2, **{number: version for version, number in VERSIONS.items()}}


@dataclass(slots=True)
class RecordedHellos:
    """What was recorded, each with its bytes, and why nothing was of other clients, by name."""

    hellos: list[tuple[Recording, bytes]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


class HelloRecorder:
    """Records on one build, with its defaults, at one service."""

    def __init__(self, engine: Engine, build: Build, service: Service) -> None:
        self._engine = engine
        self._build = build
        self._service = service

    async def record_clients(self, clients: Sequence[Client]) -> RecordedHellos:
        """Record each client's first hello.

        Raises:
            HarnessError: the build, or the image that records, is unavailable.
        """
        recorded = RecordedHellos()
        scenario = read_scenarios(None)[BASELINE]
        relay = await self._engine.resources.client(recording_driver())
        held = await self._engine.instances.hold(self._build, scenario)
        try:
            work = (self._try_client(client, held.endpoint, relay) for client in clients)
            for client, result in zip(clients, await asyncio.gather(*work), strict=True):
                if isinstance(result, str):
                    recorded.failures[client.name] = result
                else:
                    recorded.hellos.append(result)
        finally:
            await self._engine.instances.release(self._build, scenario)
        return recorded

    async def _try_client(
        self, client: Client, endpoint: Endpoint, relay: Driver
    ) -> tuple[Recording, bytes] | str:
        """A client's recording, or why there is none.

        A driver that has only just started may be too slow for its first request.
        """
        why = ""
        for _ in range(_TRIES):
            try:
                async with self._engine.slots:
                    hello = await self._record_client(client, endpoint, relay)
                return describe_hello(client, hello), hello
            except (HarnessError, ClientHelloError) as error:
                why = str(error).splitlines()[0]
        return why

    async def _record_client(self, client: Client, endpoint: Endpoint, relay: Driver) -> bytes:
        """The bytes of a client's first ClientHello.

        Raises:
            HarnessError: it is unavailable, or it sent none.
        """
        driver = await self._engine.resources.client(client)
        host, port = endpoint.address(self._service)
        name = f"record-{client.name}"
        implicit = endpoint.dialogue(self._service).implicit_tls
        target = {"host": host, "port": port, "implicit": implicit}
        started = await _ask_relay(relay, {"id": name, "relay": target})
        result = await driver.ask(self._make_request(client, endpoint, int(started)))
        hellos = json.loads(await _ask_relay(relay, {"id": f"{name}-end", "recorded": name}))
        if not hellos:
            raise HarnessError(f"it sent no ClientHello: {_describe_result(result)}")
        return bytes.fromhex(hellos[0])

    def _make_request(self, client: Client, endpoint: Endpoint, port: int) -> Request:
        dialogue = endpoint.dialogue(self._service)
        return Request(
            id=f"{self._build.id}/{BASELINE}/{self._service}/{client.name}/default",
            host=host_name(f"client-{recording_driver().name}"),
            port=port,
            server_name=SERVER_NAME,
            implicit_tls=dialogue.implicit_tls,
            offer=Offer(),
            ca_file=CA_FILE,
            message=Message(
                LOGGED_IN_SENDER if dialogue.authenticates else SENDER,
                f"recording@{SINK_DOMAIN}",
                "a recording of this client's hello",
            ),
            credentials=CREDENTIALS if dialogue.authenticates else None,
            time_limit=_TIME_LIMIT,
        )


async def _ask_relay(relay: Driver, line: dict[str, object]) -> str:
    """The text that the relay answers.

    Raises:
        HarnessError: it failed.
    """
    answer = await relay.send_line(str(line["id"]), json.dumps(line), _TIME_LIMIT)
    if answer.outcome == "error" or answer.error is None:
        raise HarnessError(f"the relay failed: {answer.error}")
    return answer.error


def describe_hello(client: Client, hello: bytes) -> Recording:
    """A client's hello as a recording, without limits: the bytes do not show them.

    Raises:
        ClientHelloError: it is not a ClientHello.
    """
    parsed = parse_recorded_hello(hello)
    versions = [_VERSIONS[number] for number in parsed.versions if number in _VERSIONS]
    highest = max(versions, key=lambda version: version.rank, default=None)
    return Recording(
        client=f"{RECORDED_PREFIX}{client.name.replace('_', '-').replace('+', '-')}",
        recorded=client.name,
        about=f"{client.name}, recorded here: {client.about}",
        highest=highest,
        limits=KeyLimits(lowest=_find_oldest(versions)),
        hello=parsed,
    )


def _find_oldest(versions: list[Protocol]) -> Protocol | None:
    """The oldest version of a hello that lists its versions; one number shows only the newest."""
    return min(versions, key=lambda version: version.rank) if len(versions) > 1 else None


def _describe_result(result: ClientResult) -> str:
    return f"{result.outcome} at {result.stage}: {(result.error or '').splitlines()[:1]}"
