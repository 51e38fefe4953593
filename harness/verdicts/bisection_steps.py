"""Which build to measure next, so that a border becomes exact to the release. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress

from harness.catalog.builds import DEBIAN, Build, distributions
from harness.catalog.releases import SourceKind, packages, release
from harness.catalog.versions import Version
from harness.errors import UsageError
from harness.verdicts.version_boundaries import (
    Axis,
    Border,
    Dependence,
    Point,
)


def open_borders(found: Iterable[Dependence]) -> list[Border]:
    """The borders between which releases lie that were not measured, each once."""
    borders = (b for one in found for along in one.axes for b in along.borders if b.between)
    return list({(b.axis, b.before.last, b.after.first): b for b in borders}.values())


def partners(points: Iterable[Point], border: Border, known: Collection[Version]) -> list[Version]:
    """Versions of the other axis to pair a border's releases with, the preferred first.

    Those that were measured on both sides of the border hold the other axis still; then come those
    of one side, then what else was measured. What the catalog does not have cannot be built with.
    """
    found: dict[Version, set[bool]] = {}
    for point in points:
        here, other = point.on(border.axis), point.on(other_axis(border.axis))
        if here is None or other is None or other not in known:
            continue
        sides = found.setdefault(other, set())
        if here in (border.before.last, border.after.first):
            sides.add(here == border.after.first)
    return sorted(found, key=lambda version: -len(found[version]))


def candidates(
    border: Border,
    others: Sequence[Version],
    tried: Collection[str],
    unreached: Collection[str] = (),
) -> Iterator[str]:
    """Builds of the releases within a border, the middle first; those tried are left out.

    A distribution that has such a release comes last: its other version is its own, and so are its
    settings.

    Args:
        border: one with releases between.
        others: versions of the other axis to pair them with, the preferred first.
        tried: ids of builds that were measured, or could not be had.
        unreached: ids of releases whose source could not be had, such as ``postfix-3.9.0``.
    """
    order = middle_first(border.between)
    for version in order:
        for other in others:
            names = _pairs(border.axis, version, other, unreached)
            yield from (name for name in names if name not in tried)
    for version in order:
        yield from (one for one in _distributions(border.axis, version) if one not in tried)


def _pairs(
    axis: Axis, version: Version, other: Version, unreached: Collection[str]
) -> Iterator[str]:
    """The builds of the two, with the OpenSSL from source first, then as Debian packages it.

    None where they, or the sources, cannot be put together.
    """
    postfix, openssl = (version, other) if axis is Axis.POSTFIX else (other, version)
    packaged = [
        f"{openssl}-{DEBIAN}"
        for one in packages("openssl")
        if Version.parse(one.version) == openssl
    ]
    for linked in (str(openssl), *packaged):
        if {f"postfix-{postfix}", f"openssl-{linked}"} & set(unreached):
            continue
        with suppress(UsageError):
            yield Build.parse(f"postfix-{postfix}+openssl-{linked}").id


def _distributions(axis: Axis, version: Version) -> Iterator[str]:
    """The distributions whose own source package is this release, as the catalog knows it."""
    suites = {
        (one.family, one.suite)
        for one in release(axis.lower(), str(version)).sources
        if one.kind is SourceKind.DEBIAN
    }
    yield from (one.id for one in distributions() if (one.family, one.suite) in suites)


def named_releases(build: str, why: str) -> tuple[str, ...]:
    """The releases of a pair that a failure's first line names: what could not be had."""
    words = why.partition("\n")[0].split()
    return tuple(one for one in build.split("+") if one in words or f"{one}:" in words)


def other_axis(axis: Axis) -> Axis:
    """OpenSSL's for Postfix's, and the other way round."""
    return Axis.OPENSSL if axis is Axis.POSTFIX else Axis.POSTFIX


def middle_first(versions: Sequence[Version]) -> list[Version]:
    """The order in which halving a border asks for them."""
    if not versions:
        return []
    middle = len(versions) // 2
    left, right = middle_first(versions[:middle]), middle_first(versions[middle + 1 :])
    mixed = [one for pair in zip(left, right, strict=False) for one in pair]
    rest = left[len(right) :] + right[len(left) :]
    return [versions[middle], *mixed, *rest]
