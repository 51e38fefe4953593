"""The modules of a cell's way: the page, the script that counts them, and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.measure_code import CELL_WAY

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_and_the_script_list_the_same_modules() -> None:
    """Protects the count: a module more or less on the way is seen on both."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    listed = re.findall(r"^\| \d+ \| `([a-z_/]+)\.py` \|", text, re.MULTILINE)
    assert tuple(path.replace("/", ".") for path in listed) == CELL_WAY


def test_each_module_of_the_way_exists() -> None:
    """Protects readers from a way that leads nowhere."""
    for name in CELL_WAY:
        assert (ROOT / "harness" / f"{name.replace('.', '/')}.py").is_file(), name
