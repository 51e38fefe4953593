"""What a command prints: the only place that writes text to the outputs, and makes it harmless.

rich has its own console for tables (``output.py``), which makes text harmless in the same way.
"""

from __future__ import annotations

import json
import re
from typing import Any

import click

from harness.plain_text import escape_controls, escape_in_json

_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")


def print_text(
    text: object = "", *, err: bool = False, nl: bool = True, bold: bool = False
) -> None:
    """Print text on standard output, or on standard error with ``err``; ``nl`` ends the line."""
    harmless = escape_controls(str(text))
    click.echo(click.style(harmless, bold=True) if bold else harmless, err=err, nl=nl)


def print_styled(line: str) -> None:
    """Print a line with a terminal's styles; what others wrote in it must be escaped before.

    Whatever is no style (SGR, ECMA-48) is made harmless here too.
    """
    parts = _STYLE.split(line)
    click.echo("".join(part if _STYLE.fullmatch(part) else escape_controls(part) for part in parts))


def print_json(document: Any, *, indent: int = 1) -> None:
    """Print a JSON document on standard output, with control characters as JSON's escapes."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    click.echo(escape_in_json(text))
