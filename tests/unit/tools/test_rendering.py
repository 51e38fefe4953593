"""Generators on this machine, run for real: their output, a folder that they fill, their end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.tools.rendering import render_configuration
from harness.tools.tool_file import HardeningTool

NAMES = {"build": "debian-12", "postfix": "3.7.11", "openssl": "3.0.20"}


def tool(folder: Path, *render: str, time_limit: float = 20.0, **variables: str) -> HardeningTool:
    """A tool with a generator."""
    return HardeningTool(
        folder / "tool.toml", "T", render=render, time_limit=time_limit, variables=variables
    )


def test_output_is_main_cf(tmp_path: Path) -> None:
    """Protects generators that print: the versions and variables are in the command."""
    script = "import sys, os; print('# ' + sys.argv[1], os.environ['domain'])"
    rendered = render_configuration(
        tool(tmp_path, "{python}", "-c", script, "{postfix}/{openssl}", domain="example.test"),
        NAMES,
    )
    assert rendered.run.status == 0
    assert rendered.files == {"main.cf": b"# 3.7.11/3.0.20 example.test\n"}


def test_a_folder_is_filled(tmp_path: Path) -> None:
    """Protects generators of several files, with their folders."""
    script = (
        "import sys, pathlib; o = pathlib.Path(sys.argv[1]); (o / 'maps').mkdir();"
        "(o / 'main.cf').write_text('a = b\\n'); (o / 'maps' / 'v').write_text('x y\\n')"
    )
    rendered = render_configuration(tool(tmp_path, "{python}", "-c", script, "{output}"), NAMES)
    assert rendered.files == {"main.cf": b"a = b\n", "maps/v": b"x y\n"}


def test_it_runs_beside_its_description(tmp_path: Path) -> None:
    """Protects templates that lie beside TOOL.toml."""
    (tmp_path / "main.cf.j2").write_text("a = 1\n")
    script = "print(open('main.cf.j2').read(), end='')"
    assert render_configuration(tool(tmp_path, "{python}", "-c", script), NAMES).files == {
        "main.cf": b"a = 1\n"
    }


def test_a_failure_keeps_its_error_text(tmp_path: Path) -> None:
    """Protects who debugs a template: the end of standard error is kept."""
    rendered = render_configuration(tool(tmp_path, "{python}", "-c", "1/0"), NAMES)
    assert rendered.run.status == 1
    assert rendered.run.last_lines[-1].startswith("ZeroDivisionError")
    assert rendered.files == {}


def test_a_generator_without_end(tmp_path: Path) -> None:
    """Protects a run from waiting for ever."""
    rendered = render_configuration(
        tool(tmp_path, "{python}", "-c", "import time; time.sleep(60)", time_limit=0.2), NAMES
    )
    assert rendered.run.status is None


def test_what_a_generator_without_end_started_is_ended_too(tmp_path: Path) -> None:
    """Protects this machine from programs that go on after a run."""
    script = f"sleep 60 & echo $! >{tmp_path}/pid; wait"
    rendered = render_configuration(tool(tmp_path, "sh", "-c", script, time_limit=0.5), NAMES)
    assert rendered.run.status is None
    stat = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    # A signal takes a moment to arrive: without it, the program would go on for a minute.
    deadline = time.monotonic() + 20
    while _is_running(stat) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_running(stat)


def _is_running(stat: Path) -> bool:
    """Whether a process goes on; what has ended may still wait for its new parent, as "Z"."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_generator_that_is_not_installed(tmp_path: Path) -> None:
    """Protects from a traceback where the generator is not on this machine."""
    with pytest.raises(UsageError, match="no-such-generator cannot be run"):
        render_configuration(tool(tmp_path, "no-such-generator"), NAMES)
