"""Text of others made safe to print: from servers, clients, files, images and command lines.

A terminal obeys control characters, and a reader sees text in another order where it has
bidirectional controls (Unicode Technical Report 36, "Trojan Source"). Every text output goes
through :func:`escape_controls`, JSON that is printed through :func:`escape_in_json`.
"""

from __future__ import annotations

import re

#: C0 and C1 control characters but tab and line feed (a log line may carry a terminal's escapes),
#: and bytes that were not UTF-8, which Python reads as lone surrogates.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
#: Characters that change the order of text, end a line for some programs, or are not to be seen:
#: Bidi_Control of Unicode, the line and paragraph separators, zero width, tags.
_INVISIBLE = (
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[{_CONTROLS}{_INVISIBLE}]")
_PAIR_BASE = 0x10000


def escape_controls(text: str) -> str:
    """Control characters as ``\\x1b``, and what hides or turns text as ``\\u202e``.

    What is escaped once stays as it is.
    """
    return _UNSAFE.sub(_escape_character, text)


def escape_in_json(document: str) -> str:
    """A JSON document with the same values, in which these characters are JSON's own escapes."""
    return _UNSAFE.sub(_escape_as_json, document)


def is_safe(text: str) -> bool:
    """Whether :func:`escape_controls` would leave a text as it is."""
    return _UNSAFE.search(text) is None


def _escape_character(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x100 or 0xD800 <= number <= 0xDFFF:
        return f"\\x{number & 0xFF:02x}"
    return f"\\u{number:04x}" if number < _PAIR_BASE else f"\\U{number:08x}"


def _escape_as_json(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < _PAIR_BASE:
        return f"\\u{number:04x}"
    rest = number - _PAIR_BASE
    return f"\\u{0xD800 + (rest >> 10):04x}\\u{0xDC00 + (rest & 0x3FF):04x}"
