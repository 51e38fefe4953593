"""The basic terms: protocols in Postfix's spelling, a client's offers, and the services.

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


#: Ciphers and groups are named individually, since a keyword such as ALL or HIGH denotes a
#: different set in each library and version, so that offers could not be compared.
_NAMES = re.compile(r"[A-Za-z0-9_-]+(?::[A-Za-z0-9_-]+)*")


class ClientCertificate(StrEnum):
    """The certificate that a client presents when the server asks for one.

    ``trusted`` and ``listed`` are issued by the run's CA, ``untrusted`` by another; a scenario can
    contain the fingerprint of the listed one (``scenarios.placeholders``).
    """

    NONE = "none"
    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    LISTED = "listed"


class HangUp(StrEnum):
    """When a client closes the connection: after STARTTLS's reply, after its hello, in DATA."""

    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    DATA = "data"


#: ``+sni=none``: no server name is sent.
NO_NAME = "none"
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Extras:
    """The parts of an offer other than versions, ciphers and groups; all are optional.

    ``sni`` is the server name that it sends (RFC 6066, section 3), :data:`NO_NAME` for none.
    ``resume``: it connects a second time with the session of the first (RFC 5077; RFC 8446,
    section 2.2). ``renegotiate``: it starts a further handshake inside the first (RFC 5746).
    ``hangup``: it closes the connection at that point, without QUIT.
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
        parts = [f"{key}={value}" for key, value in valued if value is not None]
        parts += ["resume"] * self.resume + ["renegotiate"] * self.renegotiate
        return "".join(f"+{word}" for word in parts)

    @property
    def presents_certificate(self) -> bool:
        """Whether the client has a certificate to present."""
        return self.cert not in (None, ClientCertificate.NONE)

    @property
    def abilities(self) -> tuple[str, ...]:
        """The abilities that a driver must declare (``extras`` in its description)."""
        needed = {
            "cert": self.presents_certificate,
            "sni": self.sni is not None,
            "resume": self.resume,
            "renegotiate": self.renegotiate,
            f"hangup={self.hangup}": self.hangup is not None,
        }
        return tuple(name for name, is_needed in needed.items() if is_needed)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client offers: a version range, or ``default`` (both bounds None).

    ``plaintext``: it does not use TLS, even if the server offers it. A range can be combined with
    ``ciphers`` and ``groups``, by OpenSSL's names, if only these are to be offered; empty: all that
    the client has. ``extras`` can be combined with a range or with the default.
    """

    lowest: Protocol | None = None
    highest: Protocol | None = None
    ciphers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    plaintext: bool = False
    extras: Extras = Extras()

    @property
    def is_default(self) -> bool:
        """Whether the client runs as its user would run it."""
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

        Each except ``plaintext`` may have extras: ``default+cert=trusted+sni=mx2.test``.
        ``str(offer)`` reproduces it, with the parts in a fixed order.

        Raises:
            UsageError: an unknown protocol, a range the wrong way round, an invalid list of names,
                or an unknown extra.
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
    """The parts after an offer's versions, by key; a part without a value has an empty one."""
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
        cert=_read_choice(text, "cert", read, ClientCertificate),
        sni=read.get("sni"),
        resume="resume" in read,
        renegotiate="renegotiate" in read,
        hangup=_read_choice(text, "hangup", read, HangUp),
    )
    if extras.sni is not None and not _HOST.fullmatch(extras.sni):
        raise UsageError(
            f"offer {text!r}: {extras.sni!r} is not a server name",
            next_step=f"write lower-case letters, digits, hyphens and dots, or {NO_NAME} for none",
        )
    if extras.resume + extras.renegotiate + (extras.hangup is not None) > 1:
        raise UsageError(
            f"offer {text!r} has more than one of resume, renegotiate and hangup",
            next_step="measure them in separate cells",
        )
    return extras


_Choice = TypeVar("_Choice", bound=StrEnum)


def _read_choice(
    text: str, key: str, read: Mapping[str, str], choices: type[_Choice]
) -> _Choice | None:
    if key not in read:
        return None
    try:
        return choices(read[key])
    except ValueError:
        raise UsageError(
            f"offer {text!r}: {key} cannot be {read[key]!r}",
            next_step=f"use one of {' '.join(choices)}",
        ) from None


#: One offer per version, and the default offer.
STANDARD_OFFERS: tuple[Offer, ...] = (*(Offer(p, p) for p in Protocol), Offer())


#: The registered services (RFC 5321, RFC 6409, RFC 8314), each with all its names in master.cf.
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
    """The service to which a client connects, by its name in master.cf; one object per name.

    The registered services have one name each, however an entry spells it (``465``, ``smtps``:
    ``submissions``). Any other inet entry is a service with the entry's name: ``2525``,
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
        """The service with this name, or with this as one of its names.

        Raises:
            ValueError: the text is not the name of an inet entry (master(5)).
        """
        canonical = _CANONICAL.get(name, str(name))
        if canonical not in cls._known:
            if not _LISTENER.fullmatch(canonical):
                raise ValueError(f"{name!r} is not a service")
            cls._known[canonical] = super().__new__(cls, canonical)
        return cls._known[canonical]

    @property
    def port(self) -> int:
        """The registered TCP port: 25, 587 or 465; for outbound, that of the peer.

        Raises:
            ValueError: the service has no registered port.
        """
        ports = {"smtp": 25, "submission": 587, "submissions": 465, _OUTBOUND: 25}
        if self not in ports:
            raise ValueError(f"{self} has no registered port")
        return ports[self]

    @property
    def is_registered(self) -> bool:
        """Whether it is one of the three that have a registered port."""
        return self in _REGISTERED

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS starts with the connection (RFC 8314), not after STARTTLS (RFC 3207).

        For a service without a registered port its entry decides (``postfix_config.listeners``).
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

#: The services that a run measures by default: those where Postfix is the server.
INBOUND: tuple[Service, ...] = (Service.SMTP, Service.SUBMISSION, Service.SUBMISSIONS)
#: The services that have a name in every configuration, in the order of tables.
NAMED_SERVICES: tuple[Service, ...] = (*INBOUND, Service.OUTBOUND)

#: Services without the offer plaintext: TLS is implicit, or the peer's server requires its offer.
NEVER_PLAINTEXT: tuple[Service, ...] = (Service.SUBMISSIONS, Service.OUTBOUND)


def read_service(text: str) -> Service:
    """The service that a user names: a registered name, a port, or ``host:port``.

    Raises:
        ValueError: it is none of these; another name of services(5) could be a typing error.
    """
    service = Service(text)
    port = text.rpartition(":")[2]
    is_number = port.isascii() and port.isdigit()
    if is_number and not 0 < int(port[:6]) < 1 << 16:
        raise ValueError(f"{port} is not a port")
    if service in NAMED_SERVICES or is_number or ":" in text:
        return service
    raise ValueError(f"{text!r} is not a service")


def in_table_order(services: Iterable[Service]) -> tuple[Service, ...]:
    """Services in the order of tables: the named ones first, then the others as given."""
    given = dict.fromkeys(services)
    named = [service for service in NAMED_SERVICES if service in given]
    return (*named, *(service for service in given if service not in named))
