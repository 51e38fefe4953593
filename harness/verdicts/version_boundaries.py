"""Since which version: how a label (a verdict, what a cell shows) depends on the builds' versions.

Nothing is claimed of versions that were not measured: a version boundary lies between two measured
neighbours, and is exact only where there can be no release between them. The catalog does not have
every release, so it is not enough that it has none between.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise, product

from harness.catalog.versions import Version, is_next_version

#: A rule with this many boundaries along an axis is easy to remember, whatever the labels.
FEW_BOUNDARIES = 2


class Axis(StrEnum):
    """The software whose version it is."""

    POSTFIX = "Postfix"
    OPENSSL = "OpenSSL"


@dataclass(frozen=True, slots=True)
class LabelledBuild:
    """A build and its label; None: not measured. ``kind`` says as text who built it."""

    build: str
    postfix: Version | None
    openssl: Version | None
    label: Hashable
    kind: str = ""

    def version_on(self, axis: Axis) -> Version | None:
        """Its version on an axis."""
        return self.postfix if axis is Axis.POSTFIX else self.openssl


@dataclass(frozen=True, slots=True)
class Segment:
    """A label and the measured versions that have it, from the oldest to the newest."""

    label: Hashable
    first: Version
    last: Version


@dataclass(frozen=True, slots=True)
class VersionBoundary:
    """A change between two measured neighbours; ``between`` are unmeasured catalog releases."""

    axis: Axis
    before: Segment
    after: Segment
    between: tuple[Version, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether no release lies between the two, as they are numbered."""
        return not self.between and is_next_version(self.before.last, self.after.first)


@dataclass(frozen=True, slots=True)
class AlongAxis:
    """An axis that explains every label: its versions fall into segments."""

    axis: Axis
    segments: tuple[Segment, ...]
    boundaries: tuple[VersionBoundary, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """One side of a combination: the versions from ``inside`` on, to the newer or to the older.

    ``inside`` is the version of a build measured inside. ``outside`` is the nearest version beyond
    it of a build that is inside on the other axis: between these two releases the combination ends.
    None: no such build was measured.
    """

    axis: Axis
    newer: bool
    inside: Version
    outside: Version | None

    def includes(self, version: Version) -> bool:
        """Whether a version is on the combination's side."""
        return version >= self.inside if self.newer else version <= self.inside

    def __str__(self) -> str:
        return f"{'≥' if self.newer else '≤'} {self.inside}"


@dataclass(frozen=True, slots=True)
class VersionCombination:
    """A label that occurs exactly where both versions are on these sides; another one elsewhere.

    ``builds``: how many were measured inside; nothing is known of its other pairs. ``unique``: no
    other combination explains the measurements.
    """

    label: Hashable
    other: Hashable
    postfix: Edge
    openssl: Edge
    builds: int
    unique: bool = True


@dataclass(frozen=True, slots=True)
class VersionDependence:
    """How labels depend on versions.

    ``axes`` are those that explain every label alone; the measurements do not separate two of them.
    ``combination`` is where only both axes explain them. ``groups`` has the builds of each label.
    ``same_versions`` are builds of the same two versions with different labels, which no version
    explains. ``kinds`` has the label of each kind of build, where that explains every label.
    ``unmeasured`` are the builds without a label: nothing is said about them.
    """

    groups: Mapping[Hashable, tuple[str, ...]]
    axes: tuple[AlongAxis, ...] = ()
    combination: VersionCombination | None = None
    same_versions: tuple[tuple[str, ...], ...] = ()
    kinds: Mapping[str, Hashable] | None = None
    unmeasured: tuple[str, ...] = ()

    @property
    def constant(self) -> bool:
        """Whether all measured builds have one label, or none was measured."""
        return len(self.groups) < 2


def find_dependence(
    points: Iterable[LabelledBuild], known: Mapping[Axis, Sequence[Version]]
) -> VersionDependence:
    """Find how the labels depend on the versions.

    Args:
        points: the builds; those without a label or without versions show nothing.
        known: every release of the catalog by axis, which shows whether a boundary is exact.
    """
    points = list(points)
    labelled = [p for p in points if p.label is not None]
    unmeasured = tuple(p.build for p in points if p.label is None)
    groups: dict[Hashable, tuple[str, ...]] = {}
    for point in labelled:
        groups[point.label] = (*groups.get(point.label, ()), point.build)
    versioned = [p for p in labelled if p.postfix is not None and p.openssl is not None]
    if len(groups) < 2:
        return VersionDependence(groups, unmeasured=unmeasured)
    same_versions, kinds = tuple(_same_versions(versioned)), _labels_by_kind(labelled)
    if same_versions or len(versioned) < len(labelled):
        return VersionDependence(
            groups, same_versions=same_versions, kinds=kinds, unmeasured=unmeasured
        )
    axes = tuple(along for axis in Axis if (along := _along_axis(axis, versioned, known[axis])))
    combination = None if axes else _find_combination(versioned)
    return VersionDependence(groups, axes, combination, kinds=kinds, unmeasured=unmeasured)


def _labels_by_kind(points: Sequence[LabelledBuild]) -> dict[str, Hashable] | None:
    """The label of each kind of build; None where one kind has two."""
    labels: dict[str, set[Hashable]] = {}
    for point in points:
        labels.setdefault(point.kind, set()).add(point.label)
    if any(len(distinct) > 1 for distinct in labels.values()):
        return None
    return {kind: distinct.pop() for kind, distinct in labels.items()}


def _same_versions(points: Sequence[LabelledBuild]) -> Iterator[tuple[str, ...]]:
    """Builds of the same versions that have different labels."""
    by_pair: dict[tuple[Version | None, Version | None], list[LabelledBuild]] = {}
    for point in points:
        by_pair.setdefault((point.postfix, point.openssl), []).append(point)
    for same in by_pair.values():
        if len({point.label for point in same}) > 1:
            yield tuple(point.build for point in same)


def _along_axis(
    axis: Axis, points: Sequence[LabelledBuild], known: Sequence[Version]
) -> AlongAxis | None:
    """The segments along an axis; None where one version has two labels, or there are too many."""
    labels: dict[Version, set[Hashable]] = {}
    for point in points:
        version = point.version_on(axis)
        assert version is not None
        labels.setdefault(version, set()).add(point.label)
    if any(len(distinct) > 1 for distinct in labels.values()):
        return None
    segments = _join_segments({version: distinct.pop() for version, distinct in labels.items()})
    # Each label may have a segment, and one of them may occur again.
    if len(segments) - 1 > max(FEW_BOUNDARIES, len({segment.label for segment in segments})):
        return None
    boundaries = tuple(
        VersionBoundary(
            axis, older, newer, tuple(v for v in sorted(known) if older.last < v < newer.first)
        )
        for older, newer in pairwise(segments)
    )
    return AlongAxis(axis, tuple(segments), boundaries)


def _join_segments(labels: Mapping[Version, Hashable]) -> list[Segment]:
    """Neighbours with the same label joined into segments."""
    segments: list[Segment] = []
    for version in sorted(labels):
        label = labels[version]
        if segments and segments[-1].label == label:
            segments[-1] = Segment(label, segments[-1].first, version)
        else:
            segments.append(Segment(label, version, version))
    return segments


def _find_combination(points: Sequence[LabelledBuild]) -> VersionCombination | None:
    """A label that depends on both versions: it has all builds of a combination, and no other."""
    if len({point.label for point in points}) != 2:
        return None
    combinations = list(_all_combinations(points))
    return replace(combinations[0], unique=len(combinations) == 1) if combinations else None


def _all_combinations(points: Sequence[LabelledBuild]) -> Iterator[VersionCombination]:
    """All combinations that explain every label, each set of builds once."""
    known_builds: set[frozenset[str]] = set()
    axes = (sorted(_list_versions(points, axis))[1:] for axis in Axis)
    for lowest, lower in product(*axes):
        for sides in product((True, False), repeat=2):
            inside, outside = _split_builds(points, lowest, lower, sides)
            builds = frozenset(point.build for point in inside)
            labels = {point.label for point in inside}, {point.label for point in outside}
            explains = len(labels[0]) == len(labels[1]) == 1 and labels[0] != labels[1]
            if explains and builds not in known_builds:
                known_builds.add(builds)
                yield _combination_around(inside, outside, sides)


def _combination_around(
    inside: Sequence[LabelledBuild], outside: Sequence[LabelledBuild], sides: tuple[bool, ...]
) -> VersionCombination:
    """The combination of these builds: it ends with the last of them, not half-way to others."""
    rough = [_edge_of(axis, newer, inside) for axis, newer in zip(Axis, sides, strict=True)]
    edges: list[Edge] = []
    for edge, across in zip(rough, reversed(rough), strict=True):
        beyond = [
            version
            for point in outside
            if (other := point.version_on(across.axis)) is not None
            and across.includes(other)
            and (version := point.version_on(edge.axis)) is not None
            and not edge.includes(version)
        ]
        nearest = (max if edge.newer else min)(beyond, default=None)
        edges.append(replace(edge, outside=nearest))
    postfix, openssl = edges
    return VersionCombination(inside[0].label, outside[0].label, postfix, openssl, len(inside))


def _edge_of(axis: Axis, newer: bool, inside: Iterable[LabelledBuild]) -> Edge:
    versions = _list_versions(inside, axis)
    return Edge(axis, newer, min(versions) if newer else max(versions), None)


def _list_versions(points: Iterable[LabelledBuild], axis: Axis) -> set[Version]:
    return {version for point in points if (version := point.version_on(axis)) is not None}


def _split_builds(
    points: Iterable[LabelledBuild], postfix: Version, openssl: Version, sides: tuple[bool, ...]
) -> tuple[list[LabelledBuild], list[LabelledBuild]]:
    """The builds inside a combination, new or old on either axis, and those outside it."""
    inside: list[LabelledBuild] = []
    outside: list[LabelledBuild] = []
    for point in points:
        assert point.postfix is not None
        assert point.openssl is not None
        here = (point.postfix >= postfix, point.openssl >= openssl) == sides
        (inside if here else outside).append(point)
    return inside, outside
