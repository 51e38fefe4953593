"""Build contexts: a recipe's files, their hashes, and the archive that Docker receives.

Neither the hashes nor the archive depend on times, owners or absolute paths, so they are the same
on two machines with the same files.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.errors import InfrastructureError

#: Files of editors, Python and file managers, which belong to no recipe.
_IGNORED_NAMES = frozenset(
    {"__pycache__", ".DS_Store", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
)
_IGNORED_ENDS = (".pyc", ".pyo", ".swp", "~", ".orig", ".rej")


@dataclass(frozen=True, slots=True)
class ContextFile:
    """One file of a build context; ``name`` is its path there, with forward slashes."""

    name: str
    path: Path
    executable: bool

    @property
    def mode(self) -> int:
        """0755 or 0644: git keeps only the execute bit, so two machines share only that."""
        return 0o755 if self.executable else 0o644


def context_files(folder: Path, extra: Mapping[str, Path]) -> tuple[ContextFile, ...]:
    """The files of a recipe's folder, and of each extra folder below its prefix, sorted by name.

    Raises:
        InfrastructureError: the folder is missing, has no Dockerfile, or two files have one name.
    """
    files = list(_list_files(folder, ""))
    for prefix, extra_folder in extra.items():
        files += _list_files(extra_folder, f"{prefix}/")
    names = [file.name for file in files]
    if "Dockerfile" not in names:
        raise InfrastructureError(
            f"{folder} has no Dockerfile", next_step="restore the folder images/ of the project"
        )
    if len(set(names)) != len(names):
        raise InfrastructureError(f"{folder}: a file of an extra folder hides one of the recipe's")
    return tuple(sorted(files, key=lambda file: file.name))


def write_tar(
    out: BinaryIO, files: tuple[ContextFile, ...], sources: Mapping[str, Path]
) -> dict[str, str]:
    """Write the context as a tar archive that depends only on names, modes and bytes.

    ``sources`` are further files by their name in the context. Returns the SHA-256, in hex, of the
    bytes that were written of each of them.
    """
    hashes: dict[str, str] = {}
    downloads = [ContextFile(name, path, executable=False) for name, path in sources.items()]
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in sorted([*files, *downloads], key=lambda entry: entry.name):
            info = tarfile.TarInfo(entry.name)
            info.size = entry.path.stat().st_size
            info.mode = entry.mode
            with entry.path.open("rb") as file:
                hashed_file = _HashedFile(file)
                tar.addfile(info, hashed_file)
            if entry.name in sources:
                hashes[entry.name] = hashed_file.hash.hexdigest()
    return hashes


class _HashedFile(io.RawIOBase):
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: BinaryIO) -> None:
        self.hash = hashlib.sha256()
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.hash.update(data)
        return data


def dockerfile_tar(text: str) -> io.BytesIO:
    """A context with only this Dockerfile."""
    return pack_files({"Dockerfile": (text.encode(), 0o644)})


def pack_files(files: Mapping[str, tuple[bytes, int]]) -> io.BytesIO:
    """An archive of files, content and mode by their path in it; root owns them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, (data, mode) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    out.seek(0)
    return out


def _list_files(folder: Path, prefix: str) -> Iterator[ContextFile]:
    if not folder.is_dir():
        raise InfrastructureError(
            f"the folder {folder} is missing", next_step="restore the folder images/ of the project"
        )
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        if path.is_file() and not _is_ignored(inside):
            executable = bool(path.stat().st_mode & 0o100)
            yield ContextFile(prefix + inside.as_posix(), path, executable)


def _is_ignored(inside: Path) -> bool:
    return inside.name.endswith(_IGNORED_ENDS) or not _IGNORED_NAMES.isdisjoint(inside.parts)
