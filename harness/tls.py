"""The field's own words: protocols in Postfix's spelling, what a client offers, the services.

Spelling is postconf(5)'s (``smtpd_tls_protocols``): ``SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypeVar

from harness.errors import UsageError


class Protocol(StrEnum):
    """An SSL or TLS protocol version; the order of definition is the order of age."""

    SSLv2 = "SSLv2"
    SSLv3 = "SSLv3"
    TLSv1 = "TLSv1"
    TLSv1_1 = "TLSv1.1"
    TLSv1_2 = "TLSv1.2"
    TLSv1_3 = "TLSv1.3"

    @property
    def rank(self) -> int:
        """Position by age, 0 for SSLv2."""
        return list(Protocol).index(self)

    @classmethod
    def parse(cls, text: str) -> Protocol:
        """Read Postfix's spelling.

        Raises:
            UsageError: not one of the six names.
        """
        try:
            return cls(text)
        except ValueError:
            raise UsageError(
                f"unknown protocol {text!r}",
                next_step=f"use Postfix's spelling: {' '.join(cls)}",
            ) from None


DEFAULT = "default"
#: The offer of no TLS at all.
PLAINTEXT = "plaintext"


#: Ciphers and groups are named one by one, since a keyword such as ALL or HIGH means another set to
#: each library and version: the same offer would not be the same.
_NAMES = re.compile(r"[A-Za-z0-9_-]+(?::[A-Za-z0-9_-]+)*")


class ClientCertificate(StrEnum):
    """The certificate that a client presents when the server asks for one.

    ``trusted`` and ``listed`` are of the run's CA, ``untrusted`` of another; a scenario can write
    down the fingerprint of the listed one (``scenarios.placeholders``).
    """

    NONE = "none"
    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    LISTED = "listed"


class HangUp(StrEnum):
    """Where a client closes the connection: after STARTTLS's reply, after its hello, in DATA."""

    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    DATA = "data"


#: ``+sni=none``: no server name is sent.
NO_NAME = "none"
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Extras:
    """What a client is told beside versions, ciphers and groups; empty: nothing of the kind.

    ``sni`` is the server name that it sends (RFC 6066, section 3), :data:`NO_NAME` for none.
    ``resume``: it connects a second time with the session of the first (RFC 5077; RFC 8446,
    section 2.2). ``renegotiate``: it starts a further handshake inside the first (RFC 5746).
    ``hangup``: it closes the connection there, without QUIT.
    """

    cert: ClientCertificate | None = None
    sni: str | None = None
    resume: bool = False
    renegotiate: bool = False
    hangup: HangUp | None = None

    def __bool__(self) -> bool:
        return self != Extras()

    def __str__(self) -> str:
        """``+cert=trusted+sni=mx2.test``; "" for nothing."""
        valued = (("cert", self.cert), ("sni", self.sni), ("hangup", self.hangup))
        words = [f"{key}={value}" for key, value in valued if value is not None]
        words += ["resume"] * self.resume + ["renegotiate"] * self.renegotiate
        return "".join(f"+{word}" for word in words)

    @property
    def presents_certificate(self) -> bool:
        """Whether the client has a certificate to present."""
        return self.cert not in (None, ClientCertificate.NONE)

    @property
    def abilities(self) -> tuple[str, ...]:
        """What a driver must say that it can do (``extras`` of its description)."""
        needed = {
            "cert": self.presents_certificate,
            "sni": self.sni is not None,
            "resume": self.resume,
            "renegotiate": self.renegotiate,
            f"hangup={self.hangup}": self.hangup is not None,
        }
        return tuple(name for name, asked in needed.items() if asked)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client is told to offer: a version range, or ``default`` (both bounds None).

    ``plaintext``: it is told to do without TLS, even where the server has it. With a range go
    ``ciphers`` and ``groups``, by OpenSSL's names, where only these are to be offered; empty: all
    that the client has. ``extras`` go with a range and with the default.
    """

    lowest: Protocol | None = None
    highest: Protocol | None = None
    ciphers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    plaintext: bool = False
    extras: Extras = Extras()

    @property
    def is_default(self) -> bool:
        """Whether the client is left as its user would run it."""
        return self.lowest is None and not self.plaintext and not self.extras

    def __str__(self) -> str:
        if self.plaintext:
            return PLAINTEXT
        if self.lowest is None or self.highest is None:
            return f"{DEFAULT}{self.extras}"
        only_one = self.lowest is self.highest
        versions = self.lowest.value if only_one else f"{self.lowest}..{self.highest}"
        named = (("ciphers", self.ciphers), ("groups", self.groups))
        lists = "".join(f"+{key}={':'.join(names)}" for key, names in named if names)
        return f"{versions}{lists}{self.extras}"

    @classmethod
    def parse(cls, text: str) -> Offer:
        """Read ``default``, ``plaintext``, ``TLSv1.2``, or ``TLSv1..TLSv1.2+ciphers=A:B+groups=C``.

        Each but ``plaintext`` may have extras: ``default+cert=trusted+sni=mx2.test``.
        ``str(offer)`` gives it back, the parts in one order.

        Raises:
            UsageError: unknown protocol, a range the wrong way round, what is no list of names, or
                an extra that there is not.
        """
        versions, *parts = text.split("+")
        if text == PLAINTEXT:
            return cls(plaintext=True)
        read = _read_parts(text, parts)
        extras = _read_extras(text, read)
        named = {key: _read_names(text, key, read) for key in ("ciphers", "groups")}
        if versions == DEFAULT and not any(named.values()):
            return cls(extras=extras)
        low_text, dots, high_text = versions.partition("..")
        low = Protocol.parse(low_text)
        high = Protocol.parse(high_text) if dots else low
        if high.rank < low.rank:
            raise UsageError(
                f"offer {text!r} is the wrong way round", next_step=f"write {high}..{low}"
            )
        return cls(low, high, named["ciphers"], named["groups"], extras=extras)


_VALUED = ("ciphers", "groups", "cert", "sni", "hangup")
_BARE = ("resume", "renegotiate")
_EXAMPLE = (
    "write names with colons between, such as "
    "TLSv1.2+ciphers=ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA+groups=X25519, or one of +cert=trusted "
    "+sni=mx2.test +resume +renegotiate +hangup=data (docs/clients.md)"
)


def _read_parts(text: str, parts: Iterable[str]) -> dict[str, str]:
    """What follows an offer's versions, by key; of what has no value, the value is empty."""
    read: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if key in read or key not in (_VALUED if equals else _BARE):
            raise UsageError(f"offer {text!r}: {part!r} is not understood", next_step=_EXAMPLE)
        read[key] = value
    return read


def _read_names(text: str, key: str, read: Mapping[str, str]) -> tuple[str, ...]:
    if key not in read:
        return ()
    if not _NAMES.fullmatch(read[key]):
        raise UsageError(
            f"offer {text!r}: {f'{key}={read[key]}'!r} is not understood", next_step=_EXAMPLE
        )
    return tuple(read[key].split(":"))


def _read_extras(text: str, read: Mapping[str, str]) -> Extras:
    extras = Extras(
        cert=_read_word(text, "cert", read, ClientCertificate),
        sni=read.get("sni"),
        resume="resume" in read,
        renegotiate="renegotiate" in read,
        hangup=_read_word(text, "hangup", read, HangUp),
    )
    if extras.sni is not None and not _HOST.fullmatch(extras.sni):
        raise UsageError(
            f"offer {text!r}: {extras.sni!r} is no server name",
            next_step=f"write small letters, digits, hyphens and dots, or {NO_NAME} to send none",
        )
    if extras.resume + extras.renegotiate + (extras.hangup is not None) > 1:
        raise UsageError(
            f"offer {text!r} wants more than one of resume, renegotiate and hangup",
            next_step="measure them in cells of their own",
        )
    return extras


_Word = TypeVar("_Word", bound=StrEnum)


def _read_word(text: str, key: str, read: Mapping[str, str], words: type[_Word]) -> _Word | None:
    if key not in read:
        return None
    try:
        return words(read[key])
    except ValueError:
        raise UsageError(
            f"offer {text!r}: {key} cannot be {read[key]!r}",
            next_step=f"use one of {' '.join(words)}",
        ) from None


#: One offer a version, and the client as it comes.
STANDARD_OFFERS: tuple[Offer, ...] = (*(Offer(p, p) for p in Protocol), Offer())


#: Ports of the services that have a name of their own (RFC 5321, RFC 6409, RFC 8314), by every name
#: that master.cf knows for them.
_REGISTERED = {
    "smtp": ("smtp", "25"),
    "submission": ("submission", "587"),
    "submissions": ("submissions", "smtps", "465"),
}
_CANONICAL = {alias: name for name, aliases in _REGISTERED.items() for alias in aliases}
_OUTBOUND = "outbound"
#: A port, or a name of services(5), with or without a host: ``2525``, ``127.0.0.1:10025``.
_LISTENER = re.compile(
    r"(?:(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[A-Za-z0-9._-]+):)?[A-Za-z0-9_-]+", re.ASCII
)


class Service(str):
    """What the client connects to, by its name in master.cf; there is one object a name.

    The registered services have one name each, however an entry spells it (``465``, ``smtps``:
    ``submissions``). Any other inet entry is a service by its own name: ``2525``,
    ``127.0.0.1:10025``. ``outbound`` is mail that Postfix sends.
    """

    __slots__ = ()
    _known: ClassVar[dict[str, Service]] = {}

    SMTP: ClassVar[Service]
    SUBMISSION: ClassVar[Service]
    SUBMISSIONS: ClassVar[Service]
    #: Postfix as the client: mail that smtp(8) sends to others.
    OUTBOUND: ClassVar[Service]

    def __new__(cls, name: str) -> Service:
        """The service of a name, whichever of its names that is.

        Raises:
            ValueError: the text is no name of an inet entry (master(5)).
        """
        canonical = _CANONICAL.get(name, str(name))
        if canonical not in cls._known:
            if not _LISTENER.fullmatch(canonical):
                raise ValueError(f"{name!r} is no service")
            cls._known[canonical] = super().__new__(cls, canonical)
        return cls._known[canonical]

    @property
    def port(self) -> int:
        """The registered TCP port: 25, 587 or 465; of outbound, that of the other side.

        Raises:
            ValueError: the service has no registered port.
        """
        ports = {"smtp": 25, "submission": 587, "submissions": 465, _OUTBOUND: 25}
        if self not in ports:
            raise ValueError(f"{self} has no registered port")
        return ports[self]

    @property
    def is_registered(self) -> bool:
        """Whether it is one of the three that have a port of their own."""
        return self in _REGISTERED

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS starts with the connection (RFC 8314), not after STARTTLS (RFC 3207).

        Of a service without a registered port its entry decides (``postfix_config.listeners``).
        """
        return self is Service.SUBMISSIONS

    @property
    def authenticates(self) -> bool:
        """Whether a client logs in there before it sends (RFC 4954)."""
        return self in (Service.SUBMISSION, Service.SUBMISSIONS)


Service.SMTP = Service("smtp")
Service.SUBMISSION = Service("submission")
Service.SUBMISSIONS = Service("submissions")
Service.OUTBOUND = Service(_OUTBOUND)

#: The services that a run measures unasked: those where Postfix is the server.
INBOUND: tuple[Service, ...] = (Service.SMTP, Service.SUBMISSION, Service.SUBMISSIONS)
#: The services that have a name in every configuration, in the order of tables.
NAMED_SERVICES: tuple[Service, ...] = (*INBOUND, Service.OUTBOUND)

#: Where TLS comes first, or the other side is a server that is pinned, there is no offer of none.
NEVER_PLAINTEXT: tuple[Service, ...] = (Service.SUBMISSIONS, Service.OUTBOUND)


def read_service(text: str) -> Service:
    """The service that a user names: one that has a name, a port, or ``host:port``.

    Raises:
        ValueError: it is none of these; a name of services(5) alone could be a typing error.
    """
    service = Service(text)
    port = text.rpartition(":")[2]
    if service in NAMED_SERVICES or (port.isascii() and port.isdigit()) or ":" in text:
        return service
    raise ValueError(f"{text!r} is no service")


def in_table_order(services: Iterable[Service]) -> tuple[Service, ...]:
    """Services as tables have them: the named ones first, then the others as they came."""
    given = dict.fromkeys(services)
    named = [service for service in NAMED_SERVICES if service in given]
    return (*named, *(service for service in given if service not in named))
