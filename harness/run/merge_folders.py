"""Run folders merged into a new one, which is there as a whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import InfrastructureError, UsageError
from harness.input_files import is_there
from harness.observations.merge_checks import check_complete, check_schemas
from harness.observations.merged_folder import FlakyCell, MergedFolder, merged_record
from harness.observations.run_folder import RunData, has_run, load_run
from harness.reports import write_reports


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The folder, the runs that it was merged from, and the cells that these do not agree on."""

    folder: Path
    runs: tuple[RunData, ...]
    flaky: tuple[FlakyCell, ...]


def merge_folders(
    named: Sequence[Path], target: Path, command: Sequence[str], expected: int | None = None
) -> MergeResult:
    """Merge run folders, or folders of them, into ``target`` and write its reports.

    ``expected``: they must be all of so many shards of one plan.

    Raises:
        UsageError: the target is there already, a folder is no run, or the runs cannot be merged.
        InfrastructureError: the target cannot be written.
    """
    folders = find_runs(named)
    check_schemas(folders)
    runs = tuple(load_run(folder) for folder in folders)
    if expected is not None:
        check_complete(runs, expected)
    target = Path(os.path.realpath(target))
    _check_absent(target)
    with _place_whole(target) as work:
        with closing(MergedFolder(work)) as merged:
            for data in runs:
                merged.add(data)
            merged.write_run(merged_record(merged, runs, command, target.name))
        write_reports(work)
    return MergeResult(target, runs, merged.flaky)


def find_runs(named: Iterable[Path]) -> list[Path]:
    """The run folders that are named, or lie one level below a folder that is named, each once.

    Raises:
        UsageError: a folder neither is a run nor has one.
    """
    runs: dict[Path, None] = {}
    for folder in named:
        # A hidden folder is what a merge, or a run on workers, has not finished.
        below = [path.parent for path in sorted(folder.glob("[!.]*/run.json"))]
        here = [folder] if has_run(folder) else below
        if not here:
            raise UsageError(
                f"there is no run in {folder}",
                cause="no run.json lies in it or one level below it",
                next_step="name run folders, or the folder that --runs named",
            )
        runs |= dict.fromkeys(Path(os.path.realpath(run)) for run in here)
    return list(runs)


def _check_absent(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if is_there(target):
        raise UsageError(
            f"{target} is there already", next_step="name another folder with -o, or remove it"
        )


@contextmanager
def _place_whole(target: Path) -> Iterator[Path]:
    """A folder beside the target, which takes its place at the end; what fails leaves none.

    What a killed merge left beside the target is removed by the next one.
    """
    work = target.with_name(f".{target.name}.merging")
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise UsageError(
            f"another merge writes {target}", next_step="wait until it has ended"
        ) from None
    except OSError as error:
        raise _not_writable(target, error) from error
    try:
        shutil.rmtree(work, ignore_errors=True)
        try:
            yield work
            work.replace(target)
        except OSError as error:
            raise _not_writable(target, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _not_writable(target: Path, error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"{target} cannot be written: {error.strerror or error}",
        cause="the folder above it is read-only, or the disk is full",
        next_step="name another place with -o",
    )
