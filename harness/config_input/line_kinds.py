"""The kind of each line of a text: of main.cf, of master.cf, an option, a command, or none.

The line itself shows its kind: ``name = value`` belongs to main.cf; a name and a type such as
``inet`` begin an entry of master.cf; ``-o name=value`` is an option of the entry before it. In a
file named main.cf or master.cf the file name decides, as it does for Postfix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from harness.config_input.postconf_commands import (
    Command,
    Edit,
    EditKind,
    PostconfOutput,
    here_document,
    is_command,
    open_quote,
    prompts_of,
    read_command,
)
from harness.config_input.text import (
    MAIN_CF,
    MASTER_CF,
    STDIN,
    GivenText,
)
from harness.postfix_config.logical_lines import (
    WHITESPACE,
    is_skipped,
)


class PartKind(StrEnum):
    """What a logical line is. ``stray``: it belongs to no file of Postfix."""

    MAIN = "main"
    MASTER = "master"
    OPTION = "option"
    EDIT = "edit"
    STRAY = "stray"


@dataclass(frozen=True, slots=True)
class Part:
    """A logical line as it is passed on; ``line`` is where it begins, from 1.

    ``edit`` is the change that a command, or a line of ``postconf -P``, makes. ``inside``: a stray
    line between two lines of a configuration, with no blank line before or after it.
    """

    kind: PartKind
    text: str
    line: int
    edit: Edit | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True)
class ReadText:
    """The parts of one text. ``whole``: a command in it shows that the configuration is whole."""

    given: GivenText
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    whole: bool = False


_ENTRY = re.compile(r"[^\s=]+[ \t]+(?:inet|unix|fifo|pass|unix-dgram)[ \t]")
_OPTION = re.compile(r"-o[ \t]*\S")
_SETTING = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*[ \t]*=")
#: split_nameval(3) accepts any name.
_ANY_SETTING = re.compile(r"[^\s=]+[ \t]*=")
_OPTION_OF = re.compile(
    r"(?P<target>[^\s/=]+/(?:inet|unix|fifo|pass|unix-dgram)/[\w.-]+)[ \t]*=(?P<value>.*)",
    re.DOTALL,
)
#: The fields of an entry, as postconf -F calls them.
_FIELDS = frozenset(
    ["service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"]
)
_POSTCONF_SAYS = re.compile(r"(?:\S*/)?postconf: ")
#: The detached end of a value rather than a sentence: a list, a path, or a single word.
_END_OF_VALUE = re.compile(r"(?=.*[A-Za-z])(?:\S+|[^.?!:]*(?:,|[a-z]_[a-z]|/)\S?.*)", re.DOTALL)
_MOST_COMMAND_LINES = 20


def read_lines(given: GivenText) -> ReadText:
    """Split a text into logical lines and determine the kind of each."""
    return _LineReader(given).read()


def is_signed(text: str, name: str) -> list[str]:
    """The lines of a file that are terminal commands; if there are any, the file was pasted.

    Not in main.cf and master.cf, where ``# postconf -e ...`` is a comment and Postfix reads every
    other line.
    """
    if name in (MAIN_CF, MASTER_CF):
        return []
    filled = [line for line in text.split("\n") if line.strip()]
    first = [line for line in filled[:1] if is_command(line, prompts="#$%")]
    return first + [line for line in filled if is_command(line, prompts="")]


class _LineReader:
    """Reads the lines once, and keeps the current logical line as its state."""

    def __init__(self, given: GivenText) -> None:
        self._given = given
        self._kind_of_file = {MAIN_CF: PartKind.MAIN, MASTER_CF: PartKind.MASTER}.get(
            given.path.name
        )
        if given.pasted or given.path == STDIN:
            self._kind_of_file = None
        self._lines = given.text.split("\n")
        self._parts: list[Part] = []
        self._notes: list[str] = []
        self._whole = False
        self._kind: PartKind | None = None
        self._begins_at = 0
        self._texts: list[str] = []
        self._skipped: list[str] = []
        #: The kind that stray lines of a file get: that of the last line with a kind.
        self._last_kind = self._kind_of_file or PartKind.MAIN
        self._noted: set[str] = set()
        self._prompts = prompts_of(self._lines) if given.pasted else ""
        #: Whether the current lines are the output of a command that prints all settings.
        self._in_whole_output = False
        #: Whether the current lines are the output of "postconf -d".
        self._in_defaults = False
        #: For each text the last line that consists of it: the ends of here-documents.
        self._end_lines: dict[str, int] | None = None

    def read(self) -> ReadText:
        number = 0
        while number < len(self._lines):
            number = self._read_line(number)
        self._end_logical_line()
        given = self._given
        return ReadText(given, tuple(self._parts), (*given.notes, *self._notes), self._whole)

    def _read_line(self, number: int) -> int:
        """Read the line of that number (from 0); returns the number of the next one to read."""
        line = self._lines[number]
        if number + 1 in self._given.fences:
            self._end_logical_line()
            self._in_defaults = self._in_whole_output = False
        elif self._is_command(number):
            return self._read_command(number)
        elif self._given.pasted and (written := here_document(line)) is not None:
            return self._read_here_document(number, *written)
        elif self._in_defaults and not is_skipped(line):
            self._end_logical_line()
        elif is_skipped(line):
            self._skipped.append(line + "\n")
        elif line[0] not in WHITESPACE:
            self._read_first_column(number)
        elif self._kind is not None:
            self._texts += [*self._skipped, line + "\n"]
            self._skipped.clear()
        else:
            return self._read_indented(number)
        return number + 1

    def _is_command(self, number: int) -> bool:
        """Whether a line is a command line; ``# postconf -e a=b`` among comments is a comment."""
        if self._kind_of_file is not None or not is_command(
            self._lines[number], prompts=self._prompts
        ):
            return False
        if not self._lines[number].startswith("#"):
            return True
        neighbours = (
            *self._lines[max(0, number - 1) : number],
            *self._lines[number + 1 : number + 2],
        )
        return not any(
            neighbour.startswith("#") and not is_command(neighbour, prompts=self._prompts)
            for neighbour in neighbours
        )

    def _read_first_column(self, number: int) -> None:
        """Read a line that begins in the first column."""
        line = self._lines[number]
        if _OPTION.match(line) and self._kind_of_file is None and self._reopen_entry():
            self._texts += ["  " + line + "\n"]
            self._skipped.clear()
            self._note_once(
                "options that begin in the first column were read as those of the entry before them"
            )
            return
        kind = self._kind_of(line)
        if kind is PartKind.STRAY:
            self._read_stray(number)
            return
        self._end_logical_line()
        self._kind, self._begins_at, self._texts = kind, number, [line + "\n"]
        if kind in (PartKind.MAIN, PartKind.MASTER):
            self._last_kind = kind
        self._whole = self._whole or (self._in_whole_output and kind is PartKind.MAIN)

    def _reopen_entry(self) -> bool:
        """Continue the entry before this line, even if stray lines are between them."""
        if self._kind is None and self._given.pasted:
            at = len(self._parts) - 1
            while at >= 0 and self._parts[at].kind is PartKind.STRAY:
                at -= 1
            if at >= 0 and self._parts[at].kind is PartKind.MASTER:
                part = self._parts.pop(at)
                self._kind, self._begins_at, self._texts = part.kind, part.line - 1, [part.text]
        return self._kind is PartKind.MASTER

    def _kind_of(self, line: str) -> PartKind:
        if self._kind_of_file is not None:
            return self._kind_of_file
        if _OPTION.match(line):
            return PartKind.OPTION
        if _ENTRY.match(line):
            return PartKind.MASTER
        if _OPTION_OF.match(line):
            return PartKind.EDIT
        if (_SETTING if self._given.pasted else _ANY_SETTING).match(line):
            return PartKind.MAIN
        return PartKind.STRAY

    def _read_stray(self, number: int) -> None:
        """Read a line that belongs to no file of Postfix; if it is in a file, it is passed on."""
        line = self._lines[number]
        inside = self._kind in (PartKind.MAIN, PartKind.MASTER) and not self._skipped
        last = self._last_kind
        self._end_logical_line()
        self._in_whole_output = self._in_whole_output and inside
        if not self._given.pasted:
            self._kind, self._begins_at, self._texts = last, number, [line + "\n"]
            return
        following = self._lines[number + 1] if number + 1 < len(self._lines) else ""
        inside = inside and bool(following.strip()) and bool(_END_OF_VALUE.fullmatch(line))
        inside = inside and (
            following[0] in WHITESPACE or self._kind_of(following) is not PartKind.STRAY
        )
        if _POSTCONF_SAYS.match(line):
            inside = False
        self._parts.append(Part(PartKind.STRAY, line + "\n", number + 1, inside=inside))

    def _read_indented(self, number: int) -> int:
        """Read a run of indented lines that continue nothing, as if they were not indented."""
        stop = number
        while stop < len(self._lines) and self._is_in_run(stop):
            stop += 1
        run = self._lines[number:stop]
        filled = [line for line in run if line.strip()]
        indent = min(len(line) - len(line.lstrip(WHITESPACE)) for line in filled)
        options = _OPTION.match(filled[0].strip()) is not None
        if options and self._kind_of_file is None:
            return self._read_options(number, stop)
        if not self._given.pasted and any(line.strip() for line in self._lines[stop:]):
            name = self._given.name
            self._notes.append(
                f"{name} line {number + 1}: left out, as Postfix does: "
                '"logical line must not start with whitespace"'
            )
            return stop
        self._note_once("indentation that all lines have was left out")
        self._lines[number:stop] = [line[indent:] if line.strip() else line for line in run]
        return number

    def _is_in_run(self, number: int) -> bool:
        line = self._lines[number]
        return number + 1 not in self._given.fences and (not line.strip() or line[0] in WHITESPACE)

    def _read_options(self, number: int, stop: int) -> int:
        """Read -o lines without an entry, one option each, up to the first other line."""
        while number < stop and (
            is_skipped(self._lines[number]) or _OPTION.match(self._lines[number].strip())
        ):
            if not is_skipped(self._lines[number]):
                text = self._lines[number].strip() + "\n"
                self._parts.append(Part(PartKind.OPTION, text, number + 1))
            number += 1
        return number

    def _read_command(self, number: int) -> int:
        self._end_logical_line()
        lines = [self._lines[number]]
        quote = open_quote(lines[0])
        while quote and number + len(lines) < len(self._lines):
            if len(lines) == _MOST_COMMAND_LINES:
                lines = lines[:1]
                break
            lines.append(self._lines[number + len(lines)])
            quote = open_quote(lines[-1], "" if quote == "\\" else quote)
        else:
            lines = lines if not quote else lines[:1]
        command = read_command("\n".join(lines), number + 1)
        self._parts += [Part(PartKind.EDIT, "", number + 1, edit=edit) for edit in command.edits]
        self._take_command(command, number + 1)
        return number + len(lines)

    def _read_here_document(self, number: int, end: str, for_postfix: bool) -> int:
        """Read lines that a shell writes to a file; skip those for another program's file."""
        self._end_logical_line()
        if self._end_lines is None:
            self._end_lines = {line.strip(): at for at, line in enumerate(self._lines)}
        if for_postfix or self._end_lines.get(end, -1) <= number:
            return number + 1
        stop = number + 1
        while self._lines[stop].strip() != end:
            stop += 1
        self._notes.append(
            f"{self._given.name} line {number + 1}: left out up to line {stop + 1}: "
            "it is for another file"
        )
        return stop + 1

    def _take_command(self, command: Command, line: int) -> None:
        name = self._given.name
        for setting in command.unknown:
            self._notes.append(
                f"{name} line {line}: {setting} was left out: only the shell knows its value"
            )
        self._in_whole_output = False
        if command.output is None:
            self._note_once("postconf commands were read as the settings that they make")
            return
        self._in_whole_output = command.whole
        self._last_kind = (
            PartKind.MASTER if command.output is PostconfOutput.MASTER_CF else PartKind.MAIN
        )
        self._in_defaults = command.output is PostconfOutput.DEFAULTS
        if self._in_defaults:
            self._notes.append(
                f"{name} line {line}: prints the defaults of one Postfix, not what is set, so the "
                "lines below it were left out"
            )
        if not command.unknown:
            self._note_once("command lines were left out; the lines below them were read")

    def _note_once(self, note: str) -> None:
        """Add a note about the text, unless it was added before."""
        if note not in self._noted:
            self._noted.add(note)
            self._notes.append(f"{self._given.name}: {note}")

    def _end_logical_line(self) -> None:
        """Complete the current logical line."""
        if self._kind is not None:
            text = "".join(self._texts)
            edit = None
            if self._kind is PartKind.EDIT:
                edit = _parse_option_line(text, self._begins_at + 1)
            self._parts.append(Part(self._kind, text, self._begins_at + 1, edit=edit))
        self._kind = None
        self._texts = []
        self._skipped = []


def _parse_option_line(text: str, line: int) -> Edit | None:
    """The change that a line of ``postconf -P`` or ``-F`` makes."""
    match = _OPTION_OF.match(text)
    if match is None:
        return None
    target = match["target"]
    field = target.rsplit("/", 1)[1] in _FIELDS
    kind = EditKind.SET_FIELD if field else EditKind.SET_OPTION
    return Edit(kind, target, " ".join(match["value"].split()), line)
