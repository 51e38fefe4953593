"""Which build to measure next, so that a border becomes exact to the release. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from harness.catalog.builds import Build
from harness.catalog.versions import Version
from harness.errors import UsageError
from harness.verdicts.borders import Axis, Border, Dependence


def open_borders(found: Iterable[Dependence]) -> list[Border]:
    """The borders between which releases lie that were not measured, each once."""
    borders = (b for one in found for along in one.axes for b in along.borders if b.between)
    return list({(b.axis, b.before.last, b.after.first): b for b in borders}.values())


def candidates(border: Border, others: Sequence[Version], tried: Collection[str]) -> Iterator[str]:
    """Builds of the releases within a border, the middle first; those tried are left out.

    Args:
        border: an inexact one.
        others: versions of the other axis to pair them with, the preferred first.
        tried: ids of builds that were measured, or could not be had.
    """
    for version in middle_first(border.between):
        for other in others:
            postfix, openssl = (version, other) if border.axis is Axis.POSTFIX else (other, version)
            name = f"postfix-{postfix}+openssl-{openssl}"
            if name in tried:
                continue
            try:
                Build.parse(name)
            except UsageError:
                # The two cannot be put together, or the catalog has not one of them.
                continue
            yield name


def middle_first(versions: Sequence[Version]) -> list[Version]:
    """The order in which halving a border asks for them."""
    if not versions:
        return []
    middle = len(versions) // 2
    left, right = middle_first(versions[:middle]), middle_first(versions[middle + 1 :])
    mixed = [one for pair in zip(left, right, strict=False) for one in pair]
    rest = left[len(right) :] + right[len(left) :]
    return [versions[middle], *mixed, *rest]
