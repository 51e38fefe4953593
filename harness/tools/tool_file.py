"""Reads a tool's description, TOOL.toml, or a plain script; the errors have file, line and key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from harness.data_models import show_value, suggest
from harness.errors import FileError, FileErrors, FileLocation, UsageError, suggest_names
from harness.input_files import MOST_WRITTEN_BYTES, decode_file, read_file
from harness.scenarios.toml_text import line_in_table, line_of, parse_toml
from harness.tools.tool_keys import (
    EXPECTED,
    NeedsTable,
    ToolDescription,
    ToolSettings,
)

#: Seconds that a tool may run, unless its description has another limit.
TIME_LIMIT = 300.0
#: Where the tool's working directory is in the container.
WORK_DIRECTORY = "/postfix-matrix-tool/work"
#: apt-get(8) installs only files that are named so; the name is part of a shell command.
_PACKAGE_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~%-]*\.deb")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: What a command of ``render`` can refer to, besides the tool's variables.
RENDER_NAMES = ("build", "postfix", "openssl", "output", "python")


class ToolBase(StrEnum):
    """What a tool starts from; a folder of the user's is no member.

    ``stock``: what the build's package brings. ``empty``: an empty configuration directory.
    ``debconf``: what Debian's package makes of the answer "Internet Site".
    """

    STOCK = "stock"
    EMPTY = "empty"
    DEBCONF = "debconf"


@dataclass(frozen=True, slots=True)
class ToolNeeds:
    """What must be installed on the build before the tool can run.

    ``apt`` are packages by name, ``wheels`` the path of a file of requirements, None for none;
    ``parts`` are folders of large wheels of which nothing else is taken, by requirement
    ("ansible==12.1.0"); ``debs`` are paths of package files.
    """

    apt: tuple[str, ...] = ()
    wheels: Path | None = None
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    debs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class HardeningTool:
    """A tool as it is tried on a build.

    ``command`` runs in the container, in a folder with the ``files``; ``render`` runs on this
    machine instead, in the folder of the description. ``files`` are paths on this machine by their
    path in the working directory. ``base`` is a :class:`ToolBase`, a folder, or None for the
    build's default. ``time_limit`` is in seconds. ``skip`` is why it is not tried, "" if it is.
    """

    path: Path
    title: str
    command: tuple[str, ...] = ()
    render: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    needs: ToolNeeds = field(default_factory=ToolNeeds)
    base: ToolBase | Path | None = None
    network: bool = False
    idempotent: bool = True
    time_limit: float = TIME_LIMIT
    variables: Mapping[str, str] = field(default_factory=dict)
    skip: str = ""
    overrides: tuple[tuple[str, HardeningTool], ...] = ()

    def on_build(self, build: str) -> HardeningTool:
        """The tool with what its description says of a build; the first glob that fits counts."""
        for glob, tool in self.overrides:
            if fnmatchcase(build, glob):
                return replace(tool, overrides=())
        return replace(self, overrides=())

    def with_variables(self, variables: Mapping[str, object]) -> HardeningTool:
        """The tool with further variables, or other values of its variables.

        Raises:
            UsageError: a name that cannot be a variable's.
        """
        for name in variables:
            if not is_variable_name(name):
                raise UsageError(
                    f"{name!r} cannot be a tool's variable",
                    next_step="name it as variables of the environment are, such as domain",
                )
        given = {name: format_variable(value) for name, value in variables.items()}
        if with_nul := [name for name, value in given.items() if "\0" in value]:
            raise UsageError(
                f"the value of {with_nul[0]} has a NUL, which no variable of the environment can "
                "have",
                next_step="leave it out",
            )
        return replace(
            self,
            variables={**self.variables, **given},
            overrides=tuple((glob, tool.with_variables(given)) for glob, tool in self.overrides),
        )

    def with_base(self, base: ToolBase | Path) -> HardeningTool:
        """The tool with another base, on every build.

        Raises:
            UsageError: it is a folder without a file.
        """
        if isinstance(base, Path) and not has_files(base):
            raise UsageError(
                f"the base {base} has no file in it",
                next_step="name a folder with a main.cf, or 'empty' for an empty directory",
            )
        overrides = tuple((glob, tool.with_base(base)) for glob, tool in self.overrides)
        return replace(self, base=base, overrides=overrides)

    def fill_command(
        self, command: Iterable[str], more: Mapping[str, str] | None = None
    ) -> list[str]:
        """A command with the values of variables in place of ``{NAME}``; others stay."""
        values = {**self.variables, **(more or {})}
        return [
            _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text) for text in command
        ]


def load_tool(path: Path) -> HardeningTool:
    """Read TOOL.toml, or make a tool of a plain script.

    Raises:
        FileError: there is no such file, or it cannot be read.
        ToolErrors: with all errors in it, each with file, line and key.
    """
    step = "name a tool's description (TOOL.toml) or a script"
    data = read_file(path, most=MOST_WRITTEN_BYTES, next_step=step)
    if path.suffix != ".toml":
        return _make_script_tool(path, data)
    try:
        text = decode_file(data, path)
        description = ToolDescription.model_validate(parse_toml(text, path))
    except FileError as error:
        raise ToolErrors([error]) from None
    except ValidationError as error:
        raise ToolErrors(_key_error(path, text, dict(p)) for p in error.errors()) from None
    return _Reader(path, text, description).read_tool()


def check_overrides(tool: HardeningTool, builds: Iterable[str]) -> None:
    """Refuse a table [on."BUILD-GLOB"] for which there is no build: it would do nothing.

    Raises:
        ToolErrors: a glob matches none of ``builds``, which are all that there are.
    """
    known = list(builds)
    idle = [glob for glob, _ in tool.overrides if not any(fnmatchcase(b, glob) for b in known)]
    if not idle:
        return
    text = tool.path.read_text("utf-8")
    raise ToolErrors(
        FileError(
            FileLocation(tool.path, _find_line(text, glob, ""), f'on."{glob}"'),
            f"no build matches {glob!r}" + (f": {close}" if close else ""),
            expected="a glob of 'postfix-matrix list builds'",
        )
        for glob in idle
        for close in [suggest_names(glob.replace("*", ""), known)]
    )


def parse_base(text: str, folder: Path) -> ToolBase | Path | None:
    """A base by its name, or a folder; None: it is neither."""
    if text in list(ToolBase):
        return ToolBase(text)
    return folder / text if text and (folder / text).is_dir() else None


def has_files(folder: Path) -> bool:
    """Whether a file lies in a folder, or below it."""
    return any(path.is_file() for path in folder.rglob("*"))


def is_variable_name(name: str) -> bool:
    """Whether a variable of the environment can have this name."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None


def format_variable(value: object) -> str:
    """A variable's value as text; true and false in lower case, as TOML and YAML have them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class ToolErrors(FileErrors):
    """All errors of a tool's description; ``errors`` has each with its place."""

    def __init__(self, errors: Iterable[FileError]) -> None:
        step = "correct it; docs/tools.md has the keys and examples"
        super().__init__(errors, "the tool's description has", next_step=step)


def _make_script_tool(path: Path, data: bytes) -> HardeningTool:
    """A script that is a tool itself; one without "#!" is the shell's."""
    # A name that begins with "-" would be an option of sh(1).
    script = f"./{path.name}"
    command = (script,) if data.startswith(b"#!") else ("sh", script)
    return HardeningTool(path, path.name, command, files={path.name: path})


class _Reader:
    """Makes a tool of a description whose keys are valid, and collects what is still wrong."""

    def __init__(self, path: Path, text: str, description: ToolDescription) -> None:
        self._path = path
        self._text = text
        self._description = description
        self._errors: list[FileError] = []

    def read_tool(self) -> HardeningTool:
        """The tool.

        Raises:
            ToolErrors: a file is missing, a base is unknown, or there is no command.
        """
        whole = self._description
        tool = self._make_tool(whole, HardeningTool(self._path, whole.title), "")
        overrides = [
            (glob, self._make_tool(on, tool, glob, skip=on.skip or ""))
            for glob, on in whole.on.items()
        ]
        for glob, checked in [("", tool), *overrides]:
            self._check_command(checked, glob)
        if self._errors:
            raise ToolErrors(self._errors)
        return replace(tool, overrides=tuple(overrides))

    def _make_tool(
        self, settings: ToolSettings, tool: HardeningTool, glob: str, skip: str = ""
    ) -> HardeningTool:
        """The tool with those settings that a table has."""
        changes: dict[str, Any] = {"skip": skip}
        if settings.command is not None:
            changes |= {"command": settings.command, "render": ()}
        if settings.render is not None:
            changes |= {"render": settings.render, "command": settings.command or ()}
        if settings.files is not None:
            changes["files"] = self._find_files(settings.files, glob)
        if settings.needs is not None:
            changes["needs"] = self._read_needs(settings.needs, glob)
        if settings.base is not None:
            changes["base"] = self._read_base(settings.base, glob)
        if settings.network is not None:
            changes["network"] = settings.network is True
        for name in ("idempotent", "time_limit"):
            if (value := getattr(settings, name)) is not None:
                changes[name] = value
        given = {name: format_variable(value) for name, value in (settings.vars or {}).items()}
        return replace(tool, **changes, variables={**tool.variables, **given})

    def _check_command(self, tool: HardeningTool, glob: str) -> None:
        if bool(tool.command) == bool(tool.render):
            key = "render" if tool.command else "command"
            what = "excludes command" if tool.command else "this key is missing"
            expected = "one of command and render" if tool.command else EXPECTED["command"]
            self._add_error(glob, key, what, expected)
        names = {name for text in tool.render for name in _PLACEHOLDER.findall(text)}
        if unknown := sorted(names - {*tool.variables, *RENDER_NAMES}):
            known = ", ".join((*RENDER_NAMES, *tool.variables))
            what = f"refers to {{{unknown[0]}}}, which is unknown"
            self._add_error(glob, "render", what, f"one of {known}")

    def _find_files(self, names: Iterable[str], glob: str) -> dict[str, Path]:
        """The files by their path in the working directory; a folder's files below its name."""
        files: dict[str, Path] = {}
        for name in names:
            path = self._find_path("files", name, glob, folders=True)
            if path is None:
                continue
            inside = PurePosixPath(name).name if Path(name).is_absolute() else name.rstrip("/")
            if ".." in PurePosixPath(inside).parts:
                inside = PurePosixPath(inside).name
            if path.is_dir():
                for file in sorted(p for p in path.rglob("*") if p.is_file()):
                    files[f"{inside}/{file.relative_to(path).as_posix()}"] = file
            else:
                files[inside] = path
        return files

    def _read_needs(self, table: NeedsTable, glob: str) -> ToolNeeds:
        wheels = None if table.wheels is None else self._find_path("wheels", table.wheels, glob)
        debs = [self._find_path("debs", name, glob) for name in table.debs]
        names = [deb.name for deb in debs if deb is not None]
        for name in dict.fromkeys(names):
            if not _PACKAGE_FILE.fullmatch(name):
                self._add_error(glob, "debs", f"cannot be {name!r}", "a name such as mail_1.2.deb")
            elif names.count(name) > 1:
                self._add_error(glob, "debs", f"has two files {name}", "a name for each file")
        if table.parts and table.wheels is None:
            self._add_error(glob, "parts", "there is no wheels", EXPECTED["wheels"])
        return ToolNeeds(
            table.apt, wheels, table.parts, tuple(deb for deb in debs if deb is not None)
        )

    def _read_base(self, text: str, glob: str) -> ToolBase | Path | None:
        base = parse_base(text, self._path.parent)
        if base is None:
            close = suggest(text, list(ToolBase))
            self._add_error(glob, "base", f"cannot be {text!r}", f"{close}, or a folder")
        elif isinstance(base, Path) and not has_files(base):
            what = f"the folder {text} has no file in it"
            self._add_error(glob, "base", what, "a folder with a main.cf, or empty")
        return base

    def _find_path(self, key: str, name: str, glob: str, *, folders: bool = False) -> Path | None:
        """A file beside the description; with ``folders`` also a folder."""
        path = self._path.parent / name
        if path.is_file() or (folders and path.is_dir()):
            return path
        what = f"{name} is not a file" if path.exists() else f"there is no {name}"
        self._add_error(glob, key, what, f"a file in {self._path.parent}")
        return None

    def _add_error(self, glob: str, key: str, what: str, expected: str) -> None:
        place = FileLocation(self._path, _find_line(self._text, glob, key), key)
        self._errors.append(FileError(place, what, expected=expected))


def _find_line(text: str, glob: str, key: str) -> int | None:
    """The line of a key at the top, in a table of its own, or in the table of a glob for builds."""
    if glob:
        return line_in_table(text, f'on."{glob}"', 0, key)
    if line := line_of(text, key):
        return line
    return line_in_table(text, "needs", 0, key) or line_of(text, "needs")


def _key_error(path: Path, text: str, problem: dict[str, Any]) -> FileError:
    """One of pydantic's errors as a FileError."""
    keys = [str(part) for part in problem["loc"] if isinstance(part, str) and part != "[key]"]
    glob = keys[1] if keys[0] == "on" and len(keys) > 1 else ""
    known = [key for key in keys if key in EXPECTED and key != "on"]
    inner = keys[1:2] if keys[0] in ("vars", "needs") else keys[2:3] if glob else keys[:1]
    if problem["type"] == "extra_forbidden":
        place = FileLocation(path, _find_line(text, glob, keys[-1]), keys[-1])
        return FileError(place, "unknown key", expected=suggest(keys[-1], EXPECTED))
    key = known[-1] if known else keys[0]
    line = _find_line(text, glob, key)
    if keys[0] in ("vars", "needs") and inner and not glob:
        # The table, or a table in it.
        line = line_in_table(text, keys[0], 0, inner[0]) or line
        if keys[1:2] == ["parts"] and len(keys) > 2:
            line = line_in_table(text, "needs.parts", 0, keys[2]) or line
            key = keys[2]
        elif keys[0] == "vars":
            key = f"vars.{inner[0]}"
    place = FileLocation(path, line, key)
    what = "this key is missing"
    if problem["type"] != "missing":
        what = f"cannot be {show_value(problem['input'])}"
    return FileError(place, what, expected=EXPECTED.get(key, EXPECTED.get(keys[0], "a table")))
