"""The list of dependencies, the page that justifies them, and the locks agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    assert match, f"{requirement!r} does not begin with a package's name"
    return match.group().lower()


def _declared() -> dict[str, set[str]]:
    """Section of docs/dependencies.md → what pyproject.toml declares for it."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = data["dependency-groups"]
    return {
        "At run time": {_name(r) for r in data["project"]["dependencies"]},
        "To build": {_name(r) for r in groups["build"]},
        "To develop": {_name(r) for r in groups["dev"]},
        "To publish (the extra `site`)": {
            _name(r) for r in data["project"]["optional-dependencies"]["site"]
        },
    }


def _justified() -> dict[str, set[str]]:
    """Section of docs/dependencies.md → the packages that its table's first column names."""
    sections: dict[str, set[str]] = {}
    title = ""
    for line in (ROOT / "docs" / "dependencies.md").read_text().splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif row := re.match(r"\| `([^`]+)` \| \S", line):
            sections.setdefault(title, set()).add(row.group(1))
    return sections


def test_each_dependency_has_its_reason_and_each_reason_its_dependency() -> None:
    """Every dependency has a reason, and every reason a dependency."""
    justified = _justified()
    for section, names in _declared().items():
        assert justified[section] == names


def test_locks_hold_every_declared_dependency_with_a_hash() -> None:
    """scripts/setup installs from the locks alone: what is not in them is not installed."""
    declared = _declared()
    expected = {"run": declared["At run time"] | declared["To build"]}
    expected["dev"] = expected["run"] | declared["To develop"]
    for lock, names in expected.items():
        text = (ROOT / "requirements" / f"{lock}.txt").read_text()
        hashed = set(re.findall(r"^([a-z0-9._-]+)==\S+.*\\\n    --hash=sha256:", text, re.M))
        assert names <= hashed


def test_the_two_locks_agree() -> None:
    """A tool tested with one version of a library must not run with another at the user's."""
    run, dev = (
        dict(re.findall(r"^(\S+)==(\S+)", lock.read_text(), re.M))
        for lock in (ROOT / "requirements" / "run.txt", ROOT / "requirements" / "dev.txt")
    )
    assert run
    assert {name: dev.get(name) for name in run} == run


def test_locks_name_no_place() -> None:
    """A lock made on one machine must not send another one to that machine's mirror or folder."""
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert not re.search(r"https?://|file:|--(extra-)?index|--find-links", lock.read_text())
    npm_lock = (ROOT / "requirements" / "npm" / "package-lock.json").read_text()
    assert '"integrity": "sha512-' in npm_lock
    assert not re.search(r'"resolved": "[a-z+]*://', npm_lock)
