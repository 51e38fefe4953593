"""Gives bad inputs to the command line, and checks that each is refused and leaves nothing.

``python -m tests.campaign.run_campaign --seed 7 --count 15000`` prints how many of each kind went
right. The unit tests run a smaller campaign (``tests/unit/campaign``), with the seed in the test.

Each case runs in this process, in a folder of its own, which is home, cache and place for temporary
files too. It is right if

- it ends, with an exit code that the case allows;
- standard error has no traceback, and names the place;
- nothing was started: no process, and no connection, not even to the Docker engine;
- nothing was left behind: no file is new, changed or missing;
- no control character, and none that changes the direction of text, was printed.

The cases are made by ``argument_inputs`` (command lines), ``file_inputs`` and ``folder_inputs``;
the same seed gives the same.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from unittest.mock import patch

from harness.cli.main import run_cli
from tests.campaign.argument_inputs import argument_cases
from tests.campaign.case import CampaignCase
from tests.campaign.file_inputs import file_cases

#: Bad command lines for one seed.
ARGUMENTS = 800
#: A case that has not ended after this many seconds counts as one that hangs. It says nothing about
#: speed: a busy machine takes a hundredth of it.
HANG_LIMIT = 60.0
#: Bytes of memory that a case may take: one that reads an endless file fails, and not this machine.
MEMORY_LIMIT = 1 << 30
#: What a program prints where it did not expect an error.
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)|this is a bug of postfix-matrix")
#: Control characters but tab and line feed, and those that change the direction of text.
_RAW = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
#: Audit events of Python for what a refused command must not do.
_STARTS = frozenset(
    {"subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn", "os.system", "os.spawn"}
    | {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
)
#: Variables of this machine that would change what a command does.
_CLEARED = ("CI", "GITHUB_", "GITLAB_", "POSTFIX_MATRIX_", "DOCKER_", "SLURM_", "JOB_", "PYTEST_")

#: The starts that the audit hook saw in the case that runs; None while none runs.
_starts: list[str] | None = None


class CaseHangsError(BaseException):
    """A case has not ended in time. No Exception, so that no code takes it for an error."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How a case ended, for any process to read. ``faults`` is empty where all was right."""

    id: str
    kind: str
    exit_code: int | None
    faults: tuple[str, ...]
    errors: str

    def __str__(self) -> str:
        return f"{self.id}: {'; '.join(self.faults)}\n{self.errors[:2000]}"


@dataclass(frozen=True, slots=True)
class _Ending:
    """What a command line gave: exit code (None: it hangs), both outputs, and what it started."""

    exit_code: int | None
    output: str
    errors: str
    starts: tuple[str, ...]


def make_cases(seed: int, count: int) -> list[CampaignCase]:
    """The cases of a campaign, at least ``count``, with ids that are unique.

    The cases of one seed are bad command lines and bad files. What ``count`` has more is of the
    seeds that follow.
    """
    cases: list[CampaignCase] = []
    while len(cases) < count:
        number = seed + len({case.id.partition(":")[0] for case in cases})
        for case in (*argument_cases(number, ARGUMENTS), *file_cases(number)):
            cases.append(replace(case, id=f"{number}:{case.id}"))
    repeated = [name for name, times in Counter(case.id for case in cases).items() if times > 1]
    assert not repeated, f"two cases have the id {repeated[0]}"
    return cases


def run_case(case: CampaignCase, folder: Path) -> CaseResult:
    """Run a case in a folder, which is made and removed."""
    places = {name: folder / name for name in ("work", "home", "temporary")}
    for place in places.values():
        place.mkdir(parents=True)
    try:
        with _surroundings(places):
            case.build(places["work"])
            arguments = case.argv(places["work"])
            before = describe_tree(folder)
            ending = _run_command(arguments)
            changed = describe_changes(before, describe_tree(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return CaseResult(
        case.id,
        case.kind,
        ending.exit_code,
        tuple(_find_faults(case, ending, changed)),
        ending.errors,
    )


def describe_tree(folder: Path) -> dict[str, str]:
    """Each entry below a folder by its path, with what changes where it is written."""
    entries: dict[str, str] = {}
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(parent, name)
            status = path.lstat()
            is_folder = name in folders and not path.is_symlink()
            stamps = "" if is_folder else f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
            entries[str(path.relative_to(folder))] = f"{status.st_mode:o} {stamps}"
    return entries


def describe_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The entries that are new, missing or changed."""
    new = [f"{path!r} is left behind" for path in after if path not in before]
    missing = [f"{path!r} is missing" for path in before if path not in after]
    changed = [
        f"{path!r} is changed" for path in after if before.get(path, after[path]) != after[path]
    ]
    return new + missing + changed


def _find_faults(case: CampaignCase, ending: _Ending, changed: Iterable[str]) -> Iterator[str]:
    if ending.exit_code is None:
        yield "it hangs"
    elif ending.exit_code not in case.exit_codes:
        yield f"exit code {ending.exit_code}, not {' or '.join(map(str, sorted(case.exit_codes)))}"
    if _TRACEBACK.search(ending.errors):
        yield "a traceback"
    yield from (f"{text!r} is not named" for text in case.mentions if text not in ending.errors)
    if 3 not in case.exit_codes:
        yield from (f"started: {start}" for start in ending.starts)
    yield from changed
    if raw := _RAW.search(ending.output + ending.errors):
        yield f"printed the character {raw[0]!r} as it is"


@contextlib.contextmanager
def _surroundings(places: Mapping[str, Path]) -> Iterator[None]:
    """The case's folder is the current one, and all that a command writes by default lies below."""
    home = places["home"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(_CLEARED)}
    variables |= {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_RUNTIME_DIR": str(home / "runtime"),
        "TMPDIR": str(places["temporary"]),
        "DOCKER_HOST": f"unix://{home}/no-engine.sock",
    }
    current = Path.cwd()
    with patch.dict(os.environ, variables, clear=True), patch.object(tempfile, "tempdir", None):
        os.chdir(places["work"])
        try:
            yield
        finally:
            os.chdir(current)


def _run_command(arguments: list[str]) -> _Ending:
    """Run a command line as a process would, with standard input at its end."""
    global _starts
    output = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    errors = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)
    empty = io.TextIOWrapper(io.BytesIO(), "utf-8")
    code: int | None = None
    _install_hook()
    with (
        patch.object(sys, "stdin", empty),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
        _time_limit(HANG_LIMIT),
        _memory_limit(MEMORY_LIMIT),
    ):
        _starts = []
        try:
            code = run_cli(arguments)
        except CaseHangsError:
            code = None
        finally:
            starts, _starts = tuple(dict.fromkeys(_starts)), None
    texts = [
        stream.buffer.getvalue().decode("utf-8", "backslashreplace") for stream in (output, errors)
    ]
    return _Ending(code, texts[0], texts[1], starts)


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`CaseHangsError` after that time, in the main thread."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise CaseHangsError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _memory_limit(size: int) -> Iterator[None]:
    """Let this process take no more than ``size`` bytes more than it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text("utf-8").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


_is_installed = False


def _install_hook() -> None:
    """Watch this process for starts. Python can remove no audit hook: it is installed once."""
    global _is_installed
    if not _is_installed:
        sys.addaudithook(_note_start)
        _is_installed = True


def _note_start(event: str, arguments: tuple[object, ...]) -> None:
    if _starts is not None and event in _STARTS:
        _starts.append(f"{event} {arguments[1:2] if event == 'socket.connect' else arguments[:2]}")


def run_part(seed: int, count: int, part: int, parts: int) -> list[CaseResult]:
    """Run one of several parts of a campaign: each takes every so many cases."""
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        cases = make_cases(seed, count)[part::parts]
        return [run_case(case, Path(folder, str(index))) for index, case in enumerate(cases)]


def format_table(results: Sequence[CaseResult]) -> list[str]:
    """The counts per kind, right and wrong, and over all."""
    right = Counter(result.kind for result in results if not result.faults)
    wrong = Counter(result.kind for result in results if result.faults)
    kinds = sorted({result.kind for result in results})
    width = max(map(len, [*kinds, "all"]))
    rows = [(kind, right[kind], wrong[kind]) for kind in kinds]
    rows.append(("all", right.total(), wrong.total()))
    head = f"{'kind':<{width}}  right  wrong"
    return [head, *(f"{kind:<{width}}  {good:5}  {bad:5}" for kind, good, bad in rows)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign, and print the table; the exit code is 1 where a case is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same cases")
    parser.add_argument("--count", type=int, default=1500, help="about how many cases")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    given = parser.parse_args(arguments)
    tasks = [(given.seed, given.count, part, given.jobs) for part in range(given.jobs)]
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        parts = pool.starmap(run_part, tasks)
    results = [result for part in parts for result in part]
    for result in results:
        if result.faults:
            print(f"{result}\n")
    print("\n".join(format_table(results)))
    return 1 if any(result.faults for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
