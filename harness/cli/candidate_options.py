"""The argument and the options that decide which configuration is read, and how.

A module of its own: the scan of a running server needs these options, but not candidate.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from harness.cli.completion import complete_candidate
from harness.cli.grouped_help import OptionGroup, grouped_option
from harness.config_input.forms import Footing
from harness.errors import UsageError

#: The argument ``names`` of the commands that measure a configuration.
candidate_argument = click.argument(
    "names",
    nargs=-1,
    type=click.Path(),
    metavar="[FILES | FOLDER | TAR | SCENARIO]",
    shell_complete=complete_candidate,
)
_OPTIONS = [
    grouped_option(
        OptionGroup.CONFIGURATION,
        "--container",
        metavar="NAME",
        help="Read the configuration, and the files it names, out of a running container.",
    ),
    grouped_option(
        OptionGroup.CONFIGURATION,
        "--whole",
        is_flag=True,
        help="It is a whole configuration: nothing is added.",
    ),
    grouped_option(
        OptionGroup.CONFIGURATION,
        "--lines",
        is_flag=True,
        help="It is lines to be added to a configuration.",
    ),
    grouped_option(
        OptionGroup.CONFIGURATION,
        "--as-is",
        is_flag=True,
        help="Do not replace tables, daemons and other systems by stand-ins.",
    ),
]
_REDACT = grouped_option(
    OptionGroup.CONFIGURATION,
    "--redact",
    "redacted",
    is_flag=True,
    help="Replace host names, domains and addresses before anything is written.",
)


@dataclass(frozen=True, slots=True)
class CandidateOptions:
    """How a candidate is read. ``container``: the name of the container that has it."""

    container: str | None = None
    footing: Footing | None = None
    redacted: bool = False
    as_is: bool = False


def candidate_options(*, redacting: bool) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The options --container, --whole, --lines and --as-is; ``redacting`` adds --redact.

    The command gets them as ``reading``, a :class:`CandidateOptions`.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def wrapped(
            *arguments: Any,
            container: str | None,
            whole: bool,
            lines: bool,
            as_is: bool,
            redacted: bool = False,
            **others: Any,
        ) -> int:
            if whole and lines:
                raise UsageError("--whole and --lines exclude each other", next_step="give one")
            footing = Footing.WHOLE if whole else Footing.LINES if lines else None
            options = CandidateOptions(container, footing, redacted, as_is)
            return command(*arguments, reading=options, **others)

        decorators = [*_OPTIONS, _REDACT] if redacting else _OPTIONS
        for decorator in reversed(decorators):
            wrapped = decorator(wrapped)
        return wrapped

    return decorate
