"""Packages of npm's and Python's registries for an image, fetched on this machine by a lock file.

A container reaches neither: it lacks the certificates of this machine's way out. The registries'
own tools fetch, and hold each file against the lock's hash. What comes of a lock is kept in the
cache under the lock's own hash.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.docker_engine.cancel import (
    Cancel,
    run_program,
)
from harness.docker_engine.locks import exclusive_lock
from harness.errors import SourceError

#: Seconds that npm or pip get: a Node binary has up to 50 MB.
TIME_LIMIT = 600.0
NPM_LOCK, PIP_LOCK = "package-lock.json", "requirements.txt"
#: Wheels are for the Python of the suite that clients stand on (bookworm), whatever runs here.
PYTHON = "3.11"

_NPM_OPTIONS = (
    # Nothing of a package is run here, and its links would point to this machine.
    "--ignore-scripts",
    "--no-bin-links",
    "--omit=dev",
    "--omit=optional",
    "--no-audit",
    "--no-fund",
    # Old packages name engines that they run without.
    "--engine-strict=false",
    "--fetch-retries=2",
)
_PIP_OPTIONS = (
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    f"--python-version={PYTHON}",
    "--implementation=cp",
    "--platform=manylinux2014_x86_64",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux_2_34_x86_64",
    "--platform=manylinux1_x86_64",
    "--platform=manylinux2010_x86_64",
    "--platform=linux_x86_64",
    "--disable-pip-version-check",
    "--no-input",
)


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry's tool: the lock that it reads, and the archive of what it fetched."""

    lock: str
    archive: str
    fetch: Callable[[Path, Path, Cancel], tuple[int, str]]
    names: Callable[[str], list[str]]


def described(folder: Path) -> str:
    """The packages of a folder's locks, ``NAME VERSION``, with commas between."""
    found = [
        name
        for registry in REGISTRIES
        if (folder / registry.lock).is_file()
        for name in registry.names((folder / registry.lock).read_text("utf-8"))
    ]
    return ", ".join(found)


def fetch(
    folder: Path, cache_dir: Path, cancel: Cancel, say: Callable[[str], None]
) -> dict[str, Path]:
    """The archives of a folder's locks, by their names in a build context. Blocks.

    Raises:
        SourceError: the tool is missing, or did not give a package; or there is no lock.
        Cancelled: broken off.
    """
    found = {}
    for registry in REGISTRIES:
        lock = folder / registry.lock
        if lock.is_file():
            found[registry.archive] = _archive(registry, folder, cache_dir, cancel, say)
    if not found:
        raise SourceError(f"{folder} has neither {NPM_LOCK} nor {PIP_LOCK}")
    return found


def _archive(
    registry: Registry,
    folder: Path,
    cache_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
) -> Path:
    digest = hashlib.sha256((folder / registry.lock).read_bytes()).hexdigest()
    path = cache_dir / "packages" / digest / registry.archive
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = "waiting: its packages are being fetched elsewhere"
    with exclusive_lock(path.with_name(".lock"), cancel, lambda: say(waiting)):
        if not path.is_file():
            say(f"fetching the packages of {folder.name}/{registry.lock}")
            with tempfile.TemporaryDirectory(dir=path.parent) as work:
                _make(registry, folder, Path(work), path, cancel)
    return path


def _make(registry: Registry, folder: Path, work: Path, path: Path, cancel: Cancel) -> None:
    try:
        code, words = registry.fetch(folder, work, cancel)
    except OSError as error:
        raise SourceError(f"{folder.name}: the registry's tool failed: {error}") from error
    made = work / registry.archive.removesuffix(".tar")
    if code != 0 or not made.is_dir():
        raise SourceError(
            f"{folder.name}: the packages of {registry.lock} were not fetched: {_reason(words)}",
            cause="the registry is not reached, or has no such file any more",
            next_step=f"look with: cd {folder} && "
            + ("npm ci" if registry.lock == NPM_LOCK else f"pip download -r {PIP_LOCK}"),
        )
    part = work / registry.archive
    with tarfile.open(part, "w") as tar:
        tar.add(made, arcname=made.name, filter=_plain)
    part.replace(path)


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without this machine's owners and times."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = "root"
    return info


def _npm(folder: Path, work: Path, cancel: Cancel) -> tuple[int, str]:
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError(
            "npm is not installed here",
            cause="clients from npm's registry are fetched by its own tool",
            next_step="install it (Debian, Ubuntu: apt-get install npm), then run again",
        )
    for name in ("package.json", NPM_LOCK):
        shutil.copy(folder / name, work)
    return run_program([npm, "ci", *_NPM_OPTIONS], cancel, time_limit=TIME_LIMIT, cwd=work)


def _pip(folder: Path, work: Path, cancel: Cancel) -> tuple[int, str]:
    command = [sys.executable, "-m", "pip", "download", *_PIP_OPTIONS]
    command += ["--dest", str(work / "wheels"), "--requirement", str(folder / PIP_LOCK)]
    return run_program(command, cancel, time_limit=TIME_LIMIT, cwd=work)


def _npm_names(text: str) -> list[str]:
    packages = json.loads(text)["packages"]
    return [
        f"{place.rpartition('node_modules/')[2]} {one['version']}"
        for place, one in packages.items()
        if place and not one.get("optional")
    ]


def _pip_names(text: str) -> list[str]:
    return [" ".join(found) for found in re.findall(r"^([\w.-]+)==([^\s\\;]+)", text, re.M)]


def _reason(words: str) -> str:
    """The line of the tool's that says what was wrong."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(?i)(npm )?err(or|!)", line)]
    return next(iter([*errors, *lines[-1:]]), "it said nothing")


REGISTRIES = (
    Registry(NPM_LOCK, "node_modules.tar", _npm, _npm_names),
    Registry(PIP_LOCK, "wheels.tar", _pip, _pip_names),
)
