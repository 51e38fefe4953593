"""The field's own words: protocols in Postfix's spelling, what a client offers, the services.

Spelling is postconf(5)'s (``smtpd_tls_protocols``): ``SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client is told to offer: a version range, or ``default`` (both bounds None).

    ``plaintext``: it is told to do without TLS, even where the server has it. With a range go
    ``ciphers`` and ``groups``, by OpenSSL's names, where only these are to be offered; empty: all
    that the client has.
    """

    lowest: Protocol | None = None
    highest: Protocol | None = None
    ciphers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    plaintext: bool = False

    @property
    def is_default(self) -> bool:
        """Whether the client is left as its user would run it."""
        return self.lowest is None and not self.plaintext

    def __str__(self) -> str:
        if self.plaintext:
            return PLAINTEXT
        if self.lowest is None or self.highest is None:
            return DEFAULT
        only_one = self.lowest is self.highest
        versions = self.lowest.value if only_one else f"{self.lowest}..{self.highest}"
        named = (("ciphers", self.ciphers), ("groups", self.groups))
        return versions + "".join(f"+{key}={':'.join(names)}" for key, names in named if names)

    @classmethod
    def parse(cls, text: str) -> Offer:
        """Read ``default``, ``plaintext``, ``TLSv1.2``, or ``TLSv1..TLSv1.2+ciphers=A:B+groups=C``.

        ``str(offer)`` gives it back.

        Raises:
            UsageError: unknown protocol, a range the wrong way round, or what is no list of names.
        """
        if text == DEFAULT:
            return cls()
        if text == PLAINTEXT:
            return cls(plaintext=True)
        versions, *rest = text.split("+")
        low_text, dots, high_text = versions.partition("..")
        low = Protocol.parse(low_text)
        high = Protocol.parse(high_text) if dots else low
        if high.rank < low.rank:
            raise UsageError(
                f"offer {text!r} is the wrong way round", next_step=f"write {high}..{low}"
            )
        named = _named(text, rest)
        return cls(low, high, named.get("ciphers", ()), named.get("groups", ()))


def _named(text: str, parts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for part in parts:
        key, _, names = part.partition("=")
        if key not in ("ciphers", "groups") or key in found or not _NAMES.fullmatch(names):
            raise UsageError(
                f"offer {text!r}: {part!r} is not understood",
                next_step="write names with colons between, such as "
                "TLSv1.2+ciphers=ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA+groups=X25519",
            )
        found[key] = tuple(names.split(":"))
    return found


#: One offer a version, and the client as it comes.
STANDARD_OFFERS: tuple[Offer, ...] = (*(Offer(p, p) for p in Protocol), Offer())


class Service(StrEnum):
    """What the client connects to, by its name in Postfix's master.cf (RFC 6409, RFC 8314)."""

    SMTP = "smtp"
    SUBMISSION = "submission"
    SUBMISSIONS = "submissions"
    #: Postfix as the client: mail that smtp(8) sends to others.
    OUTBOUND = "outbound"

    @property
    def port(self) -> int:
        """The registered TCP port: 25, 587 or 465; of outbound, that of the other side."""
        return {"smtp": 25, "submission": 587, "submissions": 465, "outbound": 25}[self.value]

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS starts with the connection (RFC 8314), not after STARTTLS (RFC 3207)."""
        return self is Service.SUBMISSIONS

    @property
    def authenticates(self) -> bool:
        """Whether a client logs in there before it sends (RFC 4954)."""
        return self in (Service.SUBMISSION, Service.SUBMISSIONS)


#: The services that a run measures unasked: those where Postfix is the server.
INBOUND: tuple[Service, ...] = (Service.SMTP, Service.SUBMISSION, Service.SUBMISSIONS)

#: Where TLS comes first, or the other side is a server that is pinned, there is no offer of none.
NEVER_PLAINTEXT: tuple[Service, ...] = (Service.SUBMISSIONS, Service.OUTBOUND)
