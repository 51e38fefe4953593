"""The folder of a site: recognised by its marker, written beside, and switched at once.

A reader, or a killed publication, sees the old site whole or the new one whole.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.data_models import show_value
from harness.errors import FileError, FileLocation, InfrastructureError, UsageError
from harness.input_files import is_there, read_text_file
from harness.json_text import parse_json

MARKER = "postfix-matrix-site.json"
#: Version of the site's form: addresses, data and state. Raised when an older one cannot be read.
SITE_VERSION = 1
_AT_CURRENT_FOLDER = -100
_EXCHANGE = 2


def check_site_folder(into: Path) -> bool:
    """Whether there is a site of this version in a folder; False where there is none yet.

    Raises:
        UsageError: it is something else, or a site of another version.
    """
    marker = into / MARKER
    if is_there(into) and not into.is_dir():
        raise UsageError(f"{into} is no folder", next_step="name a folder for the site")
    if is_there(marker):
        _check_version(marker)
        return True
    foreign = [path.name for path in into.iterdir() if path.name != ".git"] if into.exists() else []
    if foreign:
        raise UsageError(
            f"{into} is not a site and not empty: it has {sorted(foreign)[0]}",
            cause=f"a site has a file {MARKER}; its folder is replaced as a whole",
            next_step="name a new or an empty folder",
        )
    return False


def _check_version(marker: Path) -> None:
    step = "publish all kept runs into a new folder"
    data = parse_json(read_text_file(marker, next_step=step), marker, next_step=step)
    version = data.get("version") if isinstance(data, dict) else None
    if type(version) is not int:
        place = FileLocation(marker, key="version")
        what = f"cannot be {show_value(version)}"
        raise FileError(place, what, expected=str(SITE_VERSION), next_step=step)
    if version != SITE_VERSION:
        age = "older" if version < SITE_VERSION else "newer"
        raise UsageError(
            f"{marker.parent} is a site of version {version}, this tool writes {SITE_VERSION}",
            cause=f"it was written by an {age} postfix-matrix"
            if age == "older"
            else "it was written by a newer postfix-matrix",
            next_step="publish all kept runs into a new folder, then replace the old one"
            if age == "older"
            else "use the version of postfix-matrix that wrote it",
        )


@contextmanager
def replace_site(into: Path) -> Iterator[Path]:
    """A new folder to write the site into; it takes the old one's place when the block ends.

    After an error the old site is as it was. Of two publications into one folder, the second is
    refused.

    Raises:
        UsageError: the folder is something else (:func:`check_site_folder`).
        InfrastructureError: another process publishes into it, or it cannot be replaced.
    """
    # A symbolic link stays one: the folder that it names is replaced.
    into = into.resolve()
    into.parent.mkdir(parents=True, exist_ok=True)
    with _lock_site(into):
        _recover_site(into)
        check_site_folder(into)
        staging = Path(tempfile.mkdtemp(prefix=f".{into.name}.new-", dir=into.parent))
        staging.chmod(0o755)
        try:
            yield staging
            _write_marker(staging)
            _switch_folders(staging, into)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _lock_site(into: Path) -> Iterator[None]:
    """Keep other publications out of a folder; the lock's file goes with the lock.

    Only the holder removes the file. One that opened it before may then lock a file without a
    name, which is no lock: ``filelock`` cannot tell, so it is not used here.

    Raises:
        InfrastructureError: another process has the lock.
    """
    path = into.parent / f".{into.name}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(descriptor), path.stat()):
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            raise InfrastructureError(
                f"another process publishes into {into}", next_step="wait until it has ended"
            ) from None
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()
    finally:
        os.close(descriptor)


@contextmanager
def reading_site_file(path: Path) -> Iterator[None]:
    """Report a file of the old site that is not as a publication wrote it.

    Raises:
        UsageError: reading it raised an error.
    """
    try:
        yield
    # pyarrow's errors are ValueErrors and OSErrors, but for a file that lacks a column (KeyError).
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"a file of the site cannot be read: {path}: {what}",
            cause="it was changed or removed after the site was written",
            next_step="publish all kept runs into a new folder",
        ) from None


def keep_file(old: Path, new: Path, name: str) -> bool:
    """Take a file of the old site over, without copying where the file system can; False: none."""
    source, target = old / name, new / name
    if not source.is_file():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return True
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return True


def _write_marker(staging: Path) -> None:
    entries = sorted(path.name for path in staging.iterdir())
    text = json.dumps({"version": SITE_VERSION, "entries": [*entries, MARKER]}, indent=1)
    (staging / MARKER).write_text(text + "\n", encoding="utf-8")


def _switch_folders(staging: Path, into: Path) -> None:
    """Put the new folder in the old one's place; what is not the site's own moves along."""
    try:
        if not into.exists():
            staging.rename(into)
            return
        old = into.parent / f".{into.name}.old-{os.getpid()}"
        # Named so before they change places: what a kill leaves under this name is never removed
        # before all that is not the site's own was carried to the new one.
        staging.rename(old)
        if not _exchange_folders(old, into):
            old.rename(staging)
            into.rename(old)
            staging.rename(into)
        _carry_foreign(old, into)
        shutil.rmtree(old)
    except OSError as error:
        raise InfrastructureError(
            f"cannot replace {into}: {error.strerror}",
            cause="it is a mount point, or its parent folder is read-only",
            next_step="publish into a folder below it",
        ) from error


def _exchange_folders(first: Path, second: Path) -> bool:
    """Let two folders change places in one step (renameat2(2)); False where that cannot be."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    names = (os.fsencode(first), os.fsencode(second))
    answer = renameat2(
        _AT_CURRENT_FOLDER, names[0], _AT_CURRENT_FOLDER, names[1], ctypes.c_uint(_EXCHANGE)
    )
    return bool(answer == 0)


def _carry_foreign(old: Path, new: Path) -> None:
    """Move what no publication wrote (.git, CNAME) from the old folder to the new one."""
    try:
        entries = set(json.loads((old / MARKER).read_text(encoding="utf-8"))["entries"])
    except (OSError, ValueError, KeyError):
        entries = set()
    for path in old.iterdir():
        if path.name not in entries and not (new / path.name).exists():
            path.rename(new / path.name)


def _recover_site(into: Path) -> None:
    """End what a killed publication left: its unfinished folder goes, the old site comes back."""
    for left in into.parent.glob(f".{into.name}.old-*"):
        if not into.exists():
            left.rename(into)
            continue
        _carry_foreign(left, into)
        shutil.rmtree(left, ignore_errors=True)
    for left in into.parent.glob(f".{into.name}.new-*"):
        shutil.rmtree(left, ignore_errors=True)
