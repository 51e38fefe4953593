"""The client contract, version 1, as data (docs/client-contract.md). Needs no Docker."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from harness.tls import NO_NAME, Extras, Offer, Protocol

CONTRACT = 1

OUTCOMES = frozenset(
    {
        *("accepted", "plaintext", "refused", "not-offered", "client-incapable", "timeout"),
        *("hung-up", "error"),
    }
)
STAGES = frozenset(
    {"connect", "banner", "ehlo", "starttls", "handshake", "auth", "mail", "rcpt", "data", "quit"}
)


class ClientProtocolError(ValueError):
    """A driver said something that the contract does not know."""


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
    """One dialogue that a client is asked to have. ``time_limit`` is in seconds."""

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

    def to_dict(self, *, secret: bool = True) -> dict[str, Any]:
        """The request as the contract's JSON object; without the password unless ``secret``.

        The key ``extras`` is there only where the offer has some: a driver that does not know it
        is never sent it.
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
            "tls": self._tls(),
            "offer": _offer(self.offer),
            "ca_file": self.ca_file,
            "credentials": credentials,
            "message": {
                "from": self.message.sender,
                "to": self.message.recipient,
                "subject": self.message.subject,
            },
            "time_limit": self.time_limit,
            **({"extras": extras} if (extras := _extras(self.offer.extras)) else {}),
        }

    def _tls(self) -> str:
        if self.offer.plaintext:
            return "none"
        return "implicit" if self.implicit_tls else "starttls"

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict())


def _offer(offer: Offer) -> dict[str, Any] | None:
    if offer.lowest is None or offer.highest is None:
        return None
    named = {"ciphers": list(offer.ciphers), "groups": list(offer.groups)}
    versions = {"lowest": offer.lowest.value, "highest": offer.highest.value}
    return versions | {key: names for key, names in named.items() if names}


#: Where the certificates that a client may present lie in its container, by ``+cert=``'s word.
CERTIFICATE_FILE = "/run/postfix-matrix/client-{}.pem"
KEY_FILE = "/run/postfix-matrix/client-{}.key"


def _extras(extras: Extras) -> dict[str, Any]:
    """What beside the offer a client is told; ``+cert=none`` is what each client does anyway."""
    told: dict[str, Any] = {}
    if extras.presents_certificate:
        told["cert"] = {
            "chain_file": CERTIFICATE_FILE.format(extras.cert),
            "key_file": KEY_FILE.format(extras.cert),
        }
    if extras.sni is not None:
        told["sni"] = None if extras.sni == NO_NAME else extras.sni
    if extras.resume:
        told["resume"] = True
    if extras.renegotiate:
        told["renegotiate"] = True
    if extras.hangup is not None:
        told["hangup"] = str(extras.hangup)
    return told


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321, section 4.2)."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class ClientResult:
    """What a client says came of a request; ``seconds`` is the dialogue's wall time.

    ``peer_certificate`` is the server's own certificate as it came, PEM, where the software shows
    it. ``resumed``: whether the second connection took up the session of the first; None where
    nobody asked.
    """

    id: str
    outcome: str
    stage: str | None = None
    protocol: str | None = None
    cipher: str | None = None
    bits: int | None = None
    group: str | None = None
    reply: Reply | None = None
    error: str | None = None
    local_address: str | None = None
    queue_id: str | None = None
    seconds: float | None = None
    dialogue: tuple[str, ...] = ()
    peer_certificate: str | None = None
    resumed: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result as the contract's JSON object."""
        return {"contract": CONTRACT, **asdict(self), "dialogue": list(self.dialogue)}

    @classmethod
    def from_json(cls, line: str) -> ClientResult:
        """Read a driver's line.

        Raises:
            ContractError: not an object of version 1 with a known outcome and stage.
        """
        try:
            data = json.loads(line)
        except ValueError as error:
            raise ClientProtocolError(f"not JSON: {error}") from error
        if not isinstance(data, dict) or data.get("contract") != CONTRACT:
            raise ClientProtocolError("not an object of contract version 1")
        if not isinstance(data.get("id"), str):
            raise ClientProtocolError("no id")
        _check(data)
        reply = data.get("reply")
        known = {field.name for field in fields(cls)} & data.keys()
        values = {name: data[name] for name in known}
        values["reply"] = Reply(int(reply["code"]), str(reply["text"])) if reply else None
        values["dialogue"] = tuple(str(line) for line in data.get("dialogue") or ())
        return cls(**values)


_TEXTS = ("cipher", "group", "error", "local_address", "queue_id", "peer_certificate")


def _check(data: dict[str, Any]) -> None:
    _check_word(data, "outcome", OUTCOMES, required=True)
    _check_word(data, "stage", STAGES, required=data["outcome"] in ("refused", "hung-up"))
    _check_word(data, "protocol", frozenset(Protocol))
    for key in _TEXTS:
        _check_type(data, key, str)
    _check_type(data, "bits", int)
    _check_type(data, "seconds", int, float)
    _check_type(data, "dialogue", list)
    if not isinstance(data.get("resumed"), bool | None):
        raise ClientProtocolError(f"resumed is {data['resumed']!r}, not true, false or null")
    _check_type(data, "reply", dict)
    reply = data.get("reply")
    if reply:
        _check_type(reply, "code", int, required=True)
        _check_type(reply, "text", str, required=True)


def _check_word(
    data: dict[str, Any], key: str, words: frozenset[str], *, required: bool = False
) -> None:
    value = data.get(key)
    if value is None and not required:
        return
    if not isinstance(value, str) or value not in words:
        raise ClientProtocolError(f"unknown {key} {value!r}")


def _check_type(data: dict[str, Any], key: str, *types: type, required: bool = False) -> None:
    value = data.get(key)
    if value is None and not required:
        return
    if not isinstance(value, types) or isinstance(value, bool):
        raise ClientProtocolError(f"{key} is {value!r}, not {types[0].__name__}")
