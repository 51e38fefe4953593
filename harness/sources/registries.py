"""Packages from npm's and Python's registries for an image, fetched on this machine by lock files.

A container reaches neither: it does not have the certificates of this machine's proxy. The
registries' own tools fetch, and compare each file with the hash in the lock file. The packages of
a lock file are kept in the cache under the hash of that lock file.
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

#: Time limit for npm and pip, in seconds: a Node binary has up to 50 MB.
TIME_LIMIT = 600.0
NPM_LOCK, PIP_LOCK = "package-lock.json", "requirements.txt"
#: Wheels are for the Python of the clients' base suite (bookworm), not for the one that runs here.
PYTHON = "3.11"

_NPM_OPTIONS = (
    # No code of a package is run here, and links to its programs would point to this machine.
    "--ignore-scripts",
    "--no-bin-links",
    "--omit=dev",
    "--omit=optional",
    "--no-audit",
    "--no-fund",
    # Old packages ask for Node versions that they do not need.
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
    """A registry's tool: the lock file that it reads, and the archive of the fetched packages."""

    lock: str
    archive: str
    fetch: Callable[[Path, Path, Cancel], tuple[int, str]]
    names: Callable[[str], list[str]]


def describe_packages(folder: Path) -> str:
    """The packages of a folder's lock files, ``NAME VERSION``, separated by commas."""
    packages = [
        name
        for registry in REGISTRIES
        if (folder / registry.lock).is_file()
        for name in registry.names((folder / registry.lock).read_text("utf-8"))
    ]
    return ", ".join(packages)


def fetch_packages(
    folder: Path, cache_dir: Path, cancel: Cancel, say: Callable[[str], None]
) -> dict[str, Path]:
    """Fetch the packages of a folder's lock files; the archives by their names in a build context.

    Blocks.

    Raises:
        SourceError: the tool is not installed, or failed; or there is no lock file.
        Cancelled: the user cancelled the work.
    """
    archives = {}
    for registry in REGISTRIES:
        lock = folder / registry.lock
        if lock.is_file():
            archives[registry.archive] = _ensure_archive(registry, folder, cache_dir, cancel, say)
    if not archives:
        raise SourceError(f"{folder} has neither {NPM_LOCK} nor {PIP_LOCK}")
    return archives


def _ensure_archive(
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
                _fetch_archive(registry, folder, Path(work), path, cancel)
    return path


def _fetch_archive(
    registry: Registry, folder: Path, work: Path, path: Path, cancel: Cancel
) -> None:
    try:
        code, output = registry.fetch(folder, work, cancel)
    except OSError as error:
        raise SourceError(f"{folder.name}: the registry's tool failed: {error}") from error
    fetched = work / registry.archive.removesuffix(".tar")
    if code != 0 or not fetched.is_dir():
        raise SourceError(
            f"{folder.name}: the packages of {registry.lock} were not fetched: "
            f"{_find_error(output)}",
            cause="the registry is not reached, or has no such file any more",
            next_step=f"look with: cd {folder} && "
            + ("npm ci" if registry.lock == NPM_LOCK else f"pip download -r {PIP_LOCK}"),
        )
    part = work / registry.archive
    with tarfile.open(part, "w") as tar:
        tar.add(fetched, arcname=fetched.name, filter=_drop_owner)
    part.replace(path)


def _drop_owner(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove this machine's owners and times from an archive member."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = "root"
    return info


def _run_npm(folder: Path, work: Path, cancel: Cancel) -> tuple[int, str]:
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


def _run_pip(folder: Path, work: Path, cancel: Cancel) -> tuple[int, str]:
    command = [sys.executable, "-m", "pip", "download", *_PIP_OPTIONS]
    command += ["--dest", str(work / "wheels"), "--requirement", str(folder / PIP_LOCK)]
    return run_program(command, cancel, time_limit=TIME_LIMIT, cwd=work)


def _npm_packages(text: str) -> list[str]:
    packages = json.loads(text)["packages"]
    return [
        f"{path.rpartition('node_modules/')[2]} {package['version']}"
        for path, package in packages.items()
        if path and not package.get("optional")
    ]


def _pip_packages(text: str) -> list[str]:
    return [" ".join(match) for match in re.findall(r"^([\w.-]+)==([^\s\\;]+)", text, re.M)]


def _find_error(output: str) -> str:
    """The line of the tool's output that has the error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(?i)(npm )?err(or|!)", line)]
    return next(iter([*errors, *lines[-1:]]), "it printed nothing")


REGISTRIES = (
    Registry(NPM_LOCK, "node_modules.tar", _run_npm, _npm_packages),
    Registry(PIP_LOCK, "wheels.tar", _run_pip, _pip_packages),
)
