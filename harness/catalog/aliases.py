"""Names that people search for, of software that is not measured itself, and what stands for it."""

from __future__ import annotations

import difflib
import textwrap
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.catalog.cells import is_simulated
from harness.catalog.releases import load_data
from harness.errors import UsageError

#: Columns of the sentence under a name.
_WIDTH = 78


@dataclass(frozen=True, slots=True)
class SoftwareName:
    """Software that people search for and that was not measured itself (data/aliases.toml).

    ``highest`` is its newest TLS version by default, ``hellos`` are recorded hellos of its own TLS
    library, ``like`` clients that come nearest. ``also`` are further names of it.
    """

    id: str
    name: str
    about: str
    highest: str
    library: str = ""
    source: str = ""
    like: tuple[str, ...] = ()
    hellos: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The clients that stand for it: its recorded hellos, else the nearest clients."""
        return self.hellos or self.like


@cache
def software_names() -> tuple[SoftwareName, ...]:
    """The records of data/aliases.toml."""
    records: list[dict[str, Any]] = load_data("aliases")["software"]
    lists = ("like", "hellos", "also")
    return tuple(
        SoftwareName(**{**record, **{key: tuple(record.get(key, ())) for key in lists}})
        for record in records
    )


def find_software(name: str) -> SoftwareName | None:
    """The software of exactly this name; None: it is no name of any."""
    return next(
        (known for known in software_names() if name in (known.id, *known.also)),
        None,
    )


def search_software(text: str) -> tuple[SoftwareName, ...]:
    """The software of this name, else all whose names contain the text.

    Raises:
        UsageError: there is none.
    """
    exact = find_software(text.lower())
    if exact is not None:
        return (exact,)
    names = {known: (known.id, *known.also, known.name.lower()) for known in software_names()}
    matching = tuple(
        known for known, own in names.items() if any(text.lower() in name for name in own)
    )
    if matching:
        return matching
    every = [name for own in names.values() for name in own[:-1]]
    close = difflib.get_close_matches(text.lower(), every, n=3, cutoff=0.5)
    raise UsageError(
        f"nothing here stands for {text!r}",
        cause=f"close to it: {', '.join(close)}" if close else "",
        next_step=f"use one of {' '.join(sorted(every))}",
    )


def describe_stand_ins(name: str, software: SoftwareName) -> str:
    """One line: what stands for a name, and what that is."""
    how = (
        "recorded hellos of it, simulated: no mail is sent"
        if all(map(is_simulated, software.stand_ins))
        else "not measured itself; these come nearest"
    )
    return f"{name} ({software.name}): {', '.join(software.stand_ins)} stand for it ({how})"


def format_software(software: SoftwareName) -> str:
    """The software with its names, the sentence about it, and what stands for it."""
    others = f" (also: {', '.join(software.also)})" if software.also else ""
    about = textwrap.wrap(software.about, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    parts = [f"{software.id}{others}: {software.name}", *about]
    if software.hellos:
        parts += _list_names("its recorded hellos (simulated):", software.hellos)
    if software.like:
        parts += _list_names("the nearest real clients:", software.like)
    return "\n".join(parts)


def _list_names(title: str, names: tuple[str, ...]) -> list[str]:
    return textwrap.wrap(
        f"{title} {', '.join(names)}", _WIDTH, initial_indent="  ", subsequent_indent="    ",
        break_on_hyphens=False,
    )  # fmt: skip
