"""The files of snapshots: no two tests share one, and all builds of a test do."""

from __future__ import annotations

import pytest

from harness.pytest_plugin.snapshot_names import name_snapshot, without_build


@pytest.mark.parametrize(
    ("classes", "test", "parameters", "name", "expected"),
    [
        ((), "test_harden", "", "", "test_mail.harden.json"),
        ((), "test_harden", "", "first", "test_mail.harden.first.json"),
        (("TestRelay",), "test_harden", "", "", "test_mail.TestRelay.harden.json"),
        (("TestRelay", "TestIn"), "test_a", "", "", "test_mail.TestRelay.TestIn.a.json"),
        ((), "test_harden", "strict-1", "", "test_mail.harden-strict-1.json"),
        ((), "check_mail", "", "", "test_mail.check_mail.json"),
        ((), "test", "", "", "test_mail.test.json"),
    ],
)
def test_a_name_has_class_and_parameters(
    classes: tuple[str, ...], test: str, parameters: str, name: str, expected: str
) -> None:
    """Protects tests from each other's files; a plain function's name stays as it was."""
    assert name_snapshot("test_mail", classes, test, parameters, name) == expected


def test_unusual_parameters_are_told_apart() -> None:
    """Protects parameters that differ only in what a file's name cannot have."""
    texts = ["a/b", "a b", "a.b", "a-b", "ä", "ö", "x" * 70, "x" * 71, "[]"]
    names = {name_snapshot("m", (), "test_a", text) for text in texts}
    assert len(names) == len(texts)
    assert all(len(name) < 90 and "/" not in name and name.count(".") == 2 for name in names)


@pytest.mark.parametrize(
    ("test_id", "expected"),
    [
        ("debian-12", ""),
        ("debian-12-strict", "strict"),
        ("strict-debian-12", "strict"),
        ("a-debian-12-b", "a-b"),
        ("debian-12-debian-12", "debian-12"),
    ],
)
def test_the_build_is_no_part_of_the_name(test_id: str, expected: str) -> None:
    """Protects one file for all builds of a test."""
    assert without_build(test_id, "debian-12") == expected
