"""The client contract, version 1 (docs/client-contract.md), for drivers written in Python.

A driver makes an object with ``describe()`` and ``run(request, trace)`` and hands it to `main`,
which reads requests, runs several at a time within each one's time limit, and writes the results.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from common.extras import ABILITIES, BadRequest, Extras, read_extras

CONTRACT = 1
#: How many requests a driver works on at once, however many are sent to it.
JOBS = 64
#: What every driver calls itself in EHLO.
EHLO_NAME = "client.test"
#: Oldest first, in Postfix's spelling.
PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@dataclass(frozen=True)
class Offer:
    """The version range that a client is told to offer, both ends included.

    ``ciphers`` and ``groups`` are the names, OpenSSL's, of the only ones to be offered; empty: all
    that the library has.
    """

    lowest: str
    highest: str
    ciphers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def list_versions(self) -> tuple[str, ...]:
        """Every version from the lowest to the highest, oldest first."""
        return PROTOCOLS[PROTOCOLS.index(self.lowest) : PROTOCOLS.index(self.highest) + 1]


@dataclass(frozen=True)
class Request:
    """One request; the fields are the contract's. ``time_limit`` is in seconds.

    ``plaintext``: no TLS is to be used, even where the server has it; ``offer`` is None then.
    """

    id: str
    host: str
    port: int
    server_name: str
    implicit_tls: bool
    offer: Offer | None
    ca_file: str
    username: str | None
    password: str | None
    sender: str
    recipient: str
    subject: str
    time_limit: float
    plaintext: bool = False
    extras: Extras = field(default_factory=Extras)

    @classmethod
    def parse(cls, line: bytes | str) -> Request:
        """Read one line.

        Raises:
            BadRequest: not JSON, another contract's version, or a field missing or wrong.
        """
        try:
            data = json.loads(line)
            if data["contract"] != CONTRACT:
                raise BadRequest(f"contract {data['contract']!r}; this driver speaks {CONTRACT}")
            return _read_request(data)
        except BadRequest:
            raise
        except (KeyError, TypeError, ValueError) as exc:
            raise BadRequest(f"{type(exc).__name__}: {exc}") from exc


def _read_request(data: Mapping[str, Any]) -> Request:
    if data["tls"] not in ("starttls", "implicit", "none"):
        raise BadRequest(f"tls is {data['tls']!r}; use 'starttls', 'implicit' or 'none'")
    credentials = data["credentials"] or {"username": None, "password": None}
    message = data["message"]
    return Request(
        id=data["id"],
        host=data["host"],
        port=int(data["port"]),
        server_name=data["server_name"],
        implicit_tls=data["tls"] == "implicit",
        offer=_read_offer(data["offer"]),
        ca_file=data["ca_file"],
        username=credentials["username"],
        password=credentials["password"],
        sender=message["from"],
        recipient=message["to"],
        subject=message["subject"],
        time_limit=float(data["time_limit"]),
        plaintext=data["tls"] == "none",
        extras=read_extras(data.get("extras") or {}),
    )


def _read_offer(data: Mapping[str, Any] | None) -> Offer | None:
    if data is None:
        return None
    named = {key: tuple(map(str, data.get(key) or ())) for key in ("ciphers", "groups")}
    offer = Offer(data["lowest"], data["highest"], **named)
    for version in (offer.lowest, offer.highest):
        if version not in PROTOCOLS:
            raise BadRequest(f"unknown protocol {version!r}; use one of {' '.join(PROTOCOLS)}")
    if not offer.list_versions():
        raise BadRequest(f"offer {offer.lowest}..{offer.highest} is the wrong way round")
    return offer


#: A client that does not stop when cancelled is cancelled this often, this many seconds apart.
CANCELS = 3
CANCEL_PATIENCE = 0.1


@dataclass(frozen=True)
class Reply:
    """An SMTP reply (RFC 5321 4.2): its code, and its lines' texts joined by newlines."""

    code: int
    text: str


@dataclass
class Trace:
    """What is known of a dialogue while it goes on; a time-out reports it as far as it has come.

    ``started`` is the monotonic clock when the connection was begun, in seconds; None before.
    ``peer_certificate`` is the server's own certificate as it came, PEM. ``resumed`` is of a second
    connection: whether it took up the session of the first.
    """

    stage: str | None = "connect"
    reply: Reply | None = None
    local_address: str | None = None
    protocol: str | None = None
    cipher: str | None = None
    bits: int | None = None
    group: str | None = None
    queue_id: str | None = None
    peer_certificate: str | None = None
    resumed: bool | None = None
    started: float | None = None
    lines: list[str] = field(default_factory=list)

    def start_clock(self) -> None:
        """Start the clock: the connection is about to be made."""
        self.started = time.monotonic()

    def note_line(self, who: str, text: str) -> None:
        """Note one line of the dialogue; ``who`` is ``C`` or ``S``."""
        self.lines.append(f"{who}: {text}")

    def note_reply(self, reply: Reply) -> None:
        """Note a reply, line by line, as it looks on the wire."""
        self.reply = reply
        *first, last = reply.text.split("\n")
        self.lines.extend(f"S: {reply.code}-{line}" for line in first)
        self.lines.append(f"S: {reply.code} {last}")


@dataclass(frozen=True)
class Ending:
    """How a dialogue ended: the contract's ``outcome``, its ``stage`` and ``error``.

    ``reply`` is the reply that decided it, None where none did.
    """

    outcome: str
    stage: str | None = None
    error: str | None = None
    reply: Reply | None = None


class Client(Protocol):
    """What a driver has to be. One that can do without TLS when told so has ``plaintext`` True.

    ``extras``, where it has that, are the abilities (`Extras`) that it has.
    """

    async def describe(self) -> dict[str, Any]:
        """What ``driver --describe`` prints."""
        ...

    async def run(self, request: Request, trace: Trace) -> Ending:
        """Hold one dialogue. What it raises is reported as ``error``, never as a refusal."""
        ...


def make_result(
    request_id: str, ending: Ending, trace: Trace, seconds: float | None
) -> dict[str, Any]:
    """The contract's result, ready for JSON."""
    reply = ending.reply
    return {
        "contract": CONTRACT,
        "id": request_id,
        "outcome": ending.outcome,
        "stage": ending.stage,
        "protocol": trace.protocol,
        "cipher": trace.cipher,
        "bits": trace.bits,
        "group": trace.group,
        "reply": None if reply is None else {"code": reply.code, "text": reply.text},
        "error": ending.error,
        "local_address": trace.local_address,
        "queue_id": trace.queue_id,
        "seconds": None if seconds is None else round(seconds, 6),
        "dialogue": trace.lines,
        "peer_certificate": trace.peer_certificate,
        "resumed": trace.resumed,
    }


def make_message_id(request_id: str) -> str:
    """A Message-ID that can be read, and is unique where the id is (RFC 5322 3.6.4).

    Slashes and whatever else may not stand there become dots; the digest keeps apart what that
    makes equal.
    """
    digest = hashlib.sha256(request_id.encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9_-]+", ".", request_id).strip(".") or "cell"
    return f"<{readable}.{digest}@{EHLO_NAME}>"


def find_queue_id(text: str) -> str | None:
    """The queue id in Postfix's final reply, ``2.0.0 Ok: queued as 4BXYZ``; None where none is."""
    match = re.search(r"queued as (\S+)", text)
    return match.group(1) if match else None


def list_abilities(client: Client) -> frozenset[str]:
    """The extras that a client can be told."""
    return frozenset(getattr(client, "extras", ()))


def explain_unavailable_extras(client: Client, request: Request) -> str:
    """Which extras of a request a client cannot be told; "": none."""
    if request.implicit_tls and request.extras.hangup == "starttls":
        return "this client cannot be told to hang up after STARTTLS where TLS comes first"
    unavailable = [
        ability
        for ability in request.extras.list_abilities()
        if ability not in list_abilities(client)
    ]
    description = " or ".join(ABILITIES.get(ability, ability) for ability in unavailable)
    return f"this client cannot be told {description}" if description else ""


async def run_request(client: Client, request: Request) -> dict[str, Any]:
    """One request's result, whatever happens."""
    trace = Trace()
    if request.plaintext and not getattr(client, "plaintext", False):
        why = "there is no way to tell this client to do without TLS"
        return make_result(request.id, Ending("client-incapable", "starttls", why), trace, None)
    why = explain_unavailable_extras(client, request)
    if why:
        return make_result(request.id, Ending("client-incapable", "handshake", why), trace, None)
    try:
        ending = await _wait_within(request.time_limit, client.run(request, trace))
    except TimeoutError:
        ending = Ending("timeout", trace.stage, f"no end after {request.time_limit:g} s")
    except Exception as exc:
        lines = "".join(traceback.format_exception(type(exc), exc, exc.__traceback__)).strip()
        ending = Ending("error", trace.stage, "\n".join(lines.splitlines()[-6:]))
    seconds = None if trace.started is None else time.monotonic() - trace.started
    return make_result(request.id, ending, trace, seconds)


async def _wait_within(seconds: float, dialogue: Coroutine[Any, Any, Ending]) -> Ending:
    """The dialogue's ending, or TimeoutError once ``seconds`` are over.

    asyncio.wait_for would go on to wait for whatever the client does when it is cancelled: some say
    QUIT to the very server that hangs. So it is cancelled out of that as well.
    """
    task = asyncio.ensure_future(dialogue)
    await asyncio.wait({task}, timeout=seconds)
    if task.done():
        return task.result()
    for _ in range(CANCELS):
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_PATIENCE)
        if task.done():
            break
    raise TimeoutError


def _bad_request(line: bytes, exc: BadRequest) -> dict[str, Any]:
    try:
        request_id = str(json.loads(line)["id"])
    except (ValueError, KeyError, TypeError):
        request_id = ""
    return make_result(request_id, Ending("error", None, f"bad request: {exc}"), Trace(), None)


def _write_line(data: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


async def _answer_line(client: Client, line: bytes, turn: asyncio.Semaphore) -> None:
    try:
        request = Request.parse(line)
    except BadRequest as exc:
        _write_line(_bad_request(line, exc))
        return
    async with turn:
        _write_line(await run_request(client, request))


async def serve_requests(client: Client, jobs: int = JOBS) -> None:
    """Answer each line of standard input, ``jobs`` at a time, until it ends.

    A thread reads, since standard input may be a file, which no event loop can wait for.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes | None] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    turn = asyncio.Semaphore(jobs)
    under_way: set[asyncio.Task[None]] = set()
    while (line := await lines.get()) is not None:
        if line.strip():
            task = asyncio.create_task(_answer_line(client, line, turn))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.gather(*under_way)


async def main(
    client: Client, jobs: int = JOBS, warm: Callable[[], Awaitable[None]] | None = None
) -> None:
    """The driver's whole command line: nothing, or ``--describe``.

    ``warm`` is done before the first request is read, so that no request's time limit pays for it;
    ``jobs`` requests are worked on at a time, and the clock of a further one does not run yet.
    """
    if sys.argv[1:] == ["--describe"]:
        extras = sorted(list_abilities(client))
        _write_line({"contract": CONTRACT, **await client.describe(), "extras": extras})
    elif sys.argv[1:]:
        sys.exit(f"usage: driver [--describe]; got {' '.join(sys.argv[1:])}")
    else:
        if warm is not None:
            await warm()
        await serve_requests(client, jobs)
