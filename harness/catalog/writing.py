"""Write records into the catalog's files; every other line stays as it was, including comments."""

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
#: The text that a comment after a value may have.
_PLAIN = re.compile(r"[A-Za-z0-9 ._:-]+")


@dataclass(frozen=True, slots=True)
class Record:
    """A release as it is recorded.

    ``places`` are the independent places that publish this hash; their number corroborates it.
    ``urls`` are those of the archive other than the product's mirrors.
    """

    version: str
    date: date | None
    sha256: str
    places: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """The record as TOML data: the values that reading its text yields."""
        day = {"date": self.date} if self.date else {}
        sources = [{"kind": "url", "url": _escape_braces(url)} for url in self.urls]
        return {
            "version": self.version,
            **day,
            "sha256": self.sha256,
            "corroborated": len(self.places),
            **({"source": sources} if sources else {}),
        }

    def __str__(self) -> str:
        """The record in the form of the catalog's files."""
        lines = ["[[release]]", f'version = "{self.version}"']
        if self.date:
            lines.append(f"date = {self.date.isoformat()}")
        named = ", ".join(place for place in self.places if _PLAIN.fullmatch(place))
        lines.append(f'sha256 = "{self.sha256}"')
        lines.append(f"corroborated = {len(self.places)}{f'  # {named}' if named else ''}")
        for url in self.urls:
            # A TOML string has the same form as a JSON string (TOML 1.0, "String").
            text = json.dumps(_escape_braces(url), ensure_ascii=False)
            lines += ["[[release.source]]", 'kind = "url"', f"url = {text}"]
        return "".join(f"{line}\n" for line in lines)


def data_file(product: str) -> Path:
    """The path of a product's records, in the checkout or in the installation."""
    return Path(str(resources.files("harness.catalog").joinpath("data", f"{product}.toml")))


def insert_record(text: str, record: Record) -> str:
    """A product's file with one more record, in the order of versions.

    Raises:
        InfrastructureError: the file has a layout that this function does not understand.
    """
    data = tomllib.loads(text)
    versions = [Version.parse(release["version"]) for release in data["release"]]
    index = next(
        (
            number
            for number, present in enumerate(versions)
            if present > Version.parse(record.version)
        ),
        len(versions),
    )
    lines = text.splitlines(keepends=True)
    place = _find_place(lines, index)
    before, after = "".join(lines[:place]), "".join(lines[place:])
    if before and not before.endswith("\n"):
        before += "\n"
    gap = "" if before.endswith("\n\n") or not before else "\n"
    made = f"{before}{gap}{record}{chr(10) if after else ''}{after}"
    data["release"].insert(index, record.data())
    _check_result(made, data, record)
    return made


def write_record(path: Path, record: Record) -> None:
    """Add a record to a product's file, which is replaced in one step.

    Raises:
        InfrastructureError: it cannot be read or written; the file is unchanged. The message has
            the record.
    """
    try:
        made = insert_record(path.read_text("utf-8"), record)
        target = path.resolve()
        replace_file(target, made, mode=target.stat().st_mode & 0o7777)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {path}: {error.strerror or error}",
            cause="the installation belongs to another user or is read-only, or the disk is full",
            next_step=f"work in your own checkout, or add this record by hand:\n\n{record}",
        ) from error


def _find_place(lines: list[str], index: int) -> int:
    """The number of the line before which the ``index``-th record is inserted."""
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
    # The comment directly above a table belongs to that table.
    while place and place < len(lines) and lines[place - 1].lstrip().startswith("#"):
        place -= 1
    return place


def _check_result(made: str, expected: dict[str, Any], record: Record) -> None:
    try:
        written = tomllib.loads(made)
        parse_releases(written)
    except (ValueError, KeyError, TypeError) as error:
        written, reason = {}, f": {error}"
    else:
        reason = ""
    if written != expected:
        raise InfrastructureError(
            f"the record of {record.version} cannot be inserted{reason}; nothing was written",
            cause="the file's layout differs from those that come with postfix-matrix",
            next_step=f"add it by hand:\n\n{record}",
        )


def _escape_braces(url: str) -> str:
    """A URL with its braces escaped, since a record's URL is a template."""
    return url.replace("{", "{{").replace("}", "}}")
