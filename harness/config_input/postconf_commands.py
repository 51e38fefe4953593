"""Pasted commands of postconf(1): what they set, and what their output is.

``postconf -e 'a = b'`` sets; ``postconf -n`` prints, and the lines below it are its output. The
text that the shell would substitute for ``$(...)`` is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from harness.config_input.text import (
    is_prompt,
    without_prompt,
)


class EditKind(StrEnum):
    """What a command does to a configuration (postconf(1): -e, -X and -#, with -M, -P and -F)."""

    SET = "set"
    REMOVE = "remove"
    SET_ENTRY = "set-entry"
    REMOVE_ENTRY = "remove-entry"
    SET_OPTION = "set-option"
    REMOVE_OPTION = "remove-option"
    SET_FIELD = "set-field"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change. ``target`` is a parameter, ``service/type`` or ``service/type/parameter``."""

    kind: EditKind
    target: str
    value: str = ""
    line: int = 0


class PostconfOutput(StrEnum):
    """What a command prints, and hence what the lines below it are."""

    MAIN_CF = "main.cf"
    MASTER_CF = "master.cf"
    OPTIONS = "options of master.cf"
    DEFAULTS = "defaults"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line. ``output``: what it prints, None where it changes something.

    ``whole``: it prints its whole file. ``unknown``: settings whose value only the shell knows.
    """

    edits: tuple[Edit, ...] = ()
    output: PostconfOutput | None = None
    whole: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class _Word:
    """A word of a shell command; ``substituted``: the shell would substitute part of it."""

    text: str
    substituted: bool = False


@dataclass(slots=True)
class _PostconfArguments:
    """The option letters and the operands of a postconf command."""

    letters: set[str] = field(default_factory=set)
    operands: list[_Word] = field(default_factory=list)


_READERS = frozenset({"cat", "less", "more", "bat"})
_FILTERS = frozenset(["grep", "egrep", "fgrep", "zgrep", "sed", "awk", "head", "tail"])
_WITH_ARGUMENT = frozenset("cCoT")
_LETTERS = frozenset("aAbcCdeEfFhHlmMnopPqtTvxX#")
_POSTCONF = re.compile(
    r"(?:(?:sudo|doas|RUN|env|exec|command|docker|docker-compose|podman|kubectl|ssh|su|time|nice)"
    r"[ \t][^\n|;&]{0,300}?)?(?:/[\w/.-]{0,100}/)?postconf(?:[ \t]|$)"
)
#: What can be set: a parameter, or service/type with an optional third part.
_TARGET = re.compile(r"[\w.:*\[\]-]+(?:/[\w*-]+(?:/[\w.-]+)?)?", re.ASCII)
_HERE_DOCUMENT = re.compile(r"<<-?[ \t]*['\"\\\\]?([A-Za-z_]\w*)")
_WRITER = re.compile(r"(?:sudo[ ]+(?:-\w+[ ]+)*)?(?:cat|tee)\b")
_OPERATORS = frozenset(";|&")
#: Postfix's parameters are in lower case: a name in capitals is a variable of the script.
_SHELL_VARIABLE = re.compile(r"\$(?:\(|\{?[A-Z][A-Z0-9_]*\b|\{?[0-9@])")


def is_command(line: str, *, prompts: str) -> bool:
    """Whether a line is a command line: it has a prompt, or it runs postconf.

    ``prompts`` are the characters that count as a prompt on their own: ``# postconf -n`` is a
    comment in a file and in a script, and a command of root in a pasted text.
    """
    if is_prompt(line):
        return True
    if line[:1] in ("#", "$", "%"):
        known = line[:1] in prompts and line[1:2] == " "
        return known and (
            line[0] != "#" or (line[2:3] != " " and _looks_like_command(line[2:].strip()))
        )
    return _looks_like_command(line.strip().strip("`"))


def prompts_of(lines: Iterable[str]) -> str:
    """The characters that count as a prompt in a pasted text; not "#" if commands stand bare."""
    for line in lines:
        if line.startswith("#!") or (
            line[:1] not in ("#", "$", "%") and _looks_like_command(line.strip())
        ):
            return "$%"
    return "#$%"


def here_document(line: str) -> tuple[str, bool] | None:
    """The end mark of a ``cat >FILE <<EOF``, and whether FILE is main.cf or master.cf."""
    match = _HERE_DOCUMENT.search(line) if "<<" in line else None
    if match is None or not _WRITER.match(line.strip().removeprefix("# ").removeprefix("$ ")):
        return None
    return match[1], "main.cf" in line or "master.cf" in line


def _looks_like_command(text: str) -> bool:
    """Whether it is postconf with an option, a name=value, or nothing, rather than a sentence."""
    if not (match := _POSTCONF.match(text)):
        return text.split(" ", 1)[0] in _READERS and "/postfix/" in text and "<<" not in text
    rest = text[match.end() :].strip()
    return not rest or rest.startswith(("-", "|", "'", '"', ">")) or "=" in rest.split(" ", 1)[0]


def read_command(text: str, line: int) -> Command:
    """What a command line does; ``text`` has its continuation lines, ``line`` is where it begins.

    Several commands on one line (``a && b``) are read one after the other.
    """
    edits: list[Edit] = []
    unknown: list[str] = []
    output: PostconfOutput | None = None
    whole = False
    for shell_words, piped in _split_commands(without_prompt(text).strip("`").rstrip(":")):
        names = [PurePosixPath(word.text).name for word in shell_words]
        if "postconf" in names:
            at = names.index("postconf")
            command = _read_postconf(_parse_options(shell_words[at + 1 :]), line, piped=piped)
        else:
            command = _read_other_command(names, [word.text for word in shell_words], piped=piped)
        edits += command.edits
        unknown += command.unknown
        output, whole = command.output or output, command.whole or whole
    return Command(
        tuple(edits), None if edits else output or PostconfOutput.OTHER, whole, tuple(unknown)
    )


def _read_other_command(names: list[str], arguments: list[str], *, piped: bool) -> Command:
    """Read a command that is not postconf: it prints main.cf or master.cf, or is of no interest."""
    reads = any(name in _READERS | _FILTERS for name in names[:2])
    for file, output in (
        ("main.cf", PostconfOutput.MAIN_CF),
        ("master.cf", PostconfOutput.MASTER_CF),
    ):
        if reads and any(word.endswith(file) for word in arguments):
            whole = names[0] in _READERS - _FILTERS or names[1:2] == ["cat"]
            return Command(output=output, whole=whole and not piped)
    return Command(output=PostconfOutput.OTHER)


def _read_postconf(options: _PostconfArguments, line: int, *, piped: bool) -> Command:
    letters = options.letters
    values = [word for word in options.operands if "=" in word.text]
    if letters & {"X", "#"} and not letters & {"e"}:
        kind = EditKind.REMOVE
        if "M" in letters:
            kind = EditKind.REMOVE_ENTRY
        elif "P" in letters:
            kind = EditKind.REMOVE_OPTION
        return Command(tuple(Edit(kind, word.text.strip(), "", line) for word in options.operands))
    if values or "e" in letters:
        return _read_settings(letters, values, line)
    whole = not options.operands and not piped
    if "M" in letters:
        # Its entries show whether that is a whole master.cf.
        return Command(output=PostconfOutput.MASTER_CF)
    if letters & {"P", "F"}:
        return Command(output=PostconfOutput.OPTIONS)
    if letters & {"d"}:
        return Command(output=PostconfOutput.DEFAULTS)
    if letters & {"m", "a", "A", "l", "T", "t", "b", "h", "H"}:
        return Command(output=PostconfOutput.OTHER)
    return Command(output=PostconfOutput.MAIN_CF, whole=whole and bool(letters & {"n"}))


def _read_settings(letters: set[str], values: list[_Word], line: int) -> Command:
    kind = EditKind.SET
    for letter, other in (
        ("M", EditKind.SET_ENTRY),
        ("P", EditKind.SET_OPTION),
        ("F", EditKind.SET_FIELD),
    ):
        kind = other if letter in letters else kind
    edits: list[Edit] = []
    unknown: list[str] = []
    for word in values:
        name, _, value = word.text.partition("=")
        if word.substituted:
            unknown.append(name.strip() or "a setting")
        elif not _TARGET.fullmatch(name.strip()):
            unknown.append(repr(name.strip()[:40]))
        else:
            edits.append(Edit(kind, name.strip(), " ".join(value.split("\n")).strip(), line))
    return Command(tuple(edits), None if edits else PostconfOutput.OTHER, unknown=tuple(unknown))


def _parse_options(arguments: list[_Word]) -> _PostconfArguments:
    """Parse postconf's arguments: letters may be combined (-nf), and some take an argument."""
    options = _PostconfArguments()
    remaining = iter(arguments)
    for word in remaining:
        letters = word.text[1:]
        if word.text.startswith("-") and letters and set(letters) <= _LETTERS:
            options.letters |= set(letters)
            if letters[-1] in _WITH_ARGUMENT:
                next(remaining, None)
        elif word.text in ("|", ">", ">>"):
            break
        else:
            options.operands.append(word)
    return options


def _split_commands(text: str) -> Iterator[tuple[list[_Word], bool]]:
    """The simple commands of a line as words, and whether each goes through a pipe."""
    command: list[_Word] = []
    for word in [*_split_shell_words(text), None]:
        if word is None or word.text in (";", "&&", "||", "|", "&"):
            if command:
                yield command, word is not None and word.text == "|"
            command = []
        else:
            command.append(word)


def _split_shell_words(text: str) -> Iterator[_Word]:
    """Words and operators, split as by a POSIX shell (Shell Command Language, 2.2 and 2.3)."""
    position, end = 0, len(text)
    while position < end:
        char = text[position]
        if char in " \t\n":
            position += 1
        elif char == "#":
            return
        elif char in _OPERATORS:
            stop = position + 1
            while stop < end and text[stop] == char:
                stop += 1
            yield _Word(text[position:stop])
            position = stop
        else:
            word, position = _read_shell_word(text, position)
            yield word


def _read_shell_word(text: str, position: int) -> tuple[_Word, int]:
    """The word that begins at ``position``, and where it ends."""
    parts: list[str] = []
    word = _Word("")
    quote = ""
    while position < len(text):
        char = text[position]
        if quote == "'":
            quote = "" if char == "'" else quote
            parts += [] if char == "'" else [char]
        elif char == "\\" and position + 1 < len(text):
            position += 1
            following = text[position]
            keeps = quote and following not in '$`"\\\n'
            parts += ["\\", following] if keeps else [] if following == "\n" else [following]
        elif char == quote or (not quote and char in "'\""):
            quote = "" if quote else char
        elif not quote and (char in " \t\n" or char in _OPERATORS):
            break
        else:
            word.substituted |= char == "`" or bool(_SHELL_VARIABLE.match(text, position))
            parts.append(char)
        position += 1
    word.text = "".join(parts)
    return word, position


def open_quote(text: str, quote: str = "") -> str:
    """The quote that is open after the text, "" for none; a final backslash counts as one.

    ``quote`` is the one that was open before the text.
    """
    position, end = 0, len(text)
    while position < end:
        char = text[position]
        if char == "\\" and quote != "'":
            position += 1
            if position == end:
                return quote or "\\"
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        position += 1
    return quote
