"""Which releases this machine can fetch, by branch, and why not the others: for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.catalog.reachability import (
    Branch,
    ReleaseAnswers,
    UnansweringPlace,
    group_branches,
    list_refusals,
    list_unanswering,
    name_place,
)
from harness.reports.wrapping import wrap_text

_CACHE = "the cache here"
_HEAD = ("", "releases", "from here", "not reached", "not there", "  from")
_TITLES = {"postfix": "Postfix", "openssl": "OpenSSL"}
#: Releases that a list names; the others are counted.
_MOST_NAMED = 12


def format_reachability(releases: Sequence[ReleaseAnswers]) -> list[str]:
    """The lines of the whole report; ``releases`` are in the order in which they are listed."""
    branches = group_branches(releases)
    lines: list[str] = []
    for product in dict.fromkeys(branch.product for branch in branches):
        mine = [branch for branch in branches if branch.product == product]
        lines += [*_format_table(_TITLES.get(product, product), mine), ""]
    return [*lines, *_format_reasons(releases), *_format_total(releases)]


def _format_table(title: str, branches: Sequence[Branch]) -> list[str]:
    rows = [(title, *_HEAD[1:]), *map(_list_cells, branches)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines: list[str] = []
    for row in rows:
        first = row[0].ljust(widths[0])
        counts = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:], strict=True)]
        start = "  ".join([first, *counts])
        lines += wrap_text(f"{start}  {row[-1]}".rstrip(), more=" " * (len(start) + 2))
    return [line.rstrip() for line in lines]


def _list_cells(branch: Branch) -> tuple[str, ...]:
    counts = (branch.releases, branch.available, branch.unreached, branch.missing)
    return (branch.name, *(str(len(each)) for each in counts), _list_origins(branch))


def _list_origins(branch: Branch) -> str:
    """``Ubuntu's pool: 1.1.1 1.1.1f; Debian's pool: 1.1.1w``."""
    versions: dict[str, list[str]] = {}
    for each in branch.available:
        place = name_place(each.source) if each.source else _CACHE
        versions.setdefault(place, []).append(each.release.version)
    if len(versions) == 1 and len(branch.releases) == len(branch.available):
        return f"{next(iter(versions))}: all"
    return "; ".join(f"{place}: {' '.join(names)}" for place, names in versions.items())


def _format_reasons(releases: Sequence[ReleaseAnswers]) -> Iterator[str]:
    if unanswering := list_unanswering(releases):
        yield "Places that do not answer, and how many releases are missing for it:"
        for (reason, missing), names in _join_alike(unanswering).items():
            text = f"{', '.join(names)}: {reason} ({missing})"
            yield from wrap_text(text, "  ", "    ")
        yield ""
    if refusals := list_refusals(releases):
        yield "Places that answer, and do not have the file:"
        for (name, reason), ids in refusals.items():
            yield from wrap_text(f"{name}, {reason}: {_list_releases(ids)}", "  ", "    ")
        yield ""


def _join_alike(places: Iterable[UnansweringPlace]) -> dict[tuple[str, int], list[str]]:
    """The names of places by the reason and the number of missing releases."""
    names: dict[tuple[str, int], list[str]] = {}
    for place in places:
        names.setdefault((place.reason, len(place.releases)), []).append(place.name)
    return names


def _list_releases(ids: Sequence[str]) -> str:
    more = len(ids) - _MOST_NAMED
    return ", ".join(ids[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _format_total(releases: Sequence[ReleaseAnswers]) -> Iterator[str]:
    available = sum(each.available for each in releases)
    text = f"This machine reaches {available} of {len(releases)} releases."
    if available < len(releases):
        text += (
            " A mirror of your own (--mirror URL), an archive in the cache, or a source tree "
            "(--source RELEASE=PATH) stands in for a place that it does not reach."
        )
    yield from wrap_text(text)
