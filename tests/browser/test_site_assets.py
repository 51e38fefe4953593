"""The script that a site carries is the bundle of the sources beside it, with all licences."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path

ASSETS = Path(str(files("harness.site"))) / "assets"
NEXT_STEP = "run scripts/site-assets, and commit what it writes"


def hash_sources() -> str:
    """SHA-256 of the sources, as bundle.mjs computes it."""
    digest = hashlib.sha256()
    names = ["package.json", "package-lock.json"]
    names += sorted(f"src/{path.name}" for path in (ASSETS / "src").iterdir())
    for name in names:
        digest.update(f"{name}\n".encode() + (ASSETS / name).read_bytes())
    return digest.hexdigest()


def test_the_bundle_is_made_of_these_sources() -> None:
    """A change of a source or of a package's version without a new bundle is noticed."""
    head = (ASSETS / "site.js").read_text(encoding="utf-8").split("*/")[0]
    assert hash_sources() in head, NEXT_STEP


def test_each_package_is_pinned_with_its_integrity_and_its_licence_is_there() -> None:
    """The lock has a hash for every package; each that is bundled is named with its licence."""
    manifest = json.loads((ASSETS / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((ASSETS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert all("integrity" in package for name, package in lock.items() if name)
    licences = (ASSETS / "licences.txt").read_text(encoding="utf-8")
    head = (ASSETS / "site.js").read_text(encoding="utf-8").split("*/")[0]
    bundled = [
        name for name in lock
        if name and not lock[name].get("dev") and not lock[name].get("optional")
    ]  # fmt: skip
    assert {name.removeprefix("node_modules/") for name in bundled} == set(manifest["dependencies"])
    for name in bundled:
        title = f"{name.removeprefix('node_modules/')} {lock[name]['version']}"
        assert title in licences, NEXT_STEP
        assert title in head, NEXT_STEP


def test_the_style_and_the_script_need_nothing_from_elsewhere() -> None:
    """Neither names a file of another site: fonts and all code are the reader's or the site's."""
    for name in ("site.css", "site.js"):
        text = (ASSETS / name).read_text(encoding="utf-8")
        assert "@import" not in text
        assert "url(" not in text
        assert "import(" not in text
        assert "eval(" not in text
