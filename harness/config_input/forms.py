"""A configuration in any common form, read into main.cf and master.cf.

The forms are files, pasted output of ``postconf -n``, ``postconf -e`` commands, and lines of an
answer; ``line_kinds`` determines what each line is. This module combines the lines, notes what it
changed, and decides whether they are a whole configuration or lines that go into one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from harness.config_input.line_kinds import (
    Part,
    PartKind,
    ReadText,
    is_signed,
    read_lines,
)
from harness.config_input.postconf_commands import (
    Edit,
    EditKind,
)
from harness.config_input.postfix_errors import describe_errors
from harness.config_input.text import (
    MAIN_CF,
    MASTER_CF,
    STDIN,
    GivenText,
    clean_text,
)
from harness.errors import FileError, FileLocation
from harness.postfix_config.logical_lines import end_line
from harness.postfix_config.master_cf import (
    parse_entry,
    parse_master_cf,
)
from harness.postfix_config.master_cf_overlay import Overlay
from harness.tls import Service


class Footing(StrEnum):
    """How much of a configuration a text is."""

    WHOLE = "whole"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What was read. ``notes`` state what was changed, and whether it was read as whole."""

    main_cf: str
    master_cf: str
    overlay: Overlay
    whole: bool
    notes: tuple[str, ...]


#: Settings that an installation makes, or that define a server's domains and networks. A whole
#: configuration has at least two of them, advice hardly ever.
WHOLE_SETTINGS = frozenset(
    {
        *("alias_database", "alias_maps", "command_directory", "daemon_directory"),
        *("data_directory", "inet_interfaces", "mail_owner", "mailbox_size_limit"),
        *("mydestination", "mydomain", "myhostname", "mynetworks", "myorigin", "queue_directory"),
        *("recipient_delimiter", "relayhost", "setgid_group", "virtual_mailbox_domains"),
    }
)
ENOUGH_SETTINGS = 2
#: Entries that a complete master.cf must have: without them no mail is delivered.
WHOLE_ENTRIES = frozenset({"cleanup", "qmgr"})
_FIELDS_OF_INET = "n - - - - smtpd"
#: The programs of the unix entries that are not named after their program.
_PROGRAMS = {"relay": "smtp", "submission": "smtpd", "rewrite": "trivial-rewrite"}


def read_configuration(
    texts: Mapping[Path, str],
    service: Service | None = None,
    footing: Footing | None = None,
    notes: Iterable[str] = (),
) -> Configuration:
    """Combine texts into one configuration.

    Args:
        texts: each text by its path; :data:`~harness.config_input.text.STDIN` for standard
            input.
        service: the service to which -o lines belong if there is no entry before them.
        footing: a whole configuration, or lines for one; None: as the texts show.
        notes: what was already changed in order to read the texts.

    Raises:
        FileError: options without an entry, or a text that sets nothing.
    """
    texts_read = [_read_text(text, path) for path, text in texts.items()]
    collected = _Collected(service)
    for read in texts_read:
        collected.add_parts(read, stray_kept=footing is not Footing.LINES and _shows_whole([read]))
    main_cf, master_cf, overlay = collected.finish()
    _refuse_empty(texts_read, collected, main_cf, master_cf)
    whole = footing is Footing.WHOLE if footing else _is_whole(texts_read, main_cf, master_cf)
    all_notes = [*notes, *(note for read in texts_read for note in read.notes), *collected.notes]
    all_notes += describe_errors(texts_read)
    all_notes += _describe_footing(main_cf, master_cf, whole=whole, forced=footing is not None)
    return Configuration(main_cf, master_cf, overlay, whole, tuple(all_notes))


def read_scenario_part(text: str, path: Path) -> tuple[str, tuple[str, ...]]:
    """A scenario's main.cf or master.cf: verbatim, unless it was evidently pasted.

    Returns the text, and one note of what was changed.

    Raises:
        FileError: as :func:`read_configuration`.
    """
    bare = text.removeprefix("\ufeff")
    given = clean_text(bare, path)
    if not given.pasted:
        note = (f"{path.name}: its byte order mark was left out",) if bare != text else ()
        return bare, note
    read = read_lines(given)
    collected = _Collected(None)
    collected.add_parts(read, stray_kept=True)
    main_cf, master_cf, _ = collected.finish()
    taken, other = (main_cf, master_cf) if path.name == MAIN_CF else (master_cf, main_cf)
    notes = [*read.notes, *collected.notes]
    if other:
        lines = MASTER_CF if path.name == MAIN_CF else MAIN_CF
        notes.append(f"{path.name}: its lines of {lines} were left out")
    return taken, ("; ".join(notes),)


def stands_alone(master_cf: str) -> bool:
    """Whether a master.cf is complete: it has the entries without which no mail is delivered."""
    return {entry.name for entry in parse_master_cf(master_cf).entries} >= WHOLE_ENTRIES


def _read_text(text: str, path: Path) -> ReadText:
    signs = [] if path == STDIN else is_signed(text, path.name)
    return read_lines(clean_text(text, path, signs))


@dataclass(slots=True)
class _Collected:
    """The lines of all texts, sorted by the file to which they belong."""

    service: Service | None
    main: list[Part] = field(default_factory=list)
    master: list[Part] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    loose: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add_parts(self, read: ReadText, *, stray_kept: bool) -> None:
        """Add one text's parts.

        ``stray_kept``: a stray line between lines of the configuration is passed on to Postfix.
        """
        left_out: list[int] = []
        last = self.main
        edits: list[Edit] = []
        for part in read.parts:
            if part.kind is PartKind.STRAY and not (part.inside and stray_kept):
                left_out.append(part.line)
            elif part.kind is PartKind.STRAY:
                last.append(part)
            elif part.edit is not None:
                edits.append(part.edit)
            elif part.kind is PartKind.OPTION:
                self._take_option(part, read.given)
            elif part.kind in (PartKind.MAIN, PartKind.MASTER):
                last = self.main if part.kind is PartKind.MAIN else self.master
                last.append(part)
        self.notes += _note_left_out(left_out, read.given)
        _Editor(self, read.given).apply_edits(edits)

    def _take_option(self, part: Part, given: GivenText) -> None:
        if self.service is None:
            raise FileError(
                FileLocation(given.path, part.line),
                "there are -o options without an entry",
                expected="an entry of master.cf before them, or --for-service (scan: --service)",
            )
        self.options.append(part.text)

    def finish(self) -> tuple[str, str, Overlay]:
        """main.cf, master.cf, and how its entries are combined with those of a build."""
        master = [end_line(part.text) for part in self.master]
        for target, options in self.loose.items():
            master.append(_entry_head(target) + "".join(f"  -o {option}\n" for option in options))
        if self.options and self.service is not None:
            name = "submissions" if self.service is Service.SUBMISSIONS else str(self.service)
            lines = "".join(f"  {text.strip()}\n" for text in self.options)
            master.append(_entry_head(f"{name}/inet") + lines)
        merged = bool(self.options or self.loose)
        main_cf = "".join(end_line(part.text) for part in self.main)
        return main_cf, "".join(master), Overlay.MERGE if merged else Overlay.REPLACE


class _Editor:
    """Applies the changes that postconf commands make to the given lines."""

    def __init__(self, collected: _Collected, given: GivenText) -> None:
        self._collected = collected
        self._given = given
        #: The resulting entries of master.cf, by number; None where one was removed.
        self._entries: list[list[str] | None] = []
        #: For each ``service/type``, the numbers of its entries.
        self._places: dict[str, list[int]] = {}
        self._lines: list[int] = []

    def apply_edits(self, edits: Sequence[Edit]) -> None:
        """Apply them in order; a parameter that is set more than once has its last value."""
        if not edits:
            return
        last = {(e.target if e.kind is EditKind.SET else ""): e for e in edits}
        self._drop_settings({e.target for e in edits if e.kind in (EditKind.SET, EditKind.REMOVE)})
        for part in self._collected.master:
            self._append_entry(part.text, part.line)
        for edit in edits:
            if edit.kind is EditKind.SET:
                if last[edit.target] is edit:
                    text = f"{edit.target} = {edit.value}".rstrip() + "\n"
                    self._collected.main.append(Part(PartKind.MAIN, text, edit.line))
            elif edit.kind is EditKind.REMOVE:
                self._add_note(edit, f"removes {edit.target} from main.cf")
            elif edit.kind is EditKind.SET_OPTION:
                self._set_option(edit)
            elif edit.kind in (EditKind.SET_ENTRY, EditKind.REMOVE_ENTRY):
                self._set_entry(edit)
            else:
                self._add_note(edit, f"was left out: {edit.target} ({edit.kind.value})")
        self._collected.master[:] = [
            Part(PartKind.MASTER, "".join(texts), line)
            for texts, line in zip(self._entries, self._lines, strict=True)
            if texts is not None
        ]

    def _append_entry(self, text: str, line: int) -> None:
        entry = parse_entry(text)
        self._places.setdefault(f"{entry.name}/{entry.type}", []).append(len(self._entries))
        self._entries.append([end_line(text)])
        self._lines.append(line)

    def _add_note(self, edit: Edit, what: str) -> None:
        self._collected.notes.append(f"{self._given.name} line {edit.line}: {what}")

    def _drop_settings(self, names: set[str]) -> None:
        if names:
            main = self._collected.main
            main[:] = [part for part in main if _setting_name(part) not in names]

    def _set_entry(self, edit: Edit) -> None:
        for at in self._places.pop(edit.target, []):
            self._entries[at] = None
        if edit.kind is EditKind.SET_ENTRY and edit.value:
            self._append_entry(edit.value + "\n", edit.line)
        else:
            self._add_note(edit, f"removes the entry {edit.target} from master.cf")

    def _set_option(self, edit: Edit) -> None:
        """Add an option to its entry; without one here, it is merged into the build's entry."""
        target, _, parameter = edit.target.rpartition("/")
        option = f"{parameter}={edit.value}"
        if any(char in edit.value for char in " \t"):
            option = f"{{ {parameter} = {edit.value} }}"
        for at in self._places.get(target, ()):
            texts = self._entries[at]
            if texts is not None:
                texts.append(f"  -o {option}\n")
        if target in self._places:
            return
        if "*" in target or target.count("/") != 1:
            self._add_note(edit, f"was left out: {target} matches no entry here")
        else:
            self._collected.loose.setdefault(target, []).append(option)


def _setting_name(part: Part) -> str:
    return part.text.partition("=")[0].strip()


def _entry_head(target: str) -> str:
    """The first line of an entry with only options, which will be merged into another entry."""
    name, _, kind = target.rpartition("/")
    if kind == "inet":
        return f"{name} inet {_FIELDS_OF_INET}\n"
    return f"{name} {kind} - - - - - {_PROGRAMS.get(name, name)}\n"


def _note_left_out(lines: list[int], given: GivenText) -> list[str]:
    if not lines:
        return []
    shown = ", ".join(map(str, lines[:10])) + (", ..." if len(lines) > 10 else "")
    word = "line" if len(lines) == 1 else "lines"
    return [f"{given.name} {word} {shown}: left out, as no part of main.cf or master.cf"]


def _refuse_empty(
    texts: Sequence[ReadText], collected: _Collected, main_cf: str, master_cf: str
) -> None:
    """Refuse texts that set nothing, since nothing could be measured.

    Raises:
        FileError: the texts, or a file main.cf among them, set nothing.
    """
    expected = '"name = value", an entry such as "submission inet n - - - - smtpd", or -o lines'
    for read in texts:
        if read.given.path.name == MAIN_CF and not read.parts:
            raise FileError(FileLocation(read.given.path), "sets nothing", expected=expected)
    if not main_cf.strip() and not master_cf.strip():
        path = texts[0].given.path if texts else STDIN
        where = Path("standard input") if path == STDIN else path
        what = "has no line of main.cf or master.cf"
        line = next((p.line for r in texts for p in r.parts if p.kind is PartKind.STRAY), None)
        next_step = " ".join(collected.notes[:1])
        raise FileError(FileLocation(where, line), what, expected=expected, next_step=next_step)


def _shows_whole(texts: Sequence[ReadText]) -> bool:
    """Whether pasted texts are recognisably a whole configuration."""
    if any(read.whole for read in texts):
        return True
    names = {
        _setting_name(part)
        for read in texts
        for part in read.parts
        if part.kind is PartKind.MAIN and part.edit is None
    }
    return len(names & WHOLE_SETTINGS) >= ENOUGH_SETTINGS


def _is_whole(texts: Sequence[ReadText], main_cf: str, master_cf: str) -> bool:
    """Whether the texts are a whole configuration.

    A file is, if it has settings of main.cf and is not a script or an answer. A master.cf alone is
    not, if it lacks cleanup and qmgr: it is a few entries.
    """
    files = [read for read in texts if not read.given.pasted]
    if any(part.kind is PartKind.MAIN for read in files for part in read.parts):
        return bool(main_cf)
    return _shows_whole(texts) or stands_alone(master_cf)


def _describe_footing(main_cf: str, master_cf: str, *, whole: bool, forced: bool) -> list[str]:
    """Notes of whether it was read as whole, and of what the build provides in addition."""
    if not whole:
        hint = "" if forced else " (--whole reads them as all of one)"
        return [
            "read as lines of a configuration: they go into that of a server with a certificate "
            f"and smtpd_tls_security_level = may{hint}"
        ]
    hint = "" if forced else " (--lines reads it as lines)"
    notes = [f"read as a whole configuration: nothing that decides TLS is added{hint}"]
    if not master_cf.strip():
        notes.append("no master.cf was given, so the services are those of the build")
    elif not stands_alone(master_cf):
        notes.append(
            "its entries of master.cf are laid over the build's, as it has no cleanup and qmgr"
        )
    if not main_cf.strip():
        notes.append("no main.cf was given, so all settings are Postfix's defaults")
    return notes
