"""The forms in which commands print their results, and the options that choose one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from harness.cli.grouped_help import OptionGroup, grouped_option

TEXT, JSON, MARKDOWN = "text", "json", "markdown"
_json_flag = grouped_option(
    OptionGroup.OUTPUT, "--json", "as_json", is_flag=True, help="Short for --format json."
)


def format_option(
    text: str, forms: Sequence[str] = (TEXT, JSON, MARKDOWN)
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--format, as ``form``; ``text`` is its help, ``forms`` its choices, the default first."""
    return grouped_option(
        OptionGroup.OUTPUT,
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help=text,
    )


def json_options(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--format with text and JSON, as ``form``, and --json, which is short for --format json.

    ``text`` is the help of --format.
    """

    def add_options(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def call_with_form(*args: Any, form: str, as_json: bool, **options: Any) -> Any:
            return command(*args, form=JSON if as_json else form, **options)

        return format_option(text, (TEXT, JSON))(_json_flag(call_with_form))

    return add_options
