"""The keys of a tool's description, TOOL.toml, with their types, and what is expected of each."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StrictBool,
    StrictInt,
    StringConstraints,
)

_Line = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\n]+$")]
#: No program gets an argument or a variable with a NUL (execve(2)).
_Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$")]
_Value = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
_Fraction = Annotated[float, Strict(), AllowInfNan(False)]
_Command = Annotated[tuple[_Text, ...], Field(min_length=1)]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_Requirement = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*==[\w.+!-]+$")]
_Package = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.:=~-]*$")]


class NeedsTable(BaseModel):
    """The table ``needs``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    apt: tuple[_Package, ...] = ()
    wheels: _Text | None = None
    parts: dict[_Requirement, _Command] = Field(default_factory=dict)
    debs: tuple[_Text, ...] = ()


class ToolSettings(BaseModel):
    """The keys that [on."BUILD-GLOB"] can override; None: not set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: _Command | None = None
    render: _Command | None = None
    files: tuple[_Text, ...] | None = None
    needs: NeedsTable | None = None
    base: _Line | None = None
    network: StrictBool | Annotated[str, StringConstraints(pattern="^none$")] | None = None
    idempotent: StrictBool | None = None
    time_limit: Annotated[float, Field(gt=0, le=3600, strict=True)] | None = None
    vars: dict[_Variable, _Value | StrictInt | _Fraction | StrictBool] | None = None


class BuildSettings(ToolSettings):
    """A table [on."BUILD-GLOB"]."""

    skip: _Line | None = None


class ToolDescription(ToolSettings):
    """The keys of TOOL.toml."""

    title: _Line
    on: dict[str, BuildSettings] = Field(default_factory=dict)


#: What a key's value must be, for messages.
EXPECTED = {
    "title": "one line of text",
    "command": 'a list of texts: a program and its arguments, such as ["sh", "harden.sh"]',
    "render": 'a list of texts: a generator that runs on this machine, such as ["./make-main-cf"]',
    "files": "a list of files and folders beside this file",
    "needs": 'a table such as {apt = ["python3"], wheels = "requirements.lock"}',
    "base": "stock, empty, debconf, or a folder beside this file",
    "network": '"none" (the default) or true',
    "idempotent": "true (the default) or false",
    "time_limit": "seconds, above 0 and at most 3600",
    "vars": "a table of variables, with texts, numbers, true or false",
    "on": 'tables such as [on."ubuntu-16.04"]',
    "skip": "one line of text: why the tool is not tried there",
    "apt": "a list of packages of Debian or Ubuntu",
    "wheels": "a file of requirements (pip), beside this file",
    "parts": 'a table such as {"ansible==12.1.0" = ["ansible_collections/ansible/utils"]}',
    "debs": "a list of package files (.deb), beside this file",
}
