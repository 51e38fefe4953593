"""The memory of what a compiler refused: the same input is not compiled a second time.

The tag is a hash of the recipe. It covers neither a suite's current packages (the compiler is one
of them), nor which of a release's archives was used; so a refusal is stored with the ids of the
parent images and the checksums of the archives, and holds only for these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness.errors import DoesNotBuildError
from harness.files import replace_file
from harness.images.image import Image
from harness.sources.archives import Archive


def list_inputs(parents: Mapping[str, Image], archives: Mapping[str, Archive]) -> dict[str, str]:
    """The inputs that a refusal depends on besides its recipe.

    Image ids of the parents by build argument, SHA-256 of the archives by file name.
    """
    return {
        **{arg: image.id for arg, image in parents.items()},
        **{file: archive.source.sha256 for file, archive in archives.items()},
    }


class Refusals:
    """The refusals, stored in the folder ``refused`` of the cache."""

    def __init__(self, cache_dir: Path) -> None:
        self._dir = cache_dir / "refused"

    def recall(
        self, name: str, reference: str, inputs: Mapping[str, str] | None
    ) -> DoesNotBuildError | None:
        """The refusal of the image with that ``reference``, if one is stored.

        ``inputs`` are those of ``list_inputs``: a refusal of others does not count. With None, if
        the inputs are not known yet, any stored refusal counts.
        """
        try:
            record = json.loads(self._record_path(reference).read_text("utf-8"))
            reason, earlier_inputs, log = (
                str(record["reason"]),
                dict(record["inputs"]),
                Path(record["log"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if inputs is not None and earlier_inputs != dict(inputs):
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
        """Store a refusal; two processes may do so at once, and the last rename wins."""
        self._dir.mkdir(parents=True, exist_ok=True)
        record = {"reason": refusal.reason, "inputs": dict(inputs), "log": str(log)}
        replace_file(self._record_path(reference), json.dumps(record), mode=0o600)

    def forget(self, reference: str) -> None:
        """Remove the refusal, so that the image is tried again."""
        self._record_path(reference).unlink(missing_ok=True)

    def _record_path(self, reference: str) -> Path:
        return self._dir / f"{file_name(reference)}.json"


def file_name(reference: str) -> str:
    """``debian-12-0123456789ab`` from ``postfix-matrix/debian-12:0123456789ab``."""
    return reference.rpartition("/")[2].replace(":", "-")
