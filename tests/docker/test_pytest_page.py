"""docs/pytest.md, executed: its files in a project, its tests on its builds."""

from __future__ import annotations

import re

import pytest

from tests.pytest_sessions import ROOT, prepare, run_pytest
from tests.unit.project.pages import Page

pytestmark = [pytest.mark.docker, pytest.mark.nightly]
_PATH = ROOT / "docs" / "pytest.md"
PAGE = Page(_PATH, _PATH.read_text("utf-8"))
#: Blocks that are files of the project: their first line names them.
_NAMED = re.compile(r"# (?P<name>[\w./-]+)\n")


def test_every_block_of_the_page_works(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects what readers copy: every file of the page is written as it is, every test passes."""
    prepare(monkeypatch)
    names = []
    for block in PAGE.blocks():
        if block.info == "console docker":
            continue
        match = _NAMED.match(block.text)
        assert match is not None, f"line {block.line}: its first line does not name a file"
        path = pytester.path / match["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        names.append(match["name"])
    tests = [name for name in names if name.startswith("test_")]
    assert len(tests) >= 5
    options = ("--postfix-builds", "debian-12", "--postfix-time-limit", "60")
    monkeypatch.delenv("CI", raising=False)
    recorded = run_pytest(pytester, *options, "--postfix-update", "test_snapshot.py")
    assert recorded.ret == 0
    assert (pytester.path / "test_snapshot.harden.json").is_file()
    result = run_pytest(pytester, *options, *tests, "scenarios")
    assert result.ret == 0
    passed = result.parseoutcomes()["passed"]
    assert passed == PAGE.text.count("\ndef test_") + 1 + 1, "test_harden has two builds"
