"""What a compiler refused stays refused, while what it was made from is the same: tried once.

The tag is a hash of the recipe. It covers neither what a suite's packages are today (the compiler
is one of them), nor which of a release's archives was had; so a refusal is kept with the ids of the
images and the checksums of the archives that it was made from, and holds for these alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.errors import DoesNotBuildError
from harness.images.image import Image
from harness.sources.archives import Archive


def made_from(parents: Mapping[str, Image], archives: Mapping[str, Archive]) -> dict[str, str]:
    """What a refusal depends on beside its recipe.

    Parents' image ids by the argument that takes them, archives' SHA-256 by file name.
    """
    return {
        **{arg: image.id for arg, image in parents.items()},
        **{file: archive.source.sha256 for file, archive in archives.items()},
    }


class Refusals:
    """The memory, in the folder ``refused`` of the cache."""

    def __init__(self, cache_dir: Path) -> None:
        self._dir = cache_dir / "refused"

    def recall(
        self, name: str, reference: str, inputs: Mapping[str, str] | None
    ) -> DoesNotBuildError | None:
        """The refusal of the image that would be ``reference``, if one is remembered.

        ``inputs`` are as of ``made_from``: a refusal of others does not count. None, where nothing
        is had yet, gives whatever is remembered.
        """
        try:
            said = json.loads(self._path(reference).read_text("utf-8"))
            reason, before, log = str(said["reason"]), dict(said["inputs"]), Path(said["log"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if inputs is not None and before != dict(inputs):
            return None
        kept = f"the whole log is {log}; " if log.is_file() else ""
        return DoesNotBuildError(
            name,
            reason,
            cause="remembered from an earlier try with the same input",
            next_step=f"{kept}'postfix-matrix images build --again {name}' tries once more",
        )

    def remember(
        self, reference: str, refusal: DoesNotBuildError, inputs: Mapping[str, str], log: Path
    ) -> None:
        """Keep a refusal; two processes may do so at once, and the last move wins."""
        self._dir.mkdir(parents=True, exist_ok=True)
        said = {"reason": refusal.reason, "inputs": dict(inputs), "log": str(log)}
        with tempfile.NamedTemporaryFile("w", dir=self._dir, delete=False) as part:
            json.dump(said, part)
        Path(part.name).replace(self._path(reference))

    def forget(self, reference: str) -> None:
        """Let the image be tried again."""
        self._path(reference).unlink(missing_ok=True)

    def _path(self, reference: str) -> Path:
        return self._dir / f"{file_name(reference)}.json"


def file_name(reference: str) -> str:
    """``debian-12-0123456789ab`` from ``postfix-matrix/debian-12:0123456789ab``."""
    return reference.rpartition("/")[2].replace(":", "-")
