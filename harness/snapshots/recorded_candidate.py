"""The candidate as a snapshot keeps it, and which of its settings differ now.

Kept are the settings, one logical line each, without comments. Of further files only a digest is
kept: they may hold what must not be published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.postfix_config.logical_lines import end_line, join_lines, split_chunks
from harness.postfix_config.main_cf import MainCf, parse_main_cf
from harness.postfix_config.master_cf import (
    Argument,
    MasterEntry,
    parse_entry,
    parse_master_cf,
)
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.scenario import Scenario

MAIN_CF, MASTER_CF = "main.cf", "master.cf"


#: What decides how a recorded candidate behaves, as one value.
RecordedSettings = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class RecordedCandidate:
    """A candidate's settings. ``main_cf`` and ``master_cf`` are logical lines.

    ``names`` are what the command line named, relative to the snapshot's folder; () for a text on
    standard input or of a container. ``service`` is that of ``--for-service``. ``files`` are the
    digests of further files, by path.
    """

    main_cf: tuple[str, ...] = ()
    master_cf: tuple[str, ...] = ()
    overlay: Overlay = Overlay.REPLACE
    whole: bool = False
    as_is: bool = False
    names: tuple[str, ...] = ()
    service: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def main_text(self) -> str:
        """Its main.cf."""
        return "".join(map(end_line, self.main_cf))

    @property
    def master_text(self) -> str:
        """Its master.cf."""
        return "".join(map(end_line, self.master_cf))

    @property
    def settings(self) -> RecordedSettings:
        """All of it but what it was read from."""
        files = tuple(sorted(self.files.items()))
        return (self.main_cf, self.master_cf, self.overlay, self.whole, self.as_is, files)

    def scenario(self) -> Scenario:
        """The candidate again, for one whose text lies nowhere else."""
        return Scenario(
            id="candidate",
            title="the recorded candidate",
            source="the snapshot",
            claim="",
            main_cf=self.main_text,
            master_cf=self.master_text,
            overlay=self.overlay,
            whole=self.whole,
            as_is=self.as_is,
        )


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that differs from the recorded one; None: there was none, or there is none now.

    ``entry`` is the entry of master.cf that an option belongs to, as now written, and None for
    main.cf. ``key`` identifies the entry, with the number among those of one key. ``name`` is the
    parameter, or "" where the whole entry differs. ``before`` and ``now`` are the values, for an
    entry its lines. ``line`` is where it stands now, from 1, in main.cf or master.cf.
    """

    name: str
    before: str | None
    now: str | None
    entry: str | None = None
    key: tuple[tuple[str, str], int] | None = None
    line: int | None = None

    @property
    def file(self) -> str:
        """The file that it belongs to."""
        return MAIN_CF if self.entry is None else MASTER_CF

    @property
    def text(self) -> str:
        """The setting as it is now, or was where there is none now."""
        value = self.before if self.now is None else self.now
        if self.entry is None:
            return f"{self.name} = {value}".rstrip()
        if not self.name:
            return f"the entry {self.entry}"
        return f"-o {self.name}={value} under {self.entry}"

    @property
    def sentence(self) -> str:
        """The setting with what became of it."""
        if self.now is None:
            return f"{self.text} (removed)"
        if self.before is None:
            return f"{self.text} (added)"
        return f"{self.text} (was: {self.before})" if self.name else f"{self.text} (changed)"


def record_candidate(
    scenario: Scenario, names: Iterable[str] = (), service: str = ""
) -> RecordedCandidate:
    """What a snapshot keeps of a candidate."""
    return RecordedCandidate(
        main_cf=tuple(_logical_lines(scenario.main_cf, MAIN_CF)),
        master_cf=tuple(_logical_lines(scenario.master_cf, MASTER_CF)),
        overlay=scenario.overlay,
        whole=scenario.whole,
        as_is=scenario.as_is,
        names=tuple(names),
        service=service,
        files=digest_files(scenario.files),
    )


def digest_files(files: Mapping[str, str]) -> dict[str, str]:
    """The digests of further files, by path."""
    return {
        path: "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        for path, text in sorted(files.items())
    }


def find_changes(recorded: RecordedCandidate, scenario: Scenario) -> tuple[SettingChange, ...]:
    """The settings of a candidate that differ from the recorded ones, in the files' order.

    White space inside a value, the order of lines and comments are no difference, as they are none
    to Postfix.
    """
    main = _main_changes(parse_main_cf(recorded.main_text), parse_main_cf(scenario.main_cf))
    master = _master_changes(
        _index_entries(recorded.master_text), _index_entries(scenario.master_cf)
    )
    return (*main, *master)


def find_changed_files(recorded: RecordedCandidate, scenario: Scenario) -> tuple[str, ...]:
    """The further files that are not as recorded: other content, added or removed."""
    current = digest_files(scenario.files)
    paths = sorted({*current, *recorded.files})
    return tuple(path for path in paths if current.get(path) != recorded.files.get(path))


def put_back(
    recorded: RecordedCandidate, scenario: Scenario, changes: Iterable[SettingChange], name: str
) -> Scenario:
    """The candidate with some of its settings as recorded, under another id."""
    changes = list(changes)
    return replace(
        scenario,
        id=name,
        title=f"{scenario.id} with {len(changes)} settings as recorded",
        main_cf=_put_main_back(scenario.main_cf, [c for c in changes if c.entry is None]),
        master_cf=_put_master_back(
            scenario.master_cf, recorded.master_text, [c for c in changes if c.entry is not None]
        ),
    )


def _logical_lines(text: str, name: str) -> Iterator[str]:
    for chunk in split_chunks(text, Path(name)):
        if chunk.logical:
            yield join_lines(chunk.text)[0].rstrip()


def _main_changes(before: MainCf, now: MainCf) -> Iterator[SettingChange]:
    lines = {setting.name: setting.line for setting in now.settings}
    old, new = before.values, now.values
    for name, value in new.items():
        if name not in old or _squeeze_spaces(old[name]) != _squeeze_spaces(value):
            yield SettingChange(name, old.get(name), value, line=lines[name])
    for name, value in old.items():
        if name not in new:
            yield SettingChange(name, value, None)


def _put_main_back(text: str, changes: Iterable[SettingChange]) -> str:
    for change in changes:
        kept = [s.text for s in parse_main_cf(text).settings if s.name != change.name]
        text = "".join(map(end_line, kept))
        if change.before is not None:
            text += f"{change.name} = {change.before}\n"
    return text


_Entries = Mapping[tuple[tuple[str, str], int], MasterEntry]


def _index_entries(text: str) -> _Entries:
    """The entries by key, and number among those of one key."""
    indexed: dict[tuple[tuple[str, str], int], MasterEntry] = {}
    for entry in parse_master_cf(text).entries:
        number = sum(key == entry.key for key, _ in indexed)
        indexed[entry.key, number] = entry
    return indexed


def _master_changes(before: _Entries, now: _Entries) -> Iterator[SettingChange]:
    for key, entry in now.items():
        old = before.get(key)
        if old is None or _frame_of(old) != _frame_of(entry):
            was = None if old is None else old.text
            yield SettingChange("", was, entry.text, entry.name, key, entry.line)
        else:
            yield from _option_changes(key, old, entry)
    for key, entry in before.items():
        if key not in now:
            yield SettingChange("", entry.text, None, entry.name, key)


def _frame_of(entry: MasterEntry) -> tuple[object, ...]:
    """An entry without its options: fields, with the name as its service, and other arguments.

    A number of processes or a chroot is a difference of the whole entry.
    """
    others = tuple(argument.value for argument in entry.arguments if not argument.name)
    return (entry.key, entry.fields[2:], others)


def _option_changes(
    key: tuple[tuple[str, str], int], before: MasterEntry, now: MasterEntry
) -> Iterator[SettingChange]:
    last = {argument.name: argument for argument in now.arguments if argument.name}
    old, new = before.options, now.options
    for name, value in new.items():
        if name not in old or _squeeze_spaces(old[name]) != _squeeze_spaces(value):
            line = now.line + now.text[: last[name].start].count("\n")
            yield SettingChange(name, old.get(name), value, now.name, key, line)
    for name, value in old.items():
        if name not in new:
            yield SettingChange(name, value, None, now.name, key, now.line)


def _put_master_back(text: str, recorded: str, changes: Iterable[SettingChange]) -> str:
    changes = list(changes)
    if not changes:
        return text
    entries, old = dict(_index_entries(text)), _index_entries(recorded)
    for change in changes:
        assert change.key is not None
        if not change.name and change.before is None:
            entries.pop(change.key, None)
        elif not change.name:
            entries[change.key] = old[change.key]
        else:
            options = [a for a in old[change.key].arguments if a.name == change.name]
            entries[change.key] = _replace_option(
                entries[change.key], change.name, old[change.key], options[-1:]
            )
    return "".join(end_line(entry.text) for entry in entries.values())


def _replace_option(
    entry: MasterEntry, name: str, old: MasterEntry, options: Iterable[Argument]
) -> MasterEntry:
    """The entry with another entry's option in place of all of its options of that name."""
    text = entry.text
    present = [argument for argument in entry.arguments if argument.name == name]
    for argument in sorted(present, key=lambda removed: removed.start, reverse=True):
        text = text[: argument.start].rstrip(" \t") + text[argument.end :]
    kept = "\n".join(line for line in text.split("\n") if line.strip())
    added = "".join(f"\n  {old.text[option.start : option.end]}" for option in options)
    return parse_entry(f"{kept}{added}\n", entry.line)


def _squeeze_spaces(value: str) -> str:
    return " ".join(value.split())
