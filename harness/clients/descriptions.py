"""What clients' drivers said of themselves, kept in the user's cache by the id of their image."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.files import replace_file


def recall_description(cache_dir: Path, image_id: str) -> dict[str, Any] | None:
    """What the driver of an image said before; None: it was not asked, or its answer is damaged."""
    try:
        described = json.loads(_record_path(cache_dir, image_id).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return described if isinstance(described, dict) and described else None


def remember_description(cache_dir: Path, image_id: str, described: dict[str, Any]) -> None:
    """Keep a description, unless it is empty; an image's id identifies its bytes."""
    record = _record_path(cache_dir, image_id)
    if described:
        with suppress(OSError):
            record.parent.mkdir(parents=True, exist_ok=True)
            replace_file(record, json.dumps(described), mode=0o600)


def _record_path(cache_dir: Path, image_id: str) -> Path:
    return cache_dir / "described" / f"{image_id.removeprefix('sha256:')}.json"
