"""Runs the scripts of action.yml as GitHub runs them. Shared by unit and Docker tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts" / "ci"
#: Where scripts/setup --dev puts the packages of requirements/npm.
MODULES = ROOT / ".setup" / "npm" / "node_modules"
#: Runs the path check of npm's @actions/artifact over a folder.
_PATH_CHECK = ROOT / "tests" / "unit" / "data" / "check_artifact_paths.mjs"


def find_node() -> str:
    """The path of node, which the checks with npm's packages run in."""
    node = shutil.which("node")
    assert node, "no node on PATH; scripts/setup --dev names what to install"
    return node


def check_artifact_paths(folder: Path) -> subprocess.CompletedProcess[str]:
    """What @actions/artifact says of every file of a folder: exit code 0, or why it is refused."""
    command = [find_node(), str(_PATH_CHECK), str(MODULES), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass(frozen=True, slots=True)
class Step:
    """A folder in which steps run, with GitHub's files.

    ``engine`` is the Docker engine's address; "": none answers.
    """

    folder: Path
    engine: str = ""

    def run(
        self, script: str, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script as a step; its outputs are read with ``outputs``."""
        (self.folder / "output").write_text("")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "DOCKER_HOST": self.engine or f"unix://{self.folder}/no-docker.sock",
            "POSTFIX_MATRIX_PYTHON": sys.executable,
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_WORKSPACE": str(self.folder),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "CI": "true",
        }
        return subprocess.run(
            [SCRIPTS / script, *arguments],
            cwd=self.folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of the script that ran last."""
        lines = (self.folder / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)
