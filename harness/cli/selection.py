"""Options that select along the axes of a run (``run.choosing`` reads them)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from harness.catalog.aliases import describe_stand_ins, find_software
from harness.catalog.selectors import split_globs
from harness.cli.argument_checks import InputFolder
from harness.cli.completion import COMPLETE_AXIS
from harness.cli.grouped_help import OptionGroup, grouped_option
from harness.cli.printing import print_text

_AXES = (
    ("--builds", "-b", "Only these builds, such as 'debian-*' or postfix-3.7.11+openssl-1.1.1w."),
    ("--scenarios", "-s", "Only these scenarios, such as defaults or 'answer-*'."),
    ("--services", "-S", "Only these services: smtp, submission or submissions."),
    ("--clients", "-c", "Only these clients, such as openssl-1.0.2h or 'nodemailer-*'."),
    (
        "--offers",
        "-o",
        "Have the clients make only these offers: a TLS version such as TLSv1.2, a range such as "
        "TLSv1..TLSv1.2, either with +ciphers=NAME:NAME or +groups=NAME:NAME, 'default' (the "
        "client's own settings), or 'plaintext' (without TLS).",
    ),
)


def axis_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the five options to a command; each takes globs with commas, ``!glob`` excludes."""
    return _with_axes(command, _AXES)


def narrowing_options(
    command: Callable[..., Any], *, short_offers: bool = True
) -> Callable[..., Any]:
    """The same without --scenarios, for a command that is given its scenario in another way.

    ``short_offers`` is False for a command whose -o names a file.
    """
    axes = [axis for axis in _AXES if axis[0] != "--scenarios"]
    if not short_offers:
        axes = [axis if axis[0] != "--offers" else (axis[0], "", axis[2]) for axis in axes]
    return _with_axes(command, tuple(axes))


def _replace_aliases(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """The globs of -c, where a name that people search for is given as the clients for it.

    What stands for what is printed on standard error: it is other software.
    """
    globs: list[str] = []
    for glob in split_globs(values):
        software = find_software(glob)
        if software is None:
            globs.append(glob)
        else:
            print_text(describe_stand_ins(glob, software), err=True)
            globs += software.stand_ins
    return tuple(globs)


def _with_axes(
    command: Callable[..., Any], axes: tuple[tuple[str, str, str], ...]
) -> Callable[..., Any]:
    for name, short, text in reversed(axes):
        names = (name, short) if short else (name,)
        option = grouped_option(
            OptionGroup.SELECTION,
            *names,
            multiple=True,
            metavar="GLOBS",
            help=text,
            shell_complete=COMPLETE_AXIS[name],
            callback=_replace_aliases if name == "--clients" else None,
        )
        command = option(command)
    return grouped_option(
        OptionGroup.SOURCES,
        "--scenarios-dir",
        type=InputFolder(),
        help="Your own folder of scenarios, instead of those that come with the tool.",
    )(command)
