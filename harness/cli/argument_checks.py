"""What no value of a command line can be, whatever it means: checked before any command begins.

An empty value is most often a variable of the shell that is not set: as a glob it would select
everything, as a path the current folder.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from harness.errors import UsageError

#: Linux takes no longer path (PATH_MAX), no longer name in one (NAME_MAX), both in bytes.
MOST_BYTES, MOST_IN_NAME = 4095, 255
#: The largest of all bounds: of nights that are kept, shards, builds.
MOST_NUMBER = 1_000_000
#: Control characters: a name, a number or a glob has none; a path may.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: A byte that is not UTF-8, as Python reads it (PEP 383).
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)


class AnyText(click.ParamType[str]):
    """Text that may have any character but NUL, since it holds a path or a value of the user's."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:  # noqa: ARG002
        """The text as it is."""
        return str(value)


class InputFolder(click.Path):
    """A folder to be read, which is there."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path.

        Raises:
            UsageError: there is no such folder.
        """
        if not Path(value).is_dir():
            name = param.opts[0] if param is not None else ""
            kind = "is not a folder" if os.path.lexists(value) else "is not there"
            raise UsageError(
                f"{name} {str(value)!r} {kind}",
                next_step="name a folder that is there, or leave the option out",
            )
        return super().convert(value, param, ctx)


class WholeNumber(click.IntRange):
    """A whole number in ASCII digits, within bounds; ``most`` is one that no machine counts to."""

    def __init__(self, least: int, most: int = MOST_NUMBER) -> None:
        super().__init__(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; click alone takes "1_0" and digits of any script."""
        _check_digits(self, value, "a whole number", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(click.FloatRange):
    """A number of seconds, within bounds; not "nan" or "inf", which pass every comparison."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number."""
        _check_digits(self, value, "a number of seconds, such as 10 or 2.5", param, ctx)
        return super().convert(value, param, ctx)


def _check_digits(
    kind: click.ParamType[Any],
    value: Any,
    expected: str,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> None:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        kind.fail(f"{value!r} is not {expected}.", param, ctx)


def check_values(command: click.Command, ctx: click.Context, arguments: list[str]) -> None:
    """Refuse values that can mean nothing, before click converts any of them.

    Raises:
        UsageError: a value is empty, has a character that it cannot have, or is too long.
        click.UsageError: an option that the command does not have.
    """
    values, _, _ = command.make_parser(ctx).parse_args(args=list(arguments))
    for parameter in command.get_params(ctx):
        for value in _texts_of(values.get(parameter.name or "")):
            _check_value(parameter, value)


def _texts_of(value: object) -> Iterator[str]:
    """The texts of a value as click's parser gives it: one, several, or none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Iterable):
        for part in value:
            yield from _texts_of(part)


def _check_value(parameter: click.Parameter, value: str) -> None:
    name = parameter.opts[0] if isinstance(parameter, click.Option) else _name_argument(parameter)
    what = f"{name} {value!r}"
    if not value:
        raise UsageError(
            f"{name} has an empty value",
            cause="a variable of the shell that is not set",
            next_step="give a value, or leave it out",
        )
    if "\0" in value:
        raise UsageError(f"{what} has a NUL character", next_step="write it without")
    if isinstance(parameter.type, click.Path | AnyText):
        _check_length(what, value)
        if isinstance(parameter.type, click.Path):
            _check_path(what, value)
        return
    if bad := _CONTROL.search(value):
        raise UsageError(
            f"{what} has the control character {bad[0]!r}", next_step="write it without"
        )
    if _NOT_UTF8.search(value):
        raise UsageError(f"{what} is not UTF-8", next_step="write it in UTF-8")
    _check_length(what, value)


def _name_argument(parameter: click.Parameter) -> str:
    return str(parameter.metavar or parameter.name or "").strip("[]").upper()


def _check_length(what: str, value: str) -> None:
    size = len(value.encode("utf-8", "surrogateescape"))
    if size > MOST_BYTES:
        raise UsageError(
            f"{what} has {size} bytes, and a value has {MOST_BYTES} at most",
            next_step="write it shorter",
        )


def _check_path(what: str, value: str) -> None:
    """Refuse a path that no file can have, or whose links lead to themselves.

    Such a path is no ordinary path without a file: Path.exists() and Path.resolve() raise for it.
    """
    try:
        os.stat(value)  # noqa: PTH116  # a path object would lose an empty part
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(
                f"{what} has a name of more than {MOST_IN_NAME} bytes",
                next_step="name a file or folder that can be there",
            ) from None
        if error.errno == errno.ELOOP:
            raise UsageError(
                f"{what} is a loop of symbolic links",
                next_step="name what the link is meant to lead to",
            ) from None
