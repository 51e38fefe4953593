"""The client contract, version 1, as data (docs/client-contract.md)."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Le, Lt

from harness.data_models import DataError, read_json_data
from harness.errors import FileError
from harness.json_text import parse_json
from harness.tls import NO_NAME, Extras, Offer

CONTRACT = 1

#: The vocabularies of a result; a driver's line with another word is refused.
ClientOutcome = Literal[
    "accepted",
    "plaintext",
    "refused",
    "not-offered",
    "client-incapable",
    "timeout",
    "hung-up",
    "error",
    # Of a driver of recorded hellos alone.
    "would-negotiate",
    "would-be-refused",
]
ClientStage = Literal[
    "connect",
    "banner",
    "ehlo",
    "starttls",
    "handshake",
    "auth",
    "mail",
    "rcpt",
    "data",
    "quit",
]
ClientProtocol = Literal["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
OUTCOMES: frozenset[ClientOutcome] = frozenset(get_args(ClientOutcome))
STAGES: frozenset[ClientStage] = frozenset(get_args(ClientStage))


#: How the error of a recorded hello begins where the client's own limits decide, not the server.
BY_CLIENT = "would be refused by the client: "


class ClientProtocolError(ValueError):
    """A driver wrote something that the contract does not allow."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client logs in with (RFC 4954, PLAIN or LOGIN)."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Message:
    """The message that the client sends, where it sends one."""

    sender: str
    recipient: str
    subject: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a client for one SMTP dialogue. ``time_limit`` is in seconds.

    ``hello`` is the first flight that a driver of recorded hellos has to send; b"" for all others.
    """

    id: str
    host: str
    port: int
    server_name: str
    implicit_tls: bool
    offer: Offer
    ca_file: str
    message: Message
    credentials: Credentials | None = None
    time_limit: float = 10.0
    hello: bytes = b""

    def to_dict(self, *, secret: bool = True) -> dict[str, Any]:
        """The request as the contract's JSON object; without the password unless ``secret``.

        It has the key ``extras`` only where the offer has some, so a driver that does not know the
        key never gets it.
        """
        credentials = asdict(self.credentials) if self.credentials else None
        if credentials and not secret:
            credentials["password"] = "…"
        return {
            "contract": CONTRACT,
            "id": self.id,
            "host": self.host,
            "port": self.port,
            "server_name": self.server_name,
            "tls": self._tls_mode(),
            "offer": _offer_data(self.offer),
            "ca_file": self.ca_file,
            "credentials": credentials,
            "message": {
                "from": self.message.sender,
                "to": self.message.recipient,
                "subject": self.message.subject,
            },
            "time_limit": self.time_limit,
            **({"extras": extras} if (extras := _extras_data(self.offer.extras)) else {}),
            **({"hello": self.hello.hex()} if self.hello else {}),
        }

    def _tls_mode(self) -> str:
        if self.offer.plaintext:
            return "none"
        return "implicit" if self.implicit_tls else "starttls"

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict())


def _offer_data(offer: Offer) -> dict[str, Any] | None:
    if offer.lowest is None or offer.highest is None:
        return None
    named = {"ciphers": list(offer.ciphers), "groups": list(offer.groups)}
    versions = {"lowest": offer.lowest.value, "highest": offer.highest.value}
    return versions | {key: names for key, names in named.items() if names}


#: The paths in a client's container of the certificates to present, by the value of ``+cert=``.
CERTIFICATE_FILE = "/run/postfix-matrix/client-{}.pem"
KEY_FILE = "/run/postfix-matrix/client-{}.key"


def _extras_data(extras: Extras) -> dict[str, Any]:
    """The extras of an offer as JSON; ``+cert=none`` is the default of every client."""
    values: dict[str, Any] = {}
    if extras.presents_certificate:
        values["cert"] = {
            "chain_file": CERTIFICATE_FILE.format(extras.cert),
            "key_file": KEY_FILE.format(extras.cert),
        }
    if extras.sni is not None:
        values["sni"] = None if extras.sni == NO_NAME else extras.sni
    if extras.resume:
        values["resume"] = True
    if extras.renegotiate:
        values["renegotiate"] = True
    if extras.hangup is not None:
        values["hangup"] = str(extras.hangup)
    return values


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321, section 4.2)."""

    code: Annotated[int, Ge(100), Le(999)]
    text: str


@dataclass(frozen=True, slots=True)
class ClientResult:
    """A client's report on a request; ``seconds`` is the wall time of the dialogue.

    ``peer_certificate``: the server certificate as it was received, PEM, where the software shows
    it. ``resumed``: whether the second connection resumed the session of the first; None where
    that was not requested. ``prime_bits``: the size of the prime of a Diffie-Hellman exchange;
    only a driver of recorded hellos reports it.
    """

    id: str
    outcome: ClientOutcome
    stage: ClientStage | None = None
    protocol: ClientProtocol | None = None
    cipher: str | None = None
    bits: Annotated[int, Ge(0)] | None = None
    group: str | None = None
    reply: Reply | None = None
    error: str | None = None
    local_address: str | None = None
    queue_id: str | None = None
    seconds: Annotated[float, Ge(0), Lt(math.inf)] | None = None
    dialogue: tuple[str, ...] = ()
    peer_certificate: str | None = None
    resumed: bool | None = None
    prime_bits: Annotated[int, Ge(0)] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result as the contract's JSON object."""
        data = {"contract": CONTRACT, **asdict(self), "dialogue": list(self.dialogue)}
        if self.prime_bits is None:
            del data["prime_bits"]
        return data

    @classmethod
    def from_json(cls, line: str) -> ClientResult:
        """Read a driver's line.

        Raises:
            ClientProtocolError: not an object of version 1 with a known outcome and stage.
        """
        try:
            data = parse_json(line, Path("result"))
        except FileError as error:
            raise ClientProtocolError(error.what.removeprefix("result:1: ")) from error
        if not isinstance(data, dict) or type(data.get("contract")) is not int:
            raise ClientProtocolError("not an object of contract version 1")
        if data["contract"] != CONTRACT:
            raise ClientProtocolError(f"contract is {data['contract']}, not {CONTRACT}")
        try:
            result = read_json_data(cls, line)
        except DataError as error:
            problem = error.problems[0]
            raise ClientProtocolError(
                f"{problem.key}: {problem.what} (expected {problem.expected or 'the key'})"
            ) from error
        if result.outcome in _STAGED and result.stage is None:
            raise ClientProtocolError(f"stage is missing, where the outcome is {result.outcome}")
        return result


#: Outcomes that name the stage at which they came about.
_STAGED = ("refused", "hung-up", "would-be-refused")
