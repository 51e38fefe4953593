"""What a compiler refused stays refused: remembered by the recipe's tag, so it is tried once.

The tag is a hash of all that goes into an image. The same input is refused again in the same words,
minutes later; another source, flag or compiler has another tag.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from harness.errors import DoesNotBuildError


class Refusals:
    """The memory, in the folder ``refused`` of the cache."""

    def __init__(self, cache_dir: Path) -> None:
        self._dir = cache_dir / "refused"

    def recall(self, name: str, reference: str) -> DoesNotBuildError | None:
        """The refusal of the image that would be ``reference``, if one is remembered."""
        try:
            reason = json.loads(self._path(reference).read_text("utf-8"))["reason"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return DoesNotBuildError(
            name,
            str(reason),
            cause="remembered from an earlier try with the same input",
            next_step="'postfix-matrix images build --again' tries once more",
        )

    def remember(self, reference: str, refusal: DoesNotBuildError) -> None:
        """Keep a refusal; two processes may do so at once, and the last move wins."""
        self._dir.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._dir, delete=False) as part:
            json.dump({"reason": refusal.reason}, part)
        Path(part.name).replace(self._path(reference))

    def forget(self, reference: str) -> None:
        """Let the image be tried again."""
        self._path(reference).unlink(missing_ok=True)

    def _path(self, reference: str) -> Path:
        return self._dir / f"{file_name(reference)}.json"


def file_name(reference: str) -> str:
    """``debian-12-0123456789ab`` from ``postfix-matrix/debian-12:0123456789ab``."""
    return reference.rpartition("/")[2].replace(":", "-")
