"""The nightly workflow's script: a branch that is made, then replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.unit.site.night_samples import write_night

ROOT = Path(__file__).parents[3]


def _git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_two_nights_are_published_into_a_branch(tmp_path: Path) -> None:
    """The first night makes the branch; the second keeps the first's data, in one commit."""
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    _git(tmp_path, "init", "--quiet", "--bare", str(remote))
    _git(tmp_path, "init", "--quiet", str(clone))
    _git(clone, "commit", "--quiet", "--allow-empty", "--message", "start")
    _git(clone, "remote", "add", "origin", str(remote))
    for day in (1, 2):
        night = write_night(tmp_path / f"night-{day}", day)
        environment = {
            **os.environ, "RUN": str(night),
            "POSTFIX_MATRIX_PYTHON": sys.executable,
        }  # fmt: skip
        script = ROOT / "scripts/ci/publish.sh"
        subprocess.run([str(script)], cwd=clone, env=environment, check=True)
    files = _git(remote, "ls-tree", "-r", "--name-only", "gh-pages").splitlines()
    assert "index.html" in files
    # Without it GitHub Pages leaves names with "_" at their beginning out.
    assert ".nojekyll" in files
    assert [name for name in files if name.endswith(".parquet") and "/runs/" in name] == [
        "data/v1/runs/20261101T010000Z-aaaa.parquet",
        "data/v1/runs/20261102T010000Z-aaaa.parquet",
    ]
    assert _git(remote, "rev-list", "--count", "gh-pages") == "1"
    assert _git(clone, "status", "--porcelain") == ""
