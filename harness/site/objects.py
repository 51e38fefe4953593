"""Files of a site that are named by their SHA-256, and JSON as all of its files have it."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

DATA = "data/v1"
OBJECTS = f"{DATA}/objects"
_LEVEL = 9


def write_object(site: Path, value: Any) -> str:
    """Write JSON under its own hash; its path relative to the site's root."""
    return _write_hashed(site, pack_json(value), "json")


def write_compressed(site: Path, data: bytes) -> str:
    """The same for bytes, compressed."""
    # No time in the header: the same content is the same file.
    return _write_hashed(site, gzip.compress(data, _LEVEL, mtime=0), "json.gz")


def _write_hashed(site: Path, data: bytes, suffix: str) -> str:
    name = f"{OBJECTS}/{hashlib.sha256(data).hexdigest()}.{suffix}"
    path = site / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return name


def pack_json(value: Any) -> bytes:
    """JSON without spaces, in UTF-8; text that is not Unicode is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")
