"""Images that were built elsewhere: what is checked of them, and the memory of where they are from.

A registry, or who writes to it, may give another image under a recipe's tag. So its labels must be
those that the recipe's image has here; of a build, the versions are read back as well
(``provenance.py``). Who knows the recipe can still forge labels: against that, digests are pinned
(``registry.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import BuildError
from harness.files import replace_file
from harness.images import labels as names
from harness.images.image import labels_of
from harness.images.recipe import Recipe

#: What stamping.py writes: "postfix-3.7.11 sha256:HEX corroborated:1".
_SOURCE = re.compile(r"(?P<release>\S+) sha256:(?P<hash>[0-9a-f]{64}) .+")


class RefusedImageError(BuildError):
    """The image that a registry gave is not the recipe's."""


def has_user_source(recipe: Recipe) -> bool:
    """Whether it, or an image that it is made from, is made from a user's source.

    Such an image is neither pulled nor pushed: the catalog has no checksum for its source.
    """
    return (
        names.UNVERIFIED in recipe.labels
        or any(release.unverified for release in recipe.sources.values())
        or any(has_user_source(parent) for parent in recipe.parents.values())
    )


def check_pulled(
    recipe: Recipe, content_hash: str, attrs: Mapping[str, Any], architecture: str
) -> None:
    """Compare what the engine reports of a pulled image with the recipe.

    ``content_hash`` is the recipe's, ``architecture`` the engine's, such as amd64.

    Raises:
        RefusedImageError: it is not the recipe's image; the message names what differs.
    """
    made_for = str(attrs.get("Architecture") or architecture)
    if made_for != architecture:
        raise RefusedImageError(f"it is for {made_for}, and this engine runs {architecture}")
    labels = labels_of(attrs)
    expected = {**recipe.labels, names.OCI_TITLE: recipe.name, names.RECIPE: content_hash}
    for key, value in expected.items():
        if labels.get(key) != value:
            actual = f"is {labels[key]!r}" if key in labels else "is not there"
            raise RefusedImageError(f"its label {key} {actual}, and should be {value!r}")
    if names.UNVERIFIED in labels:
        raise RefusedImageError("its label says that it was made from a user's source")
    _check_source(recipe, labels.get(names.SOURCE))


def _check_source(recipe: Recipe, label: str | None) -> None:
    """Compare the label of the source with the releases' pinned checksums.

    Raises:
        RefusedImageError: it names another release or another checksum.
    """
    if not recipe.sources:
        return
    match = _SOURCE.fullmatch(label or "")
    pinned = {
        (release.id, source.sha256)
        for release in recipe.sources.values()
        for source in release.sources
    }
    if match is None or (match["release"], match["hash"]) not in pinned:
        raise RefusedImageError(f"its source, {label or 'not labelled'}, is none of the catalog's")


class PulledRecords:
    """Which of the engine's images were pulled, stored in the folder ``pulled`` of the cache.

    By the image's id, which is the digest of its content; the engine forgets where it got it.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._dir = cache_dir / "pulled"

    def recall(self, image_id: str) -> str:
        """``HOST/NAME@sha256:…``, the registry's name for the image; "" if it was not pulled."""
        try:
            return str(json.loads(self._record_path(image_id).read_text("utf-8"))["pulled"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def remember(self, image_id: str, pulled: str) -> None:
        """Store where an image was pulled from."""
        self._dir.mkdir(parents=True, exist_ok=True)
        replace_file(self._record_path(image_id), json.dumps({"pulled": pulled}), mode=0o600)

    def _record_path(self, image_id: str) -> Path:
        return self._dir / f"{image_id.removeprefix('sha256:')}.json"
