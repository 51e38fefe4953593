"""The field's own words: protocols in Postfix's spelling, what a client offers, the services.

Spelling is postconf(5)'s (``smtpd_tls_protocols``): ``SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3``.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client is told to offer: a version range, or ``default`` (both bounds None)."""

    lowest: Protocol | None = None
    highest: Protocol | None = None

    @property
    def is_default(self) -> bool:
        """Whether the client is left as its user would run it."""
        return self.lowest is None

    def __str__(self) -> str:
        if self.lowest is None or self.highest is None:
            return DEFAULT
        if self.lowest is self.highest:
            return self.lowest.value
        return f"{self.lowest}..{self.highest}"

    @classmethod
    def parse(cls, text: str) -> Offer:
        """Read ``default``, ``TLSv1.2`` or ``TLSv1..TLSv1.2``; ``str(offer)`` gives it back.

        Raises:
            UsageError: unknown protocol, or a range the wrong way round.
        """
        if text == DEFAULT:
            return cls()
        low_text, dots, high_text = text.partition("..")
        low = Protocol.parse(low_text)
        high = Protocol.parse(high_text) if dots else low
        if high.rank < low.rank:
            raise UsageError(
                f"offer {text!r} is the wrong way round", next_step=f"write {high}..{low}"
            )
        return cls(low, high)


#: One offer a version, and the client as it comes.
STANDARD_OFFERS: tuple[Offer, ...] = (*(Offer(p, p) for p in Protocol), Offer())


class Service(StrEnum):
    """What the client connects to, by its name in Postfix's master.cf (RFC 6409, RFC 8314)."""

    SMTP = "smtp"
    SUBMISSION = "submission"
    SUBMISSIONS = "submissions"

    @property
    def port(self) -> int:
        """The registered TCP port: 25, 587 or 465."""
        return {"smtp": 25, "submission": 587, "submissions": 465}[self.value]

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS starts with the connection (RFC 8314), not after STARTTLS (RFC 3207)."""
        return self is Service.SUBMISSIONS

    @property
    def authenticates(self) -> bool:
        """Whether a client logs in there before it sends (RFC 4954)."""
        return self is not Service.SMTP
