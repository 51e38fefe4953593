"""Since which version: how a label (a verdict, what a cell shows) depends on the builds' versions.

Pure. Nothing is claimed of versions that were not measured: a border lies between two neighbours
that were, and is exact only where there can be no release between them. The catalog does not have
every release, so that it has none between is not enough.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise, product

from harness.catalog.versions import Version, follows

#: As many borders along an axis are a rule that one can keep in mind, whatever their labels.
FEW_BORDERS = 2


class Axis(StrEnum):
    """Whose version."""

    POSTFIX = "Postfix"
    OPENSSL = "OpenSSL"


@dataclass(frozen=True, slots=True)
class Point:
    """A build and its label; None: not measured. ``kind`` is who built it, in words."""

    build: str
    postfix: Version | None
    openssl: Version | None
    label: Hashable
    kind: str = ""

    def on(self, axis: Axis) -> Version | None:
        """Its version on an axis."""
        return self.postfix if axis is Axis.POSTFIX else self.openssl


@dataclass(frozen=True, slots=True)
class Segment:
    """A label and the measured versions that have it, from the oldest to the newest."""

    label: Hashable
    first: Version
    last: Version


@dataclass(frozen=True, slots=True)
class Border:
    """A change between two measured neighbours; ``between`` are catalog releases not measured."""

    axis: Axis
    before: Segment
    after: Segment
    between: tuple[Version, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether no release lies between the two, as they are numbered."""
        return not self.between and follows(self.before.last, self.after.first)


@dataclass(frozen=True, slots=True)
class AlongAxis:
    """An axis that explains every label: its versions fall into segments."""

    axis: Axis
    segments: tuple[Segment, ...]
    borders: tuple[Border, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """One side of a corner: the versions from ``inside`` on, to the newer or to the older.

    ``inside`` is of a build measured inside the corner. ``outside`` is the nearest version beyond
    it of a build that is inside on the other axis: the two releases between which the corner ends.
    None: no such build was measured.
    """

    axis: Axis
    newer: bool
    inside: Version
    outside: Version | None

    def has(self, version: Version) -> bool:
        """Whether a version is on the corner's side."""
        return version >= self.inside if self.newer else version <= self.inside

    def __str__(self) -> str:
        return f"{'≥' if self.newer else '≤'} {self.inside}"


@dataclass(frozen=True, slots=True)
class Corner:
    """A label that was seen just where both versions are on these sides; elsewhere another was.

    ``builds``: so many were measured in it; nothing is known of its other pairs. ``unique``: no
    other corner explains what was measured.
    """

    label: Hashable
    other: Hashable
    postfix: Edge
    openssl: Edge
    builds: int
    unique: bool = True


@dataclass(frozen=True, slots=True)
class Dependence:
    """How labels depend on versions.

    ``axes`` are those that explain every label alone; two of them are not separated by what was
    measured. ``corner`` is where only both together do. ``groups`` has the builds of each label.
    ``alike`` names builds of the same two versions with different labels: no version explains that.
    ``kinds`` has the label of each kind of build, where that explains every label. ``unmeasured``
    are the builds without a label: nothing here is said of them.
    """

    groups: Mapping[Hashable, tuple[str, ...]]
    axes: tuple[AlongAxis, ...] = ()
    corner: Corner | None = None
    alike: tuple[tuple[str, ...], ...] = ()
    kinds: Mapping[str, Hashable] | None = None
    unmeasured: tuple[str, ...] = ()

    @property
    def constant(self) -> bool:
        """Whether all that was measured has one label, or nothing was measured."""
        return len(self.groups) < 2


def dependence(points: Iterable[Point], known: Mapping[Axis, Sequence[Version]]) -> Dependence:
    """Find how the labels depend on the versions.

    Args:
        points: the builds; those without a label or without versions say nothing.
        known: every release of the catalog by axis: what tells an exact border from another.
    """
    points = list(points)
    told = [p for p in points if p.label is not None]
    unmeasured = tuple(p.build for p in points if p.label is None)
    groups: dict[Hashable, tuple[str, ...]] = {}
    for point in told:
        groups[point.label] = (*groups.get(point.label, ()), point.build)
    placed = [p for p in told if p.postfix is not None and p.openssl is not None]
    if len(groups) < 2:
        return Dependence(groups, unmeasured=unmeasured)
    alike, kinds = tuple(_alike(placed)), _by_kind(told)
    if alike or len(placed) < len(told):
        return Dependence(groups, alike=alike, kinds=kinds, unmeasured=unmeasured)
    axes = tuple(found for axis in Axis if (found := _along(axis, placed, known[axis])))
    corner = None if axes else _corner(placed)
    return Dependence(groups, axes, corner, kinds=kinds, unmeasured=unmeasured)


def _by_kind(points: Sequence[Point]) -> dict[str, Hashable] | None:
    """The label of each kind of build; None where one kind has two."""
    labels: dict[str, set[Hashable]] = {}
    for point in points:
        labels.setdefault(point.kind, set()).add(point.label)
    if any(len(found) > 1 for found in labels.values()):
        return None
    return {kind: found.pop() for kind, found in labels.items()}


def _alike(points: Sequence[Point]) -> Iterator[tuple[str, ...]]:
    """Builds of the same versions that have different labels."""
    by_pair: dict[tuple[Version | None, Version | None], list[Point]] = {}
    for point in points:
        by_pair.setdefault((point.postfix, point.openssl), []).append(point)
    for found in by_pair.values():
        if len({point.label for point in found}) > 1:
            yield tuple(point.build for point in found)


def _along(axis: Axis, points: Sequence[Point], known: Sequence[Version]) -> AlongAxis | None:
    """The segments along an axis; None where one version has two labels, or there are too many."""
    labels: dict[Version, set[Hashable]] = {}
    for point in points:
        version = point.on(axis)
        assert version is not None
        labels.setdefault(version, set()).add(point.label)
    if any(len(found) > 1 for found in labels.values()):
        return None
    segments = _segments({version: found.pop() for version, found in labels.items()})
    # Each label may have a segment of its own, and one of them may come back.
    if len(segments) - 1 > max(FEW_BORDERS, len({one.label for one in segments})):
        return None
    borders = tuple(
        Border(axis, one, two, tuple(v for v in sorted(known) if one.last < v < two.first))
        for one, two in pairwise(segments)
    )
    return AlongAxis(axis, tuple(segments), borders)


def _segments(labels: Mapping[Version, Hashable]) -> list[Segment]:
    """Neighbours of one label put together."""
    segments: list[Segment] = []
    for version in sorted(labels):
        label = labels[version]
        if segments and segments[-1].label == label:
            segments[-1] = Segment(label, segments[-1].first, version)
        else:
            segments.append(Segment(label, version, version))
    return segments


def _corner(points: Sequence[Point]) -> Corner | None:
    """A label that both versions together decide: all builds of one corner, and no other."""
    if len({point.label for point in points}) != 2:
        return None
    found = list(_corners(points))
    return replace(found[0], unique=len(found) == 1) if found else None


def _corners(points: Sequence[Point]) -> Iterator[Corner]:
    """All corners that explain every label, each set of builds once."""
    seen: set[frozenset[str]] = set()
    axes = (sorted(_versions(points, axis))[1:] for axis in Axis)
    for lowest, lower in product(*axes):
        for sides in product((True, False), repeat=2):
            inside, outside = _split(points, lowest, lower, sides)
            builds = frozenset(point.build for point in inside)
            labels = {point.label for point in inside}, {point.label for point in outside}
            told = len(labels[0]) == len(labels[1]) == 1 and labels[0] != labels[1]
            if told and builds not in seen:
                seen.add(builds)
                yield _around(inside, outside, sides)


def _around(inside: Sequence[Point], outside: Sequence[Point], sides: tuple[bool, ...]) -> Corner:
    """The corner that these builds make: it ends with the last of them, not half-way to others."""
    rough = [_edge(axis, newer, inside) for axis, newer in zip(Axis, sides, strict=True)]
    edges: list[Edge] = []
    for edge, across in zip(rough, reversed(rough), strict=True):
        beside = [
            version
            for point in outside
            if (other := point.on(across.axis)) is not None
            and across.has(other)
            and (version := point.on(edge.axis)) is not None
            and not edge.has(version)
        ]
        nearest = (max if edge.newer else min)(beside, default=None)
        edges.append(replace(edge, outside=nearest))
    postfix, openssl = edges
    return Corner(inside[0].label, outside[0].label, postfix, openssl, len(inside))


def _edge(axis: Axis, newer: bool, inside: Iterable[Point]) -> Edge:
    versions = _versions(inside, axis)
    return Edge(axis, newer, min(versions) if newer else max(versions), None)


def _versions(points: Iterable[Point], axis: Axis) -> set[Version]:
    return {version for point in points if (version := point.on(axis)) is not None}


def _split(
    points: Iterable[Point], postfix: Version, openssl: Version, sides: tuple[bool, ...]
) -> tuple[list[Point], list[Point]]:
    """The builds inside a corner, new or old on either axis, and those outside it."""
    inside: list[Point] = []
    outside: list[Point] = []
    for point in points:
        assert point.postfix is not None
        assert point.openssl is not None
        here = (point.postfix >= postfix, point.openssl >= openssl) == sides
        (inside if here else outside).append(point)
    return inside, outside
