"""The fixture ``postfix_snapshot``: what it refuses before anything is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.pytest_plugin.fixture_snapshot import check_level
from harness.snapshots.values import SessionLevel
from tests.unit.snapshots.snapshot_samples import recorded


def test_a_snapshot_of_another_level_is_refused() -> None:
    """Protects ``level="exact"``: a file that keeps less must not let the test pass."""
    path = Path("test_mail.harden.json")
    check_level(path, recorded(), SessionLevel())
    with pytest.raises(UsageError, match="has the level behaviour, and the test names exact"):
        check_level(path, recorded(), SessionLevel(exact=True))
