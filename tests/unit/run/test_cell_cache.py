"""The cache of entries: what it gives back, and what it removes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.run.cell_cache import CellCache


def test_an_entry_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Another process reads it; the last one that was written counts."""
    cache = CellCache(tmp_path / "cells")
    assert not cache.has("a")
    cache.write("a", {"log": ["ä ☃ \udce4"]})
    cache.write("a", {"log": ["ä ☃"]})
    assert CellCache(tmp_path / "cells").read("a") == {"log": ["ä ☃"]}
    assert cache.has("a")
    assert cache.damaged == 0


@pytest.mark.parametrize("damage", ["", "half", "changed", "\x00" * 50])
def test_a_damaged_entry_is_removed_and_counted(tmp_path: Path, damage: str) -> None:
    """A cell whose bytes are not what was written must not become a result."""
    cache = CellCache(tmp_path)
    cache.write("a", {"outcome": "accepted"})
    path = tmp_path / "a.json"
    text = path.read_text("utf-8")
    changed = {"half": text[: len(text) // 2], "changed": text.replace("accepted", "refused ")}
    path.write_text(changed.get(damage, damage), "utf-8")
    assert cache.read("a") is None
    assert cache.damaged == 1
    assert not path.exists()
    assert cache.read("a") is None
    assert cache.damaged == 1


def test_the_entries_that_were_not_read_for_longest_go_first(tmp_path: Path) -> None:
    """The folder does not grow without limit, and what is in use stays."""
    cache = CellCache(tmp_path, most_bytes=4000)
    for number in range(8):
        cache.write(f"{number}", {"text": "x" * 500})
        os.utime(tmp_path / f"{number}.json", (number, number))
    assert cache.read("0") is not None
    cache.prune()
    left = sorted(path.stem for path in tmp_path.iterdir())
    assert left == ["0", "4", "5", "6", "7"][-len(left) :] or left == ["0", "4", "5", "6", "7"]
    assert "0" in left
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3000
    cache.prune()
    assert sorted(path.stem for path in tmp_path.iterdir()) == left


def test_a_folder_that_cannot_be_written_costs_no_result(tmp_path: Path) -> None:
    """verify goes on without a cache."""
    (tmp_path / "file").write_text("", "utf-8")
    cache = CellCache(tmp_path / "file")
    cache.write("a", {})
    cache.prune()
    assert cache.read("a") is None
    assert cache.damaged == 0
