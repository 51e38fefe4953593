"""How long each image took to build on this machine, for an estimate of the next time."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from harness.files import replace_file

#: A build that took less than this part of the time before had its steps from the engine's cache.
_CACHED_PART = 0.1


class Durations:
    """The durations, stored in the folder ``durations`` of the cache, by the image's name.

    Not by its tag: a recipe that has changed a little takes about as long as before.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._dir = cache_dir / "durations"

    def recall(self, name: str) -> float | None:
        """The seconds that the image took; None if it was not built here yet."""
        try:
            return float(json.loads(self._record_path(name).read_text("utf-8"))["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, name: str, seconds: float) -> None:
        """Store the duration of a build that succeeded."""
        before = self.recall(name)
        if before is not None and seconds < before * _CACHED_PART:
            return
        # An estimate is not worth a failure of what was just built.
        with suppress(OSError):
            self._dir.mkdir(parents=True, exist_ok=True)
            record = json.dumps({"seconds": round(seconds, 1)})
            replace_file(self._record_path(name), record, mode=0o600)

    def _record_path(self, name: str) -> Path:
        return self._dir / f"{name}.json"
