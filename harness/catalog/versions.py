"""The order of Postfix and OpenSSL versions, and constraints on them.

Postfix has numbers, ``3.10.13``, and snapshots ``3.8-20220816`` and candidates ``3.6-RC1``, both
before the release to which they lead. OpenSSL before 3.0 adds letters: ``1.0.2h``, and ``0.9.8za``
after ``0.9.8z``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import total_ordering

from harness.errors import UsageError

_VERSION = re.compile(
    r"(?P<numbers>\d+(?:\.\d+)*)(?P<letters>[a-z]{0,2})"
    r"(?:-(?:(?P<pre>(?:alpha|beta|pre|rc|dev)\d*|\d{8}(?:-nonprod)?)|fips))?",
    re.IGNORECASE | re.ASCII,
)
#: Sorts after every pre-release's name.
_FINAL = (1, "", 0)

#: OpenSSL's branches below this number their releases by letters; Postfix's are all above.
_FIRST_WITHOUT_LETTERS = 2

_Key = tuple[tuple[int, ...], str, tuple[int, str, int]]


def _parse_numbers(text: str) -> tuple[int, ...]:
    """``3.6.0`` as (3, 6): trailing zeros are ignored, since 3.6 and 3.6.0 are the same version."""
    numbers = [int(part) for part in text.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _parse_pre_release(text: str | None) -> tuple[int, str, int]:
    """The order of a release's pre-releases: alpha, beta, pre, rc; snapshots by date."""
    if text is None:
        return _FINAL
    word = text.lower().rstrip("0123456789")
    digits = text[len(word) :] if not text[0].isdigit() else text[:8]
    return (0, "" if text[0].isdigit() else word, int(digits or 0))


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version, compared by its meaning; ``text`` is as written."""

    text: str
    key: _Key = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version.

        Raises:
            UsageError: not numbers with dots, optionally with letters and a pre-release.
        """
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"{text!r} is not a version",
                next_step="write it as Postfix and OpenSSL do: 3.10.13, 1.0.2h, 3.5.0-beta1",
            )
        key = (
            _parse_numbers(match["numbers"]),
            match["letters"].lower(),
            _parse_pre_release(match["pre"]),
        )
        return cls(text.strip(), key)

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return self.key < other.key

    def __hash__(self) -> int:
        return hash(self.key)


def is_next_version(first: Version, second: Version) -> bool:
    """Whether the numbering permits no release between the two.

    So it is for two patch levels of one branch (3.7.10 and 3.7.11), and for two letters of an
    OpenSSL before 3.0 (1.1.1 and 1.1.1a). The numbers do not show where a branch ended, so it is
    not so for 3.9.2 and 3.10.0.
    """
    (old, old_letters, old_pre), (new, new_letters, new_pre) = first.key, second.key
    if (old_pre, new_pre) != (_FINAL, _FINAL):
        return False
    if old[0] < _FIRST_WITHOUT_LETTERS or old_letters or new_letters:
        return old == new and _next_letters(old_letters) == new_letters
    old, new = (*old, 0, 0)[:3], (*new, 0, 0)[:3]
    return new == (*old[:2], old[2] + 1)


def _next_letters(letters: str) -> str:
    """``a`` after none, ``i`` after ``h``, ``za`` after ``z``."""
    if not letters or letters.endswith("z"):
        return letters + "a"
    return letters[:-1] + chr(ord(letters[-1]) + 1)


_OPERATORS: dict[str, Callable[[Version, Version], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_TERM = re.compile(r"(>=|<=|==|!=|>|<)\s*(\S+)")


@dataclass(frozen=True, slots=True)
class Constraint:
    """Terms that all must hold: ``>=2.5,<3.6``."""

    terms: tuple[tuple[str, Version], ...]

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read comma-separated terms; ``str(constraint)`` reproduces them.

        Raises:
            UsageError: a term has no operator, or no version.
        """
        return cls(tuple(_parse_term(part, text) for part in text.split(",")))

    def allows(self, version: Version | str) -> bool:
        """Whether all terms hold for the version."""
        parsed = Version.parse(version) if isinstance(version, str) else version
        return all(_OPERATORS[name](parsed, bound) for name, bound in self.terms)

    @property
    def impossible(self) -> bool:
        """Whether no version meets it: the lower bound is above the upper one (``>=3.6,<2.5``)."""
        lower = [(bound, name == ">") for name, bound in self.terms if name in (">", ">=", "==")]
        upper = [(bound, name == "<") for name, bound in self.terms if name in ("<", "<=", "==")]
        return any(
            low > high or (low == high and (strictly or below))
            for low, strictly in lower
            for high, below in upper
        )

    def __and__(self, other: Constraint) -> Constraint:
        return Constraint(self.terms + other.terms)

    def __str__(self) -> str:
        return ",".join(f"{name}{bound}" for name, bound in self.terms)


def _parse_term(part: str, whole: str) -> tuple[str, Version]:
    match = _TERM.fullmatch(part.strip())
    if match is None:
        raise UsageError(
            f"{part.strip()!r} in {whole!r} is not a constraint on a version",
            next_step="write an operator and a version, several with commas: >=2.5,<3.6",
        )
    return match[1], Version.parse(match[2])
