"""What a run could not have, by why: in groups that a reader would act on differently. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.observations.run_folder import (
    Missing,
    UnavailableCategory,
)

_TITLES = {
    UnavailableCategory.DOES_NOT_BUILD: "does not build",
    UnavailableCategory.SOURCE: "source cannot be had",
    UnavailableCategory.IMAGE: "image does not keep the contract",
    UnavailableCategory.OTHER: "could not be had",
}
#: As :class:`harness.errors.HarnessError` writes it.
_NEXT_STEP = "next step:"
_FETCH = (
    "name a mirror that has it (--mirror), or give a source of your own (--source RELEASE=PATH)"
)


@dataclass(frozen=True, slots=True)
class Group:
    """Missing things of one kind of why.

    ``advice`` is what to do, each step once; empty where there is nothing to do: a pair that does
    not build is a finding.
    """

    title: str
    lacks: tuple[Missing, ...]
    advice: tuple[str, ...]


def groups(missing: Iterable[Missing]) -> tuple[Group, ...]:
    """The groups that are not empty, findings first; a category that is not known is ``other``."""
    lacks: dict[UnavailableCategory, list[Missing]] = {lack: [] for lack in UnavailableCategory}
    for one in missing:
        known = one.category in list(UnavailableCategory)
        lacks[UnavailableCategory(one.category) if known else UnavailableCategory.OTHER].append(one)
    return tuple(
        Group(_TITLES[lack], tuple(found), _advice(lack, found))
        for lack, found in lacks.items()
        if found
    )


def first_line(why: str) -> str:
    """The first line that says something, without the colon of a list that comes after it."""
    line = next((line.strip() for line in why.splitlines() if line.strip()), "")
    return line.removesuffix(":")


def brief(lack: Missing) -> str:
    """The first line of why, without what the group's title says already."""
    line = first_line(lack.why)
    said = f"{_TITLES[UnavailableCategory.DOES_NOT_BUILD]}: "
    if lack.category == UnavailableCategory.DOES_NOT_BUILD:
        line = line.removeprefix(f"{lack.name} ").removeprefix(said)
    return line or "no reason was recorded"


def _advice(lack: UnavailableCategory, found: Iterable[Missing]) -> tuple[str, ...]:
    if lack is UnavailableCategory.DOES_NOT_BUILD:
        return ()
    steps = dict.fromkeys(step for one in found for step in _next_steps(one.why))
    return tuple(steps) or ((_FETCH,) if lack is UnavailableCategory.SOURCE else ())


def _next_steps(why: str) -> list[str]:
    lines = (line.strip() for line in why.splitlines())
    return [line.removeprefix(_NEXT_STEP).strip() for line in lines if line.startswith(_NEXT_STEP)]
