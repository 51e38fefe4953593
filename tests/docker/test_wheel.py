"""The example of docs/api.md, run from the built wheel in an environment of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from tests.docker.conftest import leftovers

pytestmark = pytest.mark.docker
ROOT = Path(__file__).parents[2]


def run_command(*command: str, cwd: Path) -> str:
    """Run a command that must succeed; gives its standard output."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_documented_example_runs_from_the_wheel(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Protects other projects: what they install has the API, typed, and leaves no container."""
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    (example,) = re.findall(r"```python docker\n(.*?)```", text, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    wheel = ("wheel", "--no-deps", "--no-build-isolation", "-w", ".", str(ROOT))
    run_command(*pip, *wheel, cwd=tmp_path)
    run_command(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    python = str(tmp_path / "env" / "bin" / "python")
    (built,) = map(str, tmp_path.glob("*.whl"))
    run_command(*pip, "--python", python, "install", built, cwd=tmp_path)
    output = run_command(python, "-W", "error", "example.py", cwd=tmp_path)
    first, second, evidence = output.splitlines()
    assert [first, second.rstrip()] == ["TLSv1 refused protocol-version", "TLSv1.2 accepted"]
    folder = Path(evidence.removeprefix("evidence: "))
    assert (folder / "index.html").is_file()
    assert leftovers(engine, folder.name) == []
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    assert (site / "postfix_matrix" / "py.typed").is_file()
    assert (site / "harness" / "py.typed").is_file()
