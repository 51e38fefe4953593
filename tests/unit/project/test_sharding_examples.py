"""The examples of docs/sharding.md, run as processes with the variables that the systems set.

In front of ``postfix-matrix`` stands a program that adds --dry-run to ``run``: what a shard would
measure is printed, and nothing needs Docker. The merges are real ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.commands.run import make_job
from harness.run.choosing import Selection
from tests.unit.project.pages import ROOT, Page, joined, split_command
from tests.unit.sample_run import write_sample_run
from tests.unit.sample_shards import write_shards

COUNT = 4
PAGE = Page(ROOT / "docs" / "sharding.md", (ROOT / "docs" / "sharding.md").read_text("utf-8"))
PROGRAM = f"""\
#!/bin/sh
if [ "$1" = run ]; then set -- "$@" --dry-run; fi
exec {sys.executable} -m harness.cli "$@"
"""
#: The variables of job 1, 2, …, in each system, in the page's order of the examples.
SYSTEMS: dict[str, Callable[[int], dict[str, str]]] = {
    "GitHub": lambda _: {},
    "GitLab": lambda index: {"CI_NODE_INDEX": str(index), "CI_NODE_TOTAL": "4"},
    "Kubernetes": lambda index: {"JOB_COMPLETION_INDEX": str(index - 1)},
    "Slurm": lambda index: {
        "SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_TASK_COUNT": "4",
        "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "4", "SLURM_ARRAY_TASK_STEP": "1",
    },
}  # fmt: skip


def find_lines(kind: str) -> list[str]:
    """The command lines of the examples, in the page's order: of ``run`` or of ``merge``."""
    return [
        line[line.index("postfix-matrix") :]
        for block in PAGE.blocks()
        if block.info in ("yaml", "bash")
        for line in joined(block)
        if f"postfix-matrix {kind} " in line
    ]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a job: ``postfix-matrix`` is on PATH, and no other job's variables."""
    program = tmp_path / "bin" / "postfix-matrix"
    program.parent.mkdir()
    program.write_text(PROGRAM, "utf-8")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_jobs_of_an_example_measure_the_whole(
    system: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """Protects people who copy the page: four jobs have every cell of the plan once."""
    line = find_lines("run")[list(SYSTEMS).index(system)]
    processes = [
        subprocess.Popen(
            ["sh", "-c", line.replace("${{ matrix.shard }}", str(index))],
            env={**environment, **SYSTEMS[system](index)},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(1, COUNT + 1)
    ]
    printed = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * COUNT, printed
    cells = [cell for out, _ in printed for cell in out.splitlines()]
    words = split_command(line.removeprefix("postfix-matrix "))
    plan = make_job(Selection(builds=(words[words.index("-b") + 1],))).plan
    assert len(cells) == len(set(cells))
    assert set(cells) == {cell.id for cell in plan.cells()}
    for index, (_, message) in enumerate(printed, start=1):
        assert message.startswith(f"shard {index}/4")
        assert (system in message) is (system != "GitHub")


def test_the_merges_of_the_examples_work(environment: dict[str, str], tmp_path: Path) -> None:
    """Protects the second half of each example, which is the same line in all of them."""
    lines = find_lines("merge")
    assert len(lines) == len(SYSTEMS) - 1  # Kubernetes' is outside of its manifest.
    assert set(lines) == {"postfix-matrix merge shards -o merged --expect-shards 4"}
    folder = write_sample_run(tmp_path / "whole", scenarios=("defaults",))
    write_shards(folder, tmp_path / "shards", COUNT)
    subprocess.run(["sh", "-c", lines[0]], env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "merged" / "index.html").is_file()


def test_the_examples_are_all_there() -> None:
    """Protects the other tests of this file: an example that they do not find is not tested."""
    assert len(find_lines("run")) == len(SYSTEMS)
