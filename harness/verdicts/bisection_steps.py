"""Which build to measure next, so that a version boundary becomes exact to the release."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from harness.catalog.builds import (
    DEBIAN,
    LEGACY,
    NO_ADDITIONS,
    STOCK,
    Build,
    UserAdditions,
    all_distributions,
)
from harness.catalog.releases import SourceKind, all_packages, all_releases
from harness.catalog.versions import Version
from harness.errors import UsageError
from harness.verdicts.version_boundaries import (
    Axis,
    LabelledBuild,
    VersionBoundary,
    VersionDependence,
)

_LEGACY_END = f"-{LEGACY}"


@dataclass(frozen=True, slots=True)
class Partner:
    """A version of the other axis, and the flavour of OpenSSL that it was measured with."""

    version: Version
    flavour: str = STOCK


def open_boundaries(dependences: Iterable[VersionDependence]) -> list[VersionBoundary]:
    """The boundaries between which releases lie that were not measured, each once."""
    boundaries = (
        boundary
        for dependence in dependences
        for along in dependence.axes
        for boundary in along.boundaries
        if boundary.between
    )
    return list({(b.axis, b.before.last, b.after.first): b for b in boundaries}.values())


def find_partners(
    points: Iterable[LabelledBuild], boundary: VersionBoundary, known: Collection[Version]
) -> list[Partner]:
    """Versions of the other axis to pair a boundary's releases with, the preferred first.

    First those that were measured on both sides of the boundary, so that neither the other axis nor
    the flavour changes; then those of one side, then all others that were measured. A version that
    is not among ``known`` cannot be built with.
    """
    sides_by_partner: dict[Partner, set[bool]] = {}
    for point in points:
        here, other = point.version_on(boundary.axis), point.version_on(other_axis(boundary.axis))
        if here is None or other is None or other not in known:
            continue
        flavour = LEGACY if point.build.endswith(_LEGACY_END) else STOCK
        sides = sides_by_partner.setdefault(Partner(other, flavour), set())
        if here in (boundary.before.last, boundary.after.first):
            sides.add(here == boundary.after.first)
    return sorted(sides_by_partner, key=lambda partner: -len(sides_by_partner[partner]))


def candidate_builds(
    boundary: VersionBoundary,
    partners: Sequence[Partner],
    tried: Collection[str],
    unreached: Collection[str] = (),
    additions: UserAdditions = NO_ADDITIONS,
) -> Iterator[str]:
    """Builds of the releases within a boundary, the middle first; without those tried before.

    A distribution that has such a release comes last: its other version and its settings differ.

    Args:
        boundary: one with releases between.
        partners: versions of the other axis to pair them with, the preferred first.
        tried: ids of builds that were measured, or were unavailable.
        unreached: ids of releases whose source was unavailable, such as ``postfix-3.9.0``.
        additions: the user's releases, which take the place of the catalog's.
    """
    versions, missing = middle_first(boundary.between), set(unreached)
    for version in versions:
        for partner in partners:
            names = _paired_builds(boundary.axis, version, partner, additions)
            yield from (
                name
                for name in names
                if name not in tried and not missing & set(_split_releases(name))
            )
    for version in versions:
        builds = _distribution_builds(boundary.axis, version)
        yield from (name for name in builds if name not in tried)


def _paired_builds(
    axis: Axis, version: Version, partner: Partner, additions: UserAdditions
) -> Iterator[str]:
    """The builds of the two, first with OpenSSL from source, then as Debian packages it.

    None where the two cannot be built with each other.
    """
    both = (version, partner.version)
    postfix, openssl = both if axis is Axis.POSTFIX else both[::-1]
    compiled = f"{openssl}{_LEGACY_END if partner.flavour == LEGACY else ''}"
    packaged = [
        f"{openssl}-{DEBIAN}"
        for package in all_packages("openssl")
        if Version.parse(package.version) == openssl
    ]
    for linked in (compiled, *packaged):
        with suppress(UsageError):
            yield Build.parse(f"postfix-{postfix}+openssl-{linked}", additions).id


def _distribution_builds(axis: Axis, version: Version) -> Iterator[str]:
    """The distributions whose source package is this release, according to the catalog."""
    suites = {
        (source.family, source.suite)
        for release in all_releases(axis.lower())
        if release.order == version
        for source in release.sources
        if source.kind is SourceKind.DEBIAN
    }
    yield from (build.id for build in all_distributions() if (build.family, build.suite) in suites)


def named_releases(build: str, why: str) -> tuple[str, ...]:
    """The releases of a pair that the first line of an error names: what was unavailable."""
    named = why.partition("\n")[0].split()
    return tuple(name for name in _split_releases(build) if {name, f"{name}:"} & set(named))


def _split_releases(build: str) -> list[str]:
    """The ids of a pair's releases, without the flavour."""
    return build.removesuffix(_LEGACY_END).split("+")


def other_axis(axis: Axis) -> Axis:
    """The OpenSSL axis for the Postfix axis, and vice versa."""
    return Axis.OPENSSL if axis is Axis.POSTFIX else Axis.POSTFIX


def middle_first(versions: Sequence[Version]) -> list[Version]:
    """The versions in the order in which a bisection tries them: by their distance from the middle.

    Where the middle is unavailable, its neighbour divides the rest almost as well.
    """
    middle = len(versions) // 2
    order = sorted(range(len(versions)), key=lambda index: abs(index - middle))
    return [versions[index] for index in order]
