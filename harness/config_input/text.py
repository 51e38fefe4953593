"""The text of a configuration from the bytes that were given, with notes of what was changed.

A configuration comes from disks, mail, web pages and terminals: with a byte order mark, in UTF-16
or Latin-1, with ``> `` before each line, between Markdown fences. Each change here is noted.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import FileError, FileLocation

#: The path of standard input.
STDIN = Path("-")
#: The names of Postfix's two files: such a name determines what the file holds.
MAIN_CF, MASTER_CF = "main.cf", "master.cf"
#: A larger file is not a configuration. Postfix's largest, main.cf.proto, has 29 KiB.
MOST_BYTES = 4 << 20

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_FENCE = re.compile(r"[ \t]{0,3}(?:`{3,}|~{3,})[ \t]*[\w.+-]*[ \t]*")
#: A line that consists of code, which may be an item of a list.
_CODE = re.compile(r"[ \t]{0,8}(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?`([^`\n]+)`[.,:;]?[ \t]*")
#: Not the ">=" that begins a continued value: smtpd_tls_protocols of Postfix 3.6 and later.
_QUOTE = re.compile(r"[ \t]?>(?!=)[ \t]?")
_MOST_QUOTES = 20
#: ``root@mail:~# ``, ``[root@mail ~]# ``; or another prompt before a command that is known here.
_PROMPT = re.compile(
    r"(?:\([\w.-]{1,40}\)[ ])?\[?[\w.-]{1,80}@[\w.-]{1,80}[^#$%>=\n]{0,200}[#$%>](?:[ \t]|$)"
    r"|(?![#>\s])(?:[^\s=]{0,60}[ ]?[^\s=]{0,60}[ ]?[#$%>]|[➜❯λ](?:[ ]+[^\s=]{1,60})?)[ ]+"
    r"(?=(?:sudo[ ]|/usr/sbin/|/sbin/)?(?:postconf|cat|grep)(?:[ ]|$))"
)
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u202f\u2000\u2001\u2002\u2003\u2009", " "))
_INVISIBLE = str.maketrans(dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None))


@dataclass(frozen=True, slots=True)
class GivenText:
    """One text as it was given.

    ``pasted``: it comes from mail, a web page or a terminal, so it may contain more than the
    configuration; else it is a file, and Postfix reads each of its lines.
    ``notes`` state what was changed; ``fences`` are the numbers of the lines that were fences.
    """

    path: Path
    text: str
    pasted: bool
    notes: tuple[str, ...] = ()
    fences: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """Its name in messages."""
        return "standard input" if self.path == STDIN else self.path.name


def decode_text(data: bytes, path: Path) -> tuple[str, tuple[str, ...]]:
    """The text in some bytes, and notes of what was changed in order to read them.

    Raises:
        FileError: it is not text (it has a NUL), or it is too large for a configuration.
    """
    name = "standard input" if path == STDIN else path.name
    if len(data) > MOST_BYTES:
        what = f"has more than {MOST_BYTES >> 20} MiB"
        raise FileError(FileLocation(path), what, expected="a configuration")
    notes: list[str] = []
    for mark, encoding, title in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, errors="replace")
            notes.append(f"{name}: its byte order mark ({title}) was left out")
            break
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            text = data.decode("latin-1")
            notes.append(f"{name} line {line}: is not UTF-8, so the text was read as Latin-1")
    if "\0" in text:
        place = FileLocation(path, text.count("\n", 0, text.index("\0")) + 1)
        raise FileError(place, "there is a NUL in the text", expected="plain text")
    return text, tuple(notes)


def clean_text(text: str, path: Path, command_signs: Iterable[str] = ()) -> GivenText:
    """A text without what mail programs, web pages and terminals add to it.

    Args:
        text: as decoded.
        path: where it comes from; :data:`STDIN` for standard input.
        command_signs: lines of the text that are terminal commands (``postconf -n``): a text that
            has one was pasted.
    """
    is_postfix_file = path.name in (MAIN_CF, MASTER_CF)
    name = "standard input" if path == STDIN else path.name
    notes: list[str] = []
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\n" not in text:
            text = text.replace("\r", "\n")
        notes.append(f"{name}: its line ends were Windows' or old Macs'")
    lines = text.split("\n")
    pasted = (
        path == STDIN
        or bool(list(command_signs))
        or _has_signs(lines, is_postfix_file=is_postfix_file)
    )
    if not pasted:
        return GivenText(path, text, pasted=False, notes=tuple(notes))
    lines, more = _remove_quotes(lines, name)
    notes += more
    spaced = [line.translate(_SPACES).translate(_INVISIBLE) for line in lines]
    if changed := [number for number, pair in enumerate(zip(lines, spaced, strict=True), 1)
                   if pair[0] != pair[1]]:  # fmt: skip
        notes.append(f"{name} {_format_line_numbers(changed)}: special spaces were read as spaces")
    fences = frozenset(n for n, line in enumerate(spaced, 1) if _FENCE.fullmatch(line))
    if fences:
        notes.append(
            f"{name} {_format_line_numbers(sorted(fences))}: Markdown's fences were left out"
        )
    kept = ["" if n in fences else _remove_backticks(line) for n, line in enumerate(spaced, 1)]
    return GivenText(path, "\n".join(kept), pasted=True, notes=tuple(notes), fences=fences)


def is_prompt(line: str) -> bool:
    """Whether a line begins with a shell's prompt that names a user and a host."""
    return _PROMPT.match(line) is not None


def without_prompt(line: str) -> str:
    """The command after ``root@mail:~# ``, ``[root@mail ~]# ``, ``$ `` or ``# ``."""
    if match := _PROMPT.match(line):
        return line[match.end() :].strip()
    return line.removeprefix("$ ").removeprefix("# ").removeprefix("% ").strip()


def _remove_backticks(line: str) -> str:
    match = _CODE.fullmatch(line)
    return match[1] if match else line


def _has_signs(lines: list[str], *, is_postfix_file: bool) -> bool:
    """Whether a file was evidently pasted: it has fences, a prompt, or ``>`` before every line."""
    filled = [line for line in lines if line.strip()]
    if filled and all(_QUOTE.match(line) for line in filled):
        return True
    if any(_PROMPT.match(line) for line in filled):
        return True
    return any(_FENCE.fullmatch(line) for line in (filled[:1] if is_postfix_file else filled))


def _remove_quotes(lines: list[str], name: str) -> tuple[list[str], list[str]]:
    """The lines without ``> `` before them: no line of a Postfix file begins so."""
    bare: list[str] = []
    changed: list[int] = []
    for number, line in enumerate(lines, 1):
        rest = line
        for _ in range(_MOST_QUOTES):
            if not (match := _QUOTE.match(rest)):
                break
            rest = rest[match.end() :]
        if rest != line:
            changed.append(number)
        bare.append(rest)
    if not changed:
        return lines, []
    return bare, [f'{name} {_format_line_numbers(changed)}: "> " before the lines was left out']


def _format_line_numbers(numbers: list[int]) -> str:
    """``line 3``, ``lines 3 and 7``, or ``lines 3 to 40`` where there are many."""
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    if len(numbers) == 2:
        return f"lines {numbers[0]} and {numbers[1]}"
    return f"lines {numbers[0]} to {numbers[-1]} ({len(numbers)} of them)"
