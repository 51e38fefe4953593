"""Reading and writing snapshots, and the candidate that one was recorded of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from harness.cli.candidate import named_candidate
from harness.cli.candidate_options import CandidateOptions
from harness.config_input.forms import Footing
from harness.config_input.text import STDIN
from harness.errors import FileLocation, HarnessError, InfrastructureError, UsageError
from harness.files import replace_file
from harness.paths import cache_dir
from harness.scenarios.configuration_source import read_source
from harness.scenarios.scenario import Scenario
from harness.snapshots.recorded_candidate import RecordedCandidate, SettingChange
from harness.snapshots.setting_lines import find_setting_line
from harness.snapshots.snapshot import Snapshot
from harness.snapshots.snapshot_file import load_snapshot
from harness.snapshots.snapshot_text import format_snapshot

#: Values of the environment variable CI that mean: no.
_NOT_CI = ("", "0", "false", "no")


def refuse_in_ci(path: Path, *, force: bool) -> None:
    """Refuse to change a snapshot where CI runs: a pipeline that does is always green.

    Raises:
        UsageError: the environment variable CI is set, and --force was not given.
    """
    if os.environ.get("CI", "").lower() not in _NOT_CI and not force:
        raise UsageError(
            f"{path} is not changed where CI is set",
            cause="a pipeline that updates its own snapshot never fails",
            next_step="update it on your machine and commit it, or add --force",
        )


def write_snapshot(path: Path, change: Callable[[Snapshot | None], Snapshot]) -> Snapshot:
    """Change a snapshot as a whole: read, changed and replaced with a lock held.

    ``change`` gets the file's content, None where there is no file. Gives what was written.

    Raises:
        InfrastructureError: the file cannot be written; the one that was there is unchanged.
        FileError: the file that is there is no snapshot.
    """
    path = path.resolve()
    name = hashlib.sha256(str(path).encode()).hexdigest()[:24]
    lock = cache_dir() / "locks" / f"snapshot-{name}.lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            is_there = path.exists()
            snapshot = change(load_snapshot(path) if is_there else None)
            mode = path.stat().st_mode & 0o777 if is_there else 0o644
            replace_file(path, format_snapshot(snapshot), mode=mode)
    except HarnessError:
        raise
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {path}: {error.strerror}",
            cause="the folder is read-only, or the disk is full",
            next_step="make the folder writable, or name another file",
        ) from error
    return snapshot


def names_for_snapshot(names: Iterable[str], path: Path) -> tuple[str, ...]:
    """The names of files and folders, relative to the snapshot's folder; others as they are.

    Standard input and pipes are no names: the snapshot's own settings stand for them.
    """
    kept = []
    for name in names:
        if name == str(STDIN) or name.startswith("/dev/"):
            return ()
        there = not Path(name).is_absolute() and Path(name).exists()
        kept.append(
            Path(os.path.relpath(Path(name).resolve(), path.resolve().parent)).as_posix()
            if there
            else name
        )
    return tuple(kept)


def read_candidate_of(
    snapshot: Snapshot,
    path: Path,
    names: Sequence[str],
    service: str | None,
    reading: CandidateOptions,
    scenarios: dict[str, Scenario],
) -> tuple[Scenario, tuple[str, ...]]:
    """The candidate to check, and the names that it was read from.

    It is the one that the command line names, else what the snapshot was recorded of, read again;
    where that was standard input or a container, the recorded settings themselves.

    Raises:
        UsageError: it cannot be read, or only its settings are known and it needs further files.
    """
    recorded = snapshot.candidate
    options = replace(
        reading,
        footing=reading.footing or (Footing.WHOLE if recorded.whole else Footing.LINES),
        as_is=reading.as_is or recorded.as_is,
    )
    if names or reading.container is not None:
        given = tuple(names)
    elif recorded.names:
        given = tuple(_resolve_name(name, path) for name in recorded.names)
    else:
        return _recorded_scenario(recorded, path), ()
    candidate = named_candidate(
        given, scenarios, service or recorded.service or None, options=options
    )
    return candidate, given


def make_locate(names: Sequence[str]) -> Callable[[SettingChange], FileLocation]:
    """Where a setting stands: in the named files, else in the candidate as it was read."""
    paths = [name for name in names if Path(name).exists() and not name.startswith("/dev/")]
    try:
        texts = dict(read_source(paths).texts)
    except HarnessError:
        texts = {}

    def locate(change: SettingChange) -> FileLocation:
        place = find_setting_line(texts, change)
        of_name = [path for path in texts if path.name == change.file]
        return place or FileLocation(next(iter(of_name), Path(change.file)), change.line)

    return locate


def _resolve_name(name: str, path: Path) -> str:
    """A recorded name as a path from here; a scenario's id stays as it is."""
    beside = path.parent / name
    return os.path.relpath(beside) if beside.exists() and not Path(name).is_absolute() else name


def _recorded_scenario(recorded: RecordedCandidate, path: Path) -> Scenario:
    if recorded.files:
        raise UsageError(
            f"{path} was recorded of a configuration with further files, whose content it has not",
            next_step=f"name the configuration: postfix-matrix check {path} CONFIGURATION",
        )
    return recorded.scenario()
