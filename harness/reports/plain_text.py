"""Text from servers and clients made safe for a terminal or a Markdown table."""

from __future__ import annotations

import re

#: C0 and C1 control characters but tab and line feed (a log line may carry a terminal's escapes),
#: and bytes that were not UTF-8, which Python reads as lone surrogates.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~])")


def escape_controls(text: str) -> str:
    """Control characters as ``\\x1b``, so that no log line can control the reader's terminal."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", text)


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
