"""How a verdict is spread over builds: the borders along the versions where it changes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from harness.catalog.releases import releases
from harness.catalog.versions import Version
from harness.verdicts.verdict import SILENT, ScenarioVerdict
from harness.verdicts.version_boundaries import (
    Axis,
    Dependence,
    Point,
    dependence,
)
from harness.verdicts.version_dependence_text import sentences


@cache
def known_releases() -> Mapping[Axis, Sequence[Version]]:
    """Every release of the catalog, by axis."""
    return {
        axis: tuple(Version.parse(one.version) for one in releases(axis.lower())) for axis in Axis
    }


def spread(verdict: ScenarioVerdict) -> Dependence:
    """How a scenario's verdict depends on the builds' versions; what says nothing is left out."""
    points = [
        Point(
            b.build,
            b.postfix,
            b.openssl,
            None if b.verdict in SILENT else b.verdict.value,
            kind_of(b.build),
        )
        for b in verdict.builds
    ]
    return dependence(points, known_releases())


def describe(verdict: ScenarioVerdict) -> Iterator[str]:
    """The borders in words; nothing where all builds have one verdict."""
    yield from sentences(spread(verdict))


def kind_of(build: str) -> str:
    """Who built it, in words that follow a label: a distribution sets its own security level."""
    if build.startswith("postfix-"):
        return "with Debian's OpenSSL" if build.endswith("-debian") else "built from source"
    return "as the distribution packages it"
