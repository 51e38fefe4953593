"""Which releases can be fetched from a machine: what its places answered, summarized by branch.

The requests are made by ``sources/place_checks.py``; here is what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from harness.catalog.releases import Release, Source, SourceKind


class FileState(StrEnum):
    """What a place answered about a file. UNREACHED: it gave no answer at all."""

    THERE = "there"
    MISSING = "missing"
    UNREACHED = "not reached"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PlaceAnswer:
    """What the place of a source answered; ``reason`` is "" where the file is there."""

    source: Source
    state: FileState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseAnswers:
    """The answers about a release, in the order in which its sources were asked.

    ``cached``: its archive is on this machine already, so no place was asked.
    """

    release: Release
    cached: bool = False
    answers: tuple[PlaceAnswer, ...] = ()

    @property
    def source(self) -> Source | None:
        """The source that has the file; None where no place does, or where it is cached."""
        return next((a.source for a in self.answers if a.state is FileState.THERE), None)

    @property
    def available(self) -> bool:
        """Whether this machine has or reaches its source."""
        return self.cached or self.source is not None

    @property
    def unanswered(self) -> bool:
        """Whether one of its places does not answer."""
        return any(answer.state is FileState.UNREACHED for answer in self.answers)

    def add(self, answer: PlaceAnswer) -> ReleaseAnswers:
        """The same with one answer more."""
        return replace(self, answers=(*self.answers, answer))


@dataclass(frozen=True, slots=True)
class Branch:
    """The releases of a product whose versions begin alike, oldest first."""

    product: str
    name: str
    releases: tuple[ReleaseAnswers, ...]

    @property
    def available(self) -> tuple[ReleaseAnswers, ...]:
        """Those whose source this machine has or reaches."""
        return tuple(each for each in self.releases if each.available)

    @property
    def unreached(self) -> tuple[ReleaseAnswers, ...]:
        """Those that a place which does not answer may have."""
        return tuple(each for each in self.releases if not each.available and each.unanswered)

    @property
    def missing(self) -> tuple[ReleaseAnswers, ...]:
        """Those that no place has, though all of them answer."""
        return tuple(each for each in self.releases if not each.available and not each.unanswered)


@dataclass(frozen=True, slots=True)
class UnansweringPlace:
    """A place without an answer, the reason, and the ids of the releases that are missing for it.

    A release is missing if no other place has it.
    """

    name: str
    reason: str
    releases: tuple[str, ...] = ()


def name_place(source: Source) -> str:
    """Where a source is, in a word or two: ``Ubuntu's pool``, ``www.openssl.org``, ``npm``."""
    match source.kind:
        case SourceKind.POOL | SourceKind.DEBIAN:
            return source.place
        case SourceKind.NPM:
            return f"npm {source.package}"
        case SourceKind.LOCAL:
            return str(source)
        case SourceKind.URL:
            return urlsplit(source.url).hostname or source.url


def name_branch(release: Release) -> str:
    """``3.7`` for Postfix; for OpenSSL ``1.0.2``, and ``3.5`` from version 3 on."""
    numbers = re.findall(r"\d+", release.version)
    lettered = release.product == "openssl" and int(numbers[0]) < 3
    return ".".join(numbers[: 3 if lettered else 2])


def group_branches(releases: Iterable[ReleaseAnswers]) -> tuple[Branch, ...]:
    """The releases by product and branch, in their order."""
    grouped: dict[tuple[str, str], list[ReleaseAnswers]] = {}
    for each in releases:
        grouped.setdefault((each.release.product, name_branch(each.release)), []).append(each)
    return tuple(Branch(*key, tuple(members)) for key, members in grouped.items())


def list_unanswering(releases: Sequence[ReleaseAnswers]) -> tuple[UnansweringPlace, ...]:
    """The places that did not answer, with the releases that are missing for it."""
    places: dict[str, UnansweringPlace] = {}
    for each in releases:
        for answer in each.answers:
            if answer.state is FileState.UNREACHED:
                name = name_host(answer.source)
                place = places.setdefault(name, UnansweringPlace(name, answer.reason))
                if not each.available:
                    names = dict.fromkeys((*place.releases, each.release.id))
                    places[name] = replace(place, releases=tuple(names))
    return tuple(places.values())


def list_refusals(releases: Sequence[ReleaseAnswers]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """The unavailable releases that a place which answered does not give, by place and reason."""
    names_by_refusal: dict[tuple[str, str], list[str]] = {}
    for each in releases:
        if each.available:
            continue
        for answer in each.answers:
            if answer.state in (FileState.MISSING, FileState.FAILED):
                key = (_name_with_host(answer.source), answer.reason)
                names_by_refusal.setdefault(key, []).append(each.release.id)
    return {key: tuple(dict.fromkeys(names)) for key, names in names_by_refusal.items()}


def _name_with_host(source: Source) -> str:
    """``Ubuntu's pool (archive.ubuntu.com)``: a pool has several hosts."""
    name = name_place(source)
    return f"{name} ({name_host(source)})" if source.kind is SourceKind.POOL else name


def name_host(source: Source) -> str:
    """The place that answers or not, as a whole: a host with its port, or a registry."""
    return "npm's registry" if source.kind is SourceKind.NPM else urlsplit(source.url).netloc
