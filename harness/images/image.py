"""An image that the engine has, and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.images.provenance import Versions


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the engine; ``name`` is the recipe's, or the one that the user gave the image.

    ``versions`` are those that were read back from it, None if it is not a build under test.
    ``pulled`` is the registry's name for it, ``HOST/NAME@sha256:…``; "" if it was built here.
    """

    name: str
    reference: str
    id: str
    labels: Mapping[str, str]
    versions: Versions | None = None
    pulled: str = ""


def labels_of(attrs: Mapping[str, Any]) -> dict[str, str]:
    """The labels in the engine's description of an image."""
    return dict((attrs.get("Config") or {}).get("Labels") or {})
