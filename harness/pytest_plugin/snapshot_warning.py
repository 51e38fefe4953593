"""The warning of a snapshot that its test does not check as a whole."""

from __future__ import annotations

import pytest


class SnapshotWarning(pytest.PytestWarning):
    """A snapshot has rows that its test does not choose any more."""


#: What a project's ``filterwarnings`` names, and what pytest prints.
SnapshotWarning.__module__ = "postfix_matrix.testing"
