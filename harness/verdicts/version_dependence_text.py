"""How a label depends on versions, as text; it says no more than was measured."""

from __future__ import annotations

from collections.abc import Iterator

from harness.counts import format_count
from harness.verdicts.version_boundaries import (
    AlongAxis,
    Edge,
    VersionBoundary,
    VersionCombination,
    VersionDependence,
)

#: Builds that a list names; the others are counted.
MOST_NAMED = 6


def dependence_sentences(dependence: VersionDependence) -> Iterator[str]:
    """The dependence as text, one line each; nothing where the label is constant."""
    if dependence.constant:
        return
    for along in dependence.axes:
        yield _describe_axis(along)
    if dependence.kinds is not None:
        yield ", ".join(f"{label} {kind}" for kind, label in dependence.kinds.items())
    if len(dependence.axes) + (dependence.kinds is not None) > 1:
        yield "the builds measured do not tell these apart"
    if dependence.combination is not None:
        yield from _describe_combination(dependence.combination)
    if not dependence.axes and dependence.combination is None and dependence.kinds is None:
        yield from _describe_groups(dependence)


def coverage_sentences(dependence: VersionDependence) -> Iterator[str]:
    """For how many builds a constant label is known, and of which builds nothing is known."""
    measured = sum(len(builds) for builds in dependence.groups.values())
    if not measured:
        yield "measured on no build"
        return
    if dependence.constant:
        (label,) = dependence.groups
        some = f"the {format_count(measured, 'build')} measured"
        where = f"the same on {some if dependence.unmeasured else 'every build'}"
        yield f"{where if measured > 1 else f'on {_only_build(dependence)}'}: {label}"
    if unmeasured := dependence.unmeasured:
        builds = format_count(len(unmeasured), "build")
        yield f"nothing is known of {builds}: {_list_builds(unmeasured)}"


def _only_build(dependence: VersionDependence) -> str:
    ((build,),) = dependence.groups.values()
    return f"{build}, the one build measured"


def _list_builds(builds: tuple[str, ...]) -> str:
    more = len(builds) - MOST_NAMED
    return ", ".join(builds[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _describe_axis(along: AlongAxis) -> str:
    first, *rest = along.segments
    if len(rest) == 1:
        (after,) = rest
        text = f"{after.label} for {along.axis} ≥ {after.first}, {first.label} before"
    else:
        parts = [f"{first.label} up to {along.axis} {first.last}"]
        parts += [
            f"{segment.label} from {segment.first} to {segment.last}"
            if segment.first != segment.last
            else f"{segment.label} with {segment.first}"
            for segment in rest[:-1]
        ]
        text = ", ".join([*parts, f"{rest[-1].label} from {rest[-1].first}"])
    return text + "".join(f" ({describe_boundary(boundary)})" for boundary in along.boundaries)


def describe_boundary(boundary: VersionBoundary) -> str:
    """What is known of a boundary's place."""
    last, first = boundary.before.last, boundary.after.first
    if boundary.exact:
        return f"no release lies between {last} and {first}"
    neighbours = f"{last} is the newest measured before {first}"
    match len(boundary.between):
        case 0:
            return f"{neighbours}; the catalog has no release that lies between"
        case 1:
            return f"{neighbours}; {boundary.between[0]} lies between"
        case count:
            return f"{neighbours}; {count} releases lie between"


def _describe_combination(combination: VersionCombination) -> Iterator[str]:
    yield (
        f"{combination.label} on the {format_count(combination.builds, 'build')} measured "
        f"with Postfix {combination.postfix} and OpenSSL {combination.openssl} together, "
        f"{combination.other} elsewhere "
        f"({_describe_edge(combination.postfix, 'such an OpenSSL')}; "
        f"{_describe_edge(combination.openssl, 'such a Postfix')})"
    )
    if not combination.unique:
        yield "another combination of versions explains the measurements as well"


def _describe_edge(edge: Edge, other: str) -> str:
    """What is known of where an edge lies."""
    if edge.outside is None:
        return f"with {other} no other {edge.axis} was measured"
    return f"with {other} the nearest {edge.axis} measured beside it is {edge.outside}"


def _describe_groups(dependence: VersionDependence) -> Iterator[str]:
    for label, builds in dependence.groups.items():
        yield f"{label}: {', '.join(builds)}"
    for builds in dependence.same_versions:
        yield f"of the same versions, and yet different: {', '.join(builds)}"
