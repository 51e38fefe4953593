"""The options of ``verify``, ``explain`` and ``scan`` that say how a configuration is read.

Apart from candidate.py, so that the scan of a server that runs already does not load that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from harness.config_input.forms import Footing
from harness.errors import UsageError


@dataclass(frozen=True, slots=True)
class CandidateOptions:
    """How a candidate is read. ``container``: the name of one that it is taken out of."""

    container: str | None = None
    footing: Footing | None = None
    redacted: bool = False
    as_is: bool = False


def candidate_options(*, redacting: bool) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The options --container, --whole and --lines, and --redact where something is written.

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

        decorators = [
            click.option(
                "--container",
                metavar="NAME",
                help="Take the configuration out of a running container, and the files it names.",
            ),
            click.option(
                "--whole", is_flag=True, help="It is all of a configuration: nothing is added."
            ),
            click.option("--lines", is_flag=True, help="It is lines that go into a configuration."),
            click.option(
                "--as-is",
                is_flag=True,
                help="Put no stand-in in the place of tables, daemons and other systems.",
            ),
        ]
        if redacting:
            decorators.append(
                click.option(
                    "--redact",
                    "redacted",
                    is_flag=True,
                    help="Replace host names, domains and addresses before anything is written.",
                )
            )
        for decorator in reversed(decorators):
            wrapped = decorator(wrapped)
        return wrapped

    return decorate
