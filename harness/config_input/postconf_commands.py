"""Commands of postconf(1) as people paste them: what they set, and what their output is. Pure.

``postconf -e 'a = b'`` sets; ``postconf -n`` prints, and what stands below it is its output. What
the shell would put in place of ``$(...)`` is not known here.
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
    """What a command prints: what the lines below it are."""

    MAIN_CF = "main.cf"
    MASTER_CF = "master.cf"
    OPTIONS = "options of master.cf"
    DEFAULTS = "defaults"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line. ``output``: what it prints, None where it changes something.

    ``whole``: it prints all of its file. ``unknown``: settings whose value only the shell knows.
    """

    edits: tuple[Edit, ...] = ()
    output: PostconfOutput | None = None
    whole: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class _Word:
    """A word of the shell's; ``substituted``: the shell puts something in place of a part."""

    text: str
    substituted: bool = False


@dataclass(slots=True)
class _Options:
    """The letters that postconf was given, and its other words."""

    letters: set[str] = field(default_factory=set)
    words: list[_Word] = field(default_factory=list)


_READERS = frozenset({"cat", "less", "more", "bat"})
_FILTERS = frozenset(["grep", "egrep", "fgrep", "zgrep", "sed", "awk", "head", "tail"])
_WITH_ARGUMENT = frozenset("cCoT")
_LETTERS = frozenset("aAbcCdeEfFhHlmMnopPqtTvxX#")
_POSTCONF = re.compile(
    r"(?:(?:sudo|doas|RUN|env|exec|command|docker|docker-compose|podman|kubectl|ssh|su|time|nice)"
    r"[ \t][^\n|;&]{0,300}?)?(?:/[\w/.-]{0,100}/)?postconf(?:[ \t]|$)"
)
#: What can be set: a parameter's name, or service/type and perhaps a third part.
_TARGET = re.compile(r"[\w.:*\[\]-]+(?:/[\w*-]+(?:/[\w.-]+)?)?", re.ASCII)
_HERE_DOCUMENT = re.compile(r"<<-?[ \t]*['\"\\\\]?([A-Za-z_]\w*)")
_WRITER = re.compile(r"(?:sudo[ ]+(?:-\w+[ ]+)*)?(?:cat|tee)\b")
_OPERATORS = frozenset(";|&")
#: Postfix's parameters are written small: what is in capitals is a variable of the script's.
_SHELLS_OWN = re.compile(r"\$(?:\(|\{?[A-Z][A-Z0-9_]*\b|\{?[0-9@])")


def is_command(line: str, *, prompts: str) -> bool:
    """Whether a line is a command line: with a prompt, or one of postconf's.

    ``prompts`` are the characters that alone are a prompt here: ``# postconf -n`` is a comment in a
    file and in a script, and a command of root's in a pasted text.
    """
    if is_prompt(line):
        return True
    if line[:1] in ("#", "$", "%"):
        known = line[:1] in prompts and line[1:2] == " "
        return known and (line[0] != "#" or (line[2:3] != " " and _plausible(line[2:].strip())))
    return _plausible(line.strip().strip("`"))


def prompts_of(lines: Iterable[str]) -> str:
    """The characters that alone are a prompt in a pasted text: no "#" where commands have none."""
    for line in lines:
        if line.startswith("#!") or (line[:1] not in ("#", "$", "%") and _plausible(line.strip())):
            return "$%"
    return "#$%"


def here_document(line: str) -> tuple[str, bool] | None:
    """What ends the lines that ``cat >FILE <<EOF`` writes, and whether FILE is one of Postfix's."""
    match = _HERE_DOCUMENT.search(line) if "<<" in line else None
    if match is None or not _WRITER.match(line.strip().removeprefix("# ").removeprefix("$ ")):
        return None
    return match[1], "main.cf" in line or "master.cf" in line


def _plausible(text: str) -> bool:
    """Whether it is postconf with an option, with name=value, or with nothing; no sentence."""
    if not (match := _POSTCONF.match(text)):
        return text.split(" ", 1)[0] in _READERS and "/postfix/" in text and "<<" not in text
    rest = text[match.end() :].strip()
    return not rest or rest.startswith(("-", "|", "'", '"', ">")) or "=" in rest.split(" ", 1)[0]


def read_command(text: str, line: int) -> Command:
    """What a command line does; ``text`` has its continuation lines, ``line`` is where it begins.

    A line of several commands (``a && b``) is read as one after the other.
    """
    edits: list[Edit] = []
    unknown: list[str] = []
    output: PostconfOutput | None = None
    whole = False
    for words, piped in _commands(without_prompt(text).strip("`").rstrip(":")):
        names = [PurePosixPath(word.text).name for word in words]
        if "postconf" in names:
            at = names.index("postconf")
            found = _postconf(_options(words[at + 1 :]), line, piped=piped)
        else:
            found = _other(names, [word.text for word in words], piped=piped)
        edits += found.edits
        unknown += found.unknown
        output, whole = found.output or output, found.whole or whole
    return Command(
        tuple(edits), None if edits else output or PostconfOutput.OTHER, whole, tuple(unknown)
    )


def _other(names: list[str], words: list[str], *, piped: bool) -> Command:
    """A command that is not postconf: one that prints a file of Postfix's, or any other."""
    reads = any(name in _READERS | _FILTERS for name in names[:2])
    for file, output in (
        ("main.cf", PostconfOutput.MAIN_CF),
        ("master.cf", PostconfOutput.MASTER_CF),
    ):
        if reads and any(word.endswith(file) for word in words):
            whole = names[0] in _READERS - _FILTERS or names[1:2] == ["cat"]
            return Command(output=output, whole=whole and not piped)
    return Command(output=PostconfOutput.OTHER)


def _postconf(options: _Options, line: int, *, piped: bool) -> Command:
    letters = options.letters
    values = [word for word in options.words if "=" in word.text]
    if letters & {"X", "#"} and not letters & {"e"}:
        kind = EditKind.REMOVE
        if "M" in letters:
            kind = EditKind.REMOVE_ENTRY
        elif "P" in letters:
            kind = EditKind.REMOVE_OPTION
        return Command(tuple(Edit(kind, word.text.strip(), "", line) for word in options.words))
    if values or "e" in letters:
        return _setting(letters, values, line)
    whole = not options.words and not piped
    if "M" in letters:
        # Whether that is a whole master.cf, its entries tell.
        return Command(output=PostconfOutput.MASTER_CF)
    if letters & {"P", "F"}:
        return Command(output=PostconfOutput.OPTIONS)
    if letters & {"d"}:
        return Command(output=PostconfOutput.DEFAULTS)
    if letters & {"m", "a", "A", "l", "T", "t", "b", "h", "H"}:
        return Command(output=PostconfOutput.OTHER)
    return Command(output=PostconfOutput.MAIN_CF, whole=whole and bool(letters & {"n"}))


def _setting(letters: set[str], values: list[_Word], line: int) -> Command:
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


def _options(words: list[_Word]) -> _Options:
    """postconf's words: letters may be joined (-nf), and some take the next word."""
    found = _Options()
    remaining = iter(words)
    for word in remaining:
        letters = word.text[1:]
        if word.text.startswith("-") and letters and set(letters) <= _LETTERS:
            found.letters |= set(letters)
            if letters[-1] in _WITH_ARGUMENT:
                next(remaining, None)
        elif word.text in ("|", ">", ">>"):
            break
        else:
            found.words.append(word)
    return found


def _commands(text: str) -> Iterator[tuple[list[_Word], bool]]:
    """The simple commands of a line as words, and whether each goes through a pipe."""
    words: list[_Word] = []
    for word in [*_shell_words(text), None]:
        if word is None or word.text in (";", "&&", "||", "|", "&"):
            if words:
                yield words, word is not None and word.text == "|"
            words = []
        else:
            words.append(word)


def _shell_words(text: str) -> Iterator[_Word]:
    """Words as a POSIX shell cuts them (Shell Command Language, 2.2 and 2.3), operators too."""
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
            word, position = _shell_word(text, position)
            yield word


def _shell_word(text: str, position: int) -> tuple[_Word, int]:
    """One word from ``position`` on, and where it ends."""
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
            word.substituted |= char == "`" or bool(_SHELLS_OWN.match(text, position))
            parts.append(char)
        position += 1
    word.text = "".join(parts)
    return word, position


def open_quote(text: str, quote: str = "") -> str:
    """The quote that is still open after the text, "" for none; a backslash at the end counts.

    ``quote`` is what was open before it.
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
