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


def install_wheel(folder: Path, *beside: str) -> str:
    """Install the built wheel, and other packages, into an environment; gives its Python."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    wheel = ("wheel", "--no-deps", "--no-build-isolation", "-w", ".", str(ROOT))
    run_command(*pip, *wheel, cwd=folder)
    run_command(sys.executable, "-m", "venv", "env", cwd=folder)
    python = str(folder / "env" / "bin" / "python")
    (built,) = map(str, folder.glob("*.whl"))
    run_command(*pip, "--python", python, "install", built, *beside, cwd=folder)
    return python


def test_the_documented_example_runs_from_the_wheel(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Protects other projects: what they install has the API, typed, and leaves no container."""
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    (example,) = re.findall(r"```python docker\n(.*?)```", text, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    python = install_wheel(tmp_path)
    output = run_command(python, "-W", "error", "example.py", cwd=tmp_path)
    first, second, evidence = output.splitlines()
    assert [first, second.rstrip()] == ["TLSv1 refused protocol-version", "TLSv1.2 accepted"]
    folder = Path(evidence.removeprefix("evidence: "))
    assert (folder / "index.html").is_file()
    assert leftovers(engine, folder.name) == []
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    assert (site / "postfix_matrix" / "py.typed").is_file()
    assert (site / "harness" / "py.typed").is_file()


@pytest.mark.nightly
@pytest.mark.parametrize("version", ["==8.2.*", ">=9"], ids=["8.2", "9"])
def test_the_pytest_plugin_runs_from_the_wheel(version: str, tmp_path: Path) -> None:
    """Protects users of pytest: what they install has the plugin, which pytest finds by itself."""
    text = (ROOT / "docs" / "pytest.md").read_text("utf-8")
    for kind, name in (("text", "files/main.cf"), ("python docker", "test_harden.py")):
        (content,) = re.findall(rf"```{kind}\n# {re.escape(name)}\n(.*?)```", text, re.DOTALL)
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    python = install_wheel(tmp_path, f"pytest{version}", "pytest-xdist")
    folder = tmp_path / "project"
    options = ("-W", "error", "-q", "--strict-markers", "--postfix-time-limit", "60")
    for processes in ("0", "2"):
        output = run_command(python, "-m", "pytest", "-n", processes, *options, cwd=folder)
        assert "2 passed" in output
    fixtures = ("-m", "pytest", "--fixtures", "-q")
    assert "postfix_build" in run_command(python, *fixtures, cwd=folder)
    switched_off = run_command(python, *fixtures, "-p", "no:postfix_matrix", cwd=folder)
    assert "postfix_build" not in switched_off
