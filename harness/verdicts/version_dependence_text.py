"""How a label depends on versions, in words. Pure; no more is said than was measured."""

from __future__ import annotations

from collections.abc import Iterator

from harness.verdicts.version_boundaries import (
    AlongAxis,
    Border,
    Corner,
    Dependence,
    Edge,
)

#: Builds that a list names; the others are counted.
MOST_NAMED = 6


def sentences(found: Dependence) -> Iterator[str]:
    """The dependence in words, a line each; nothing where the label is constant."""
    if found.constant:
        return
    for along in found.axes:
        yield _along(along)
    if found.kinds is not None:
        yield ", ".join(f"{label} {kind}" for kind, label in found.kinds.items())
    if len(found.axes) + (found.kinds is not None) > 1:
        yield "the builds measured do not tell these apart"
    if found.corner is not None:
        yield from _corner(found.corner)
    if not found.axes and found.corner is None and found.kinds is None:
        yield from _groups(found)


def reach(found: Dependence) -> Iterator[str]:
    """Of how many builds a constant label is known; and of which builds nothing is known."""
    measured = sum(len(builds) for builds in found.groups.values())
    if not measured:
        yield "measured on no build"
        return
    if found.constant:
        (label,) = found.groups
        which = "every build" if not found.unmeasured else f"the {_count(measured)} measured"
        yield f"the same on {which}: {label}" if measured > 1 else f"on {_only(found)}: {label}"
    if found.unmeasured:
        yield f"nothing is known of {_count(len(found.unmeasured))}: {_named(found.unmeasured)}"


def _only(found: Dependence) -> str:
    ((build,),) = found.groups.values()
    return f"{build}, the one build measured"


def _count(number: int) -> str:
    return f"{number} build{'s' if number != 1 else ''}"


def _named(builds: tuple[str, ...]) -> str:
    more = len(builds) - MOST_NAMED
    return ", ".join(builds[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _along(along: AlongAxis) -> str:
    first, *rest = along.segments
    if len(rest) == 1:
        (after,) = rest
        said = f"{after.label} for {along.axis} ≥ {after.first}, {first.label} before"
    else:
        parts = [f"{first.label} up to {along.axis} {first.last}"]
        parts += [
            f"{one.label} from {one.first} to {one.last}"
            if one.first != one.last
            else f"{one.label} with {one.first}"
            for one in rest[:-1]
        ]
        said = ", ".join([*parts, f"{rest[-1].label} from {rest[-1].first}"])
    return said + "".join(f" ({between(border)})" for border in along.borders)


def between(border: Border) -> str:
    """What is known of a border's place."""
    last, first = border.before.last, border.after.first
    if border.exact:
        return f"no release lies between {last} and {first}"
    neighbours = f"{last} is the newest measured before {first}"
    match len(border.between):
        case 0:
            return f"{neighbours}; the catalog has no release that lies between"
        case 1:
            return f"{neighbours}; {border.between[0]} lies between"
        case count:
            return f"{neighbours}; {count} releases lie between"


def _corner(corner: Corner) -> Iterator[str]:
    yield (
        f"{corner.label} on the {_count(corner.builds)} measured with Postfix {corner.postfix} and "
        f"OpenSSL {corner.openssl} together, {corner.other} elsewhere "
        f"({_beside(corner.postfix, 'such an OpenSSL')}; "
        f"{_beside(corner.openssl, 'such a Postfix')})"
    )
    if not corner.unique:
        yield "another corner explains what was measured as well"


def _beside(edge: Edge, other: str) -> str:
    """What is known of where an edge lies."""
    if edge.outside is None:
        return f"with {other} no other {edge.axis} was measured"
    return f"with {other} the nearest {edge.axis} measured beside it is {edge.outside}"


def _groups(found: Dependence) -> Iterator[str]:
    for label, builds in found.groups.items():
        yield f"{label}: {', '.join(builds)}"
    for builds in found.alike:
        yield f"of the same versions, and yet different: {', '.join(builds)}"
