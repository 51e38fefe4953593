"""An image that is there, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.images.provenance import Versions


@dataclass(frozen=True, slots=True)
class Image:
    """``name`` is the recipe's, or the user's for an image of theirs; ``reference`` leads to it.

    ``versions`` is what was read back from it, None where it is no build under test.
    """

    name: str
    reference: str
    id: str
    labels: Mapping[str, str]
    versions: Versions | None = None


def labels_of(attrs: Mapping[str, Any]) -> dict[str, str]:
    """The labels in what the engine tells of an image."""
    return dict((attrs.get("Config") or {}).get("Labels") or {})
