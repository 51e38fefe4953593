"""Short names of offers for the heads of narrow columns; each report lists what they stand for.

An offer with a list of ciphers is up to hundreds of characters long. Its short name says what the
list has in common: ``TLSv1.2 RC4``, ``TLSv1.2 anon``, ``TLSv1 export``. Names of one run are
unique: of equal ones, all after the first have a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.tls import Offer

#: What all ciphers of a list have in common, the most telling first (ciphers(1)).
_FAMILIES: tuple[tuple[str, str], ...] = (
    ("export", r"EXP"),
    ("anon", r"(?:ADH|AECDH)-|.*_anon_"),
    ("NULL", r".*NULL"),
    ("RC4", r".*RC4"),
    ("3DES", r".*(?:DES-CBC3|3DES)"),
    ("DES", r".*DES"),
    ("SEED", r".*SEED"),
    ("IDEA", r".*IDEA"),
    ("CAMELLIA", r".*CAMELLIA"),
    ("ARIA", r".*ARIA"),
    ("ChaCha", r".*CHACHA20"),
    ("ECDSA", r"ECDHE-ECDSA-|TLS_ECDHE_ECDSA_"),
    ("ECDHE", r"ECDHE-|TLS_ECDHE_"),
    ("DHE", r"(?:DHE|EDH)-|TLS_DHE_"),
    ("AES128", r"TLS_AES_128"),
    ("AES256", r"TLS_AES_256"),
    ("RSA kx", r"(?:AES|TLS_RSA_)"),
)


@dataclass(frozen=True, slots=True)
class OfferTitle:
    """An offer's short name: the versions, and below them what else there is to it, or ""."""

    offer: str
    versions: str
    rest: str = ""

    @property
    def text(self) -> str:
        """Both in one line."""
        return f"{self.versions} {self.rest}".rstrip()

    @property
    def meaning(self) -> str:
        """What was offered, with blanks where a line may end: ``TLSv1.2, ciphers: A B``."""
        versions, *parts = self.offer.split("+")
        lists = (part.partition("=") for part in parts)
        texts = (
            f"{key}: {' '.join(names.split(':'))}" if has else key for key, has, names in lists
        )
        return ", ".join([versions, *texts])

    @property
    def is_short(self) -> bool:
        """Whether it is not the offer's own name, so that a legend has to explain it."""
        return self.text != self.offer


def offer_titles(offers: Sequence[str]) -> dict[str, OfferTitle]:
    """The short name of each offer, unique among them."""
    titles: dict[str, OfferTitle] = {}
    used: dict[str, int] = {}
    for offer in offers:
        title = _shorten_offer(offer)
        used[title.text] = number = used.get(title.text, 0) + 1
        if number > 1:
            title = OfferTitle(offer, title.versions, f"{title.rest} {number}".lstrip())
        titles[offer] = title
    return titles


def _shorten_offer(name: str) -> OfferTitle:
    try:
        offer = Offer.parse(name)
    except UsageError:
        # A run of a later version may have offers that this one does not know.
        return OfferTitle(name, name)
    versions, *_ = name.split("+")
    low, dots, high = versions.partition("..")
    if dots:
        versions = f"{low}–{high.removeprefix('TLSv').removeprefix('SSL')}"
    parts = [_describe_ciphers(offer.ciphers), _describe_groups(offer.groups)]
    extras = str(offer.extras).removeprefix("+").replace("+", " ")
    return OfferTitle(name, versions, " ".join(part for part in (*parts, extras) if part))


def _describe_ciphers(names: Sequence[str]) -> str:
    if not names:
        return ""

    def have_all(pattern: str) -> bool:
        return all(re.match(pattern, name, re.I) for name in names)

    family = _first_family(have_all) or ("ciphers" if len(names) > 1 else names[0])
    if family in ("ECDHE", "DHE", "ECDSA"):
        modes = {"GCM" if "GCM" in name else "CBC" for name in names}
        return f"{family} {modes.pop()}" if len(modes) == 1 else family
    return family


def _first_family(have_all: Callable[[str], bool]) -> str:
    return next((family for family, pattern in _FAMILIES if have_all(pattern)), "")


def _describe_groups(names: Sequence[str]) -> str:
    return "" if not names else names[0] if len(names) == 1 else "groups"
