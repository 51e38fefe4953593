"""Records written into the catalog's files; every other line stays as it was, comments too."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from harness.catalog.releases import parse_releases
from harness.catalog.versions import Version
from harness.errors import InfrastructureError
from harness.files import replace_file

_HEADER = re.compile(r"\s*\[")
_RELEASE = re.compile(r"\s*\[\[\s*release\s*\]\]")
_PART_OF_ONE = re.compile(r"\s*\[\[?\s*release\s*\.")
#: What may stand in a comment behind a value: a few words.
_PLAIN = re.compile(r"[A-Za-z0-9 ._:-]+")


@dataclass(frozen=True, slots=True)
class Record:
    """A release as it is written down.

    ``places`` are the independent places that publish this hash; their number corroborates it.
    ``urls`` are where the archive is besides the product's mirrors.
    """

    version: str
    date: date | None
    sha256: str
    places: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """The record as reading its text gives it back."""
        day = {"date": self.date} if self.date else {}
        sources = [{"kind": "url", "url": _escaped(url)} for url in self.urls]
        return {
            "version": self.version,
            **day,
            "sha256": self.sha256,
            "corroborated": len(self.places),
            **({"source": sources} if sources else {}),
        }

    def __str__(self) -> str:
        """The record in the form that the catalog's files have."""
        lines = ["[[release]]", f'version = "{self.version}"']
        if self.date:
            lines.append(f"date = {self.date.isoformat()}")
        named = ", ".join(place for place in self.places if _PLAIN.fullmatch(place))
        lines.append(f'sha256 = "{self.sha256}"')
        lines.append(f"corroborated = {len(self.places)}{f'  # {named}' if named else ''}")
        for url in self.urls:
            # A TOML string is written like one of JSON (TOML 1.0, "String").
            text = json.dumps(_escaped(url), ensure_ascii=False)
            lines += ["[[release.source]]", 'kind = "url"', f"url = {text}"]
        return "".join(f"{line}\n" for line in lines)


def data_file(product: str) -> Path:
    """Where a product's records are: in the checkout, or in the installation."""
    return Path(str(resources.files("harness.catalog").joinpath("data", f"{product}.toml")))


def insert(text: str, record: Record) -> str:
    """A product's file with one more record, in its place by version.

    Raises:
        InfrastructureError: the file is written in a way that this does not know its way in.
    """
    data = tomllib.loads(text)
    versions = [Version.parse(one["version"]) for one in data["release"]]
    index = next(
        (number for number, one in enumerate(versions) if one > Version.parse(record.version)),
        len(versions),
    )
    lines = text.splitlines(keepends=True)
    place = _place(lines, index)
    before, after = "".join(lines[:place]), "".join(lines[place:])
    if before and not before.endswith("\n"):
        before += "\n"
    gap = "" if before.endswith("\n\n") or not before else "\n"
    made = f"{before}{gap}{record}{chr(10) if after else ''}{after}"
    data["release"].insert(index, record.data())
    _check(made, data, record)
    return made


def write(path: Path, record: Record) -> None:
    """Add a record to a product's file, which is replaced in one step.

    Raises:
        InfrastructureError: it cannot be read or written; what was there is untouched. The message
            has the record.
    """
    try:
        made = insert(path.read_text("utf-8"), record)
        target = path.resolve()
        replace_file(target, made, mode=target.stat().st_mode & 0o7777)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {path}: {error.strerror or error}",
            cause="the installation is somebody else's or read-only, or the disk is full",
            next_step="work in a checkout of your own, or put this record there by hand:\n\n"
            f"{record}",
        ) from error


def _place(lines: list[str], index: int) -> int:
    """The line before which the record goes that is to be the ``index``-th."""
    starts = [number for number, line in enumerate(lines) if _RELEASE.match(line)]
    if index < len(starts):
        place = starts[index]
    else:
        last = starts[-1] if starts else -1
        place = next(
            (
                number
                for number, line in enumerate(lines)
                if number > last and _HEADER.match(line) and not _PART_OF_ONE.match(line)
            ),
            len(lines),
        )
    # The comment right above a table is about that table.
    while place and place < len(lines) and lines[place - 1].lstrip().startswith("#"):
        place -= 1
    return place


def _check(made: str, wanted: dict[str, Any], record: Record) -> None:
    try:
        found = tomllib.loads(made)
        parse_releases(found)
    except (ValueError, KeyError, TypeError) as error:
        found, reason = {}, f": {error}"
    else:
        reason = ""
    if found != wanted:
        raise InfrastructureError(
            f"the record of {record.version} does not fit in{reason}; nothing was written",
            cause="the file is not laid out as the ones that come with postfix-matrix",
            next_step=f"put it there by hand:\n\n{record}",
        )


def _escaped(url: str) -> str:
    """A URL that the templates' braces do not touch."""
    return url.replace("{", "{{").replace("}", "}}")
