"""Text of others made safe for Markdown; ``harness/plain_text.py`` makes it so for terminals."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

from harness.plain_text import escape_controls, is_safe

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~])")


def fence_code(text: str, indent: str = "") -> str:
    """Lines as a block of code in Markdown, with a fence that none of the lines can close."""
    lines = escape_controls(text).splitlines()
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(f"{indent}{line}".rstrip() for line in (fence, *lines, fence))


def escape_markdown(text: str) -> str:
    """Text that looks unchanged inside a table of GitHub's Markdown, on one line."""
    one_line = " ".join(escape_controls(text).split())
    return _MARKDOWN.sub(r"\\\1", one_line).replace("\\<", "&lt;").replace("\\>", "&gt;")


def escape_value(value: Any) -> Any:
    """What a template prints, without control characters; HTML stays HTML."""
    if not isinstance(value, str) or is_safe(value):
        return value
    escaped = escape_controls(str(value))
    return Markup(escaped) if isinstance(value, Markup) else escaped
