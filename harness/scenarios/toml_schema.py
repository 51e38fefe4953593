"""The schema of scenario.toml, and the errors in one, by file, line and key."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, ValidationError

from harness.data_models import show_value, suggest
from harness.errors import FileError, FileLocation
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.toml_text import (
    Extent,
    SurroundingsMode,
    line_in_table,
    line_of,
    parse_toml,
)
from harness.tls import NAMED_SERVICES, Service

_Line = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\n]+$")]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
#: A header field of a message (RFC 5322, section 2.2), without quotes and backslashes.
_Header = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]*: [ !#-&(-\[\]-~]+$", max_length=200)
]
_Names = Annotated[tuple[_Text, ...], Field(min_length=1)]


class Description(BaseModel):
    """The keys of scenario.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: _Line
    source: _Line
    claim: _Line
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None = None
    date: Annotated[datetime.date, Strict()] | None = None
    master_cf: Overlay = Overlay.REPLACE
    configuration: Extent = Extent.LINES
    surroundings: SurroundingsMode = SurroundingsMode.STAND_INS
    notes: _Text | None = None
    services: _Names | None = None
    clients: _Names | None = None
    offers: _Names | None = None
    headers: Annotated[tuple[_Header, ...], Field(min_length=1)] | None = None
    against: _Line = "defaults"
    files: dict[str, str] = Field(default_factory=dict)
    applies: dict[str, Any] = Field(default_factory=dict)
    expect: tuple[dict[str, Any], ...] = ()


_EXPECTED = {
    "title": "one line of text",
    "source": "one line of text: where the advice was given",
    "claim": "one line of text: what the advice promises",
    "url": "a text that starts with http:// or https://",
    "date": "a day without quotes, such as 2016-09-19",
    "master_cf": "one of " + ", ".join(f'"{mode}"' for mode in Overlay),
    "configuration": "one of " + ", ".join(f'"{extent}"' for extent in Extent),
    "surroundings": "one of " + ", ".join(f'"{mode}"' for mode in SurroundingsMode),
    "notes": "a text",
    "services": f"a list of {', '.join(NAMED_SERVICES)}",
    "clients": "a list of clients' names",
    "offers": "a list of offers, such as TLSv1.2 and default",
    "headers": 'a list of header fields of the messages, such as "TLS-Required: no"',
    "against": "the id of another scenario",
    "files": 'a table [files] of kinds of files by path, such as "/etc/dh.pem" = "missing"',
    "applies": "a table [applies] with postfix or openssl",
    "expect": "tables [[expect]]",
}


def parse_description(text: str, path: Path) -> tuple[Description | None, list[FileError]]:
    """Read a scenario.toml's text: the description, or None and all errors in it."""
    try:
        description = Description.model_validate(parse_toml(text, path))
    except FileError as error:
        return None, [error]
    except ValidationError as error:
        return None, [_key_error(path, text, dict(problem)) for problem in error.errors()]
    if "master_cf" in description.model_fields_set and not (path.parent / "master.cf").exists():
        place = FileLocation(path, line_of(text, "master_cf"), "master_cf")
        what = "states how to lay over a master.cf, but there is none"
        return None, [FileError(place, what, expected="a master.cf in its folder, or no such key")]
    if description.headers and description.services != (str(Service.OUTBOUND),):
        place = FileLocation(path, line_of(text, "headers"), "headers")
        what = "are of messages that Postfix sends"
        return None, [FileError(place, what, expected=f'services = ["{Service.OUTBOUND}"]')]
    return description, []


def _key_error(path: Path, text: str, problem: dict[str, Any]) -> FileError:
    """One of pydantic's errors as a FileError."""
    key = str(problem["loc"][0])
    place = FileLocation(path, line_of(text, key), key)
    if key == "files" and len(problem["loc"]) > 1:
        inner = str(problem["loc"][1])
        place = FileLocation(path, line_in_table(text, key, 0, inner), f"{key}.{inner}")
    if problem["type"] == "extra_forbidden":
        return FileError(place, "unknown key", expected=suggest(key, _EXPECTED))
    if problem["type"] == "missing":
        return FileError(place, "this key is missing", expected=_EXPECTED[key])
    return FileError(place, f"cannot be {show_value(problem['input'])}", expected=_EXPECTED[key])
