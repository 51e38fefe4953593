"""A folder of entries by name in the user's cache, bounded in size.

An entry is a JSON object after a line with its SHA-256. One that is damaged is removed and counted;
those that were not read for the longest time go first when the folder has become too large.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.files import replace_file
from harness.paths import cache_dir

#: The most that all entries take, in bytes; a cell with its evidence takes 3 to 10 KB.
MOST_BYTES = 64 << 20
_SUFFIX = ".json"


def cell_cache_folder() -> Path:
    """Where ``verify`` keeps the cells that it need not measure again."""
    return cache_dir() / "cells"


class CellCache:
    """The entries of a folder; ``damaged`` counts those that could not be used.

    Several processes may use one folder. A folder that cannot be written costs time, no result.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self.damaged = 0
        self._most_bytes = most_bytes

    def has(self, name: str) -> bool:
        """Whether there is an entry of this name, damaged or not."""
        return self._entry_path(name).is_file()

    def read(self, name: str) -> dict[str, Any] | None:
        """An entry; None: there is none, or it was damaged."""
        path = self._entry_path(name)
        try:
            digest, _, body = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        try:
            if hashlib.sha256(body).hexdigest().encode() != digest:
                raise ValueError("its content is not what was written")
            entry = json.loads(body)
        except ValueError:
            self.discard(name)
            return None
        with suppress(OSError):
            os.utime(path)
        return entry if isinstance(entry, dict) else None

    def write(self, name: str, entry: dict[str, Any]) -> None:
        """Keep an entry, in place of one of the same name."""
        body = json.dumps(entry, ensure_ascii=True)
        digest = hashlib.sha256(body.encode()).hexdigest()
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self._entry_path(name), f"{digest}\n{body}", mode=0o600)

    def discard(self, name: str) -> None:
        """Remove an entry that cannot be used, and count it."""
        self.damaged += 1
        with suppress(OSError):
            self._entry_path(name).unlink()

    def prune(self) -> None:
        """Remove the entries that were not read for the longest time, if all are too large."""
        entries = []
        for path in self.folder.glob(f"*{_SUFFIX}") if self.folder.is_dir() else ():
            with suppress(OSError):  # Another process may have removed it.
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        if total <= self._most_bytes:
            return
        for _, size, path in sorted(entries):
            with suppress(OSError):
                path.unlink()
            total -= size
            # Some room, so that not each writer has to remove some.
            if total <= self._most_bytes * 3 // 4:
                return

    def _entry_path(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"
