"""Which line of a text is what: main.cf's, master.cf's, an option, a command, or none. Pure.

What a line is shows in the line: ``name = value`` is main.cf's, a name and a type such as ``inet``
begin an entry of master.cf's, ``-o name=value`` is an option of the entry before it. In a file
named main.cf or master.cf the name tells, as it does for Postfix.
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
    """What a logical line is. ``stray``: one that is nothing of Postfix's."""

    MAIN = "main"
    MASTER = "master"
    OPTION = "option"
    EDIT = "edit"
    STRAY = "stray"


@dataclass(frozen=True, slots=True)
class Part:
    """A logical line as it is to be handed on; ``line`` is where it begins, from 1.

    ``edit`` is what a command, or a line of ``postconf -P``, changes. ``inside``: a stray line that
    stands between two lines of a configuration, with no blank line before or after it.
    """

    kind: PartKind
    text: str
    line: int
    edit: Edit | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True)
class ReadText:
    """The parts of one text. ``whole``: a command in it says that it is all of a configuration."""

    given: GivenText
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    whole: bool = False


_ENTRY = re.compile(r"[^\s=]+[ \t]+(?:inet|unix|fifo|pass|unix-dgram)[ \t]")
_OPTION = re.compile(r"-o[ \t]*\S")
_SETTING = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*[ \t]*=")
#: split_nameval(3) takes any name.
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
#: A broken-off end of a value rather than a sentence: a list, a path, or one word.
_END_OF_VALUE = re.compile(r"(?=.*[A-Za-z])(?:\S+|[^.?!:]*(?:,|[a-z]_[a-z]|/)\S?.*)", re.DOTALL)
_MOST_COMMAND_LINES = 20


def read_lines(given: GivenText) -> ReadText:
    """Tell a text's logical lines apart."""
    return _LineReader(given).read()


def is_signed(text: str, name: str) -> list[str]:
    """The lines of a file that are commands of a terminal: it was pasted, then.

    Not in main.cf and master.cf, where ``# postconf -e ...`` is a comment and a line of any other
    kind is Postfix's to read.
    """
    if name in (MAIN_CF, MASTER_CF):
        return []
    filled = [line for line in text.split("\n") if line.strip()]
    first = [line for line in filled[:1] if is_command(line, prompts="#$%")]
    return first + [line for line in filled if is_command(line, prompts="")]


class _LineReader:
    """Goes through the lines once; keeps the logical line that it is in."""

    def __init__(self, given: GivenText) -> None:
        self._given = given
        self._own = {MAIN_CF: PartKind.MAIN, MASTER_CF: PartKind.MASTER}.get(given.path.name)
        if given.pasted or given.path == STDIN:
            self._own = None
        self._lines = given.text.split("\n")
        self._parts: list[Part] = []
        self._notes: list[str] = []
        self._whole = False
        self._kind: PartKind | None = None
        self._begin = 0
        self._texts: list[str] = []
        self._skipped: list[str] = []
        #: What lines of no name are: the kind of the last line that had one.
        self._last = self._own or PartKind.MAIN
        self._told: set[str] = set()
        self._prompts = prompts_of(self._lines) if given.pasted else ""
        #: Whether what stands here is the output of a command that prints all that is set.
        self._whole_below = False
        #: Whether what stands here is the output of "postconf -d".
        self._defaults = False
        #: The last line that has each text, for the ends of here-documents.
        self._ends: dict[str, int] | None = None

    def read(self) -> ReadText:
        number = 0
        while number < len(self._lines):
            number = self._line(number)
        self._end()
        given = self._given
        return ReadText(given, tuple(self._parts), (*given.notes, *self._notes), self._whole)

    def _line(self, number: int) -> int:
        """Read the line of that number (from 0); returns the number of the next one to read."""
        line = self._lines[number]
        if number + 1 in self._given.fences:
            self._end()
            self._defaults = self._whole_below = False
        elif self._is_command(number):
            return self._command(number)
        elif self._given.pasted and (written := here_document(line)) is not None:
            return self._here_document(number, *written)
        elif self._defaults and not is_skipped(line):
            self._end()
        elif is_skipped(line):
            self._skipped.append(line + "\n")
        elif line[0] not in WHITESPACE:
            self._first(number)
        elif self._kind is not None:
            self._texts += [*self._skipped, line + "\n"]
            self._skipped.clear()
        else:
            return self._indented(number)
        return number + 1

    def _is_command(self, number: int) -> bool:
        """Whether it is a command line; ``# postconf -e a=b`` among comments is a comment."""
        if self._own is not None or not is_command(self._lines[number], prompts=self._prompts):
            return False
        if not self._lines[number].startswith("#"):
            return True
        around = (*self._lines[max(0, number - 1) : number], *self._lines[number + 1 : number + 2])
        return not any(
            one.startswith("#") and not is_command(one, prompts=self._prompts) for one in around
        )

    def _first(self, number: int) -> None:
        """A line that begins in the first column."""
        line = self._lines[number]
        if _OPTION.match(line) and self._own is None and self._reopen():
            self._texts += ["  " + line + "\n"]
            self._skipped.clear()
            self._tell("options that begin in the first column were read as of the entry before")
            return
        kind = self._kind_of(line)
        if kind is PartKind.STRAY:
            self._stray(number)
            return
        self._end()
        self._kind, self._begin, self._texts = kind, number, [line + "\n"]
        if kind in (PartKind.MAIN, PartKind.MASTER):
            self._last = kind
        self._whole = self._whole or (self._whole_below and kind is PartKind.MAIN)

    def _reopen(self) -> bool:
        """Go on with the entry before, also behind words that are nothing of Postfix's."""
        if self._kind is None and self._given.pasted:
            at = len(self._parts) - 1
            while at >= 0 and self._parts[at].kind is PartKind.STRAY:
                at -= 1
            if at >= 0 and self._parts[at].kind is PartKind.MASTER:
                part = self._parts.pop(at)
                self._kind, self._begin, self._texts = part.kind, part.line - 1, [part.text]
        return self._kind is PartKind.MASTER

    def _kind_of(self, line: str) -> PartKind:
        if self._own is not None:
            return self._own
        if _OPTION.match(line):
            return PartKind.OPTION
        if _ENTRY.match(line):
            return PartKind.MASTER
        if _OPTION_OF.match(line):
            return PartKind.EDIT
        if (_SETTING if self._given.pasted else _ANY_SETTING).match(line):
            return PartKind.MAIN
        return PartKind.STRAY

    def _stray(self, number: int) -> None:
        """A line that is nothing of Postfix's: in a file it is handed on all the same."""
        line = self._lines[number]
        inside = self._kind in (PartKind.MAIN, PartKind.MASTER) and not self._skipped
        last = self._last
        self._end()
        self._whole_below = self._whole_below and inside
        if not self._given.pasted:
            self._kind, self._begin, self._texts = last, number, [line + "\n"]
            return
        following = self._lines[number + 1] if number + 1 < len(self._lines) else ""
        inside = inside and bool(following.strip()) and bool(_END_OF_VALUE.fullmatch(line))
        inside = inside and (
            following[0] in WHITESPACE or self._kind_of(following) is not PartKind.STRAY
        )
        if _POSTCONF_SAYS.match(line):
            inside = False
        self._parts.append(Part(PartKind.STRAY, line + "\n", number + 1, inside=inside))

    def _indented(self, number: int) -> int:
        """A run of indented lines that continue nothing: read as if they were not indented."""
        stop = number
        while stop < len(self._lines) and self._belongs(stop):
            stop += 1
        run = self._lines[number:stop]
        filled = [line for line in run if line.strip()]
        indent = min(len(line) - len(line.lstrip(WHITESPACE)) for line in filled)
        options = _OPTION.match(filled[0].strip()) is not None
        if options and self._own is None:
            return self._options(number, stop)
        if not self._given.pasted and any(line.strip() for line in self._lines[stop:]):
            name = self._given.name
            self._notes.append(
                f"{name} line {number + 1}: left out, as Postfix does: "
                '"logical line must not start with whitespace"'
            )
            return stop
        self._tell("indentation that all lines have was left out")
        self._lines[number:stop] = [line[indent:] if line.strip() else line for line in run]
        return number

    def _belongs(self, number: int) -> bool:
        line = self._lines[number]
        return number + 1 not in self._given.fences and (not line.strip() or line[0] in WHITESPACE)

    def _options(self, number: int, stop: int) -> int:
        """Lines of -o under no entry: each is on its own, up to a line that is not one."""
        while number < stop and (
            is_skipped(self._lines[number]) or _OPTION.match(self._lines[number].strip())
        ):
            if not is_skipped(self._lines[number]):
                text = self._lines[number].strip() + "\n"
                self._parts.append(Part(PartKind.OPTION, text, number + 1))
            number += 1
        return number

    def _command(self, number: int) -> int:
        self._end()
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

    def _here_document(self, number: int, end: str, ours: bool) -> int:
        """Lines that a shell writes to a file: those for another program's are passed over."""
        self._end()
        if self._ends is None:
            self._ends = {line.strip(): at for at, line in enumerate(self._lines)}
        if ours or self._ends.get(end, -1) <= number:
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
                f"{name} line {line}: {setting} was left out: what it is, a shell makes of the text"
            )
        self._whole_below = False
        if command.output is None:
            self._tell("commands of postconf were read for what they set")
            return
        self._whole_below = command.whole
        self._last = (
            PartKind.MASTER if command.output is PostconfOutput.MASTER_CF else PartKind.MAIN
        )
        self._defaults = command.output is PostconfOutput.DEFAULTS
        if self._defaults:
            self._notes.append(
                f"{name} line {line}: prints the defaults of one Postfix, not what is set, so what "
                "stands below it was left out"
            )
        if not command.unknown:
            self._tell("command lines were left out; what stands below them was read")

    def _tell(self, what: str) -> None:
        """Say something of the text once, with the line where it first is so."""
        if what not in self._told:
            self._told.add(what)
            self._notes.append(f"{self._given.name}: {what}")

    def _end(self) -> None:
        """The logical line is complete."""
        if self._kind is not None:
            text = "".join(self._texts)
            edit = None
            if self._kind is PartKind.EDIT:
                edit = _option_of(text, self._begin + 1)
            self._parts.append(Part(self._kind, text, self._begin + 1, edit=edit))
        self._kind = None
        self._texts = []
        self._skipped = []


def _option_of(text: str, line: int) -> Edit | None:
    """A line of ``postconf -P`` or ``-F`` as what it sets."""
    match = _OPTION_OF.match(text)
    if match is None:
        return None
    target = match["target"]
    field = target.rsplit("/", 1)[1] in _FIELDS
    kind = EditKind.SET_FIELD if field else EditKind.SET_OPTION
    return Edit(kind, target, " ".join(match["value"].split()), line)
