"""action.yml and the workflows: every step's script is tested; `make lint` runs the linters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scripts.lint_workflows import find_complaints
from tests.unit.project.pages import ROOT
from tests.unit.project.test_ci_scripts import TESTED_SCRIPTS

ACTION = ROOT / "action.yml"
MEASURE = ROOT / ".github" / "workflows" / "measure.yml"
PUBLISH = ROOT / ".github" / "workflows" / "publish.yml"
SCRIPTS = ROOT / "scripts" / "ci"
GOOD = """\
name: Good
on: push
permissions: {}
jobs:
  good:
    runs-on: ubuntu-latest
    steps:
      - run: "true"
"""


def read_yaml(path: Path) -> Any:
    """A YAML file's content, with "on" as text (YAML 1.2)."""
    return YAML(typ="safe").load(path)


def steps_of(path: Path) -> list[dict[str, Any]]:
    """All steps of an action, or of the jobs of a workflow."""
    data = read_yaml(path)
    if "runs" in data:
        return list(data["runs"]["steps"])
    return [step for job in data["jobs"].values() for step in job.get("steps", ())]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("    runs-on: ubuntu-latest\n", ""), "schema"),
        (('run: "true"', "run: echo ${{ github.event.nothing.there }} ${{ nope }}"), "nope"),
        (('run: "true"', "run: echo ${{ github.event.issue.title }}"), "template-injection"),
        (('- run: "true"', "- uses: actions/checkout@v4"), "unpinned-uses"),
    ],
)
def test_each_linter_can_find_something(
    change: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    """Protects `make lint`: one fault for each linter, in a workflow that has no other."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "bad.yml").write_text(GOOD.replace(*change))
    assert complaint in "\n".join(find_complaints([folder / "bad.yml"]))


def test_every_step_is_a_tested_script() -> None:
    """Nothing of our own runs in a CI that tests do not run: no shell inside of YAML."""
    run = set()
    for path in (ACTION, MEASURE):
        for step in steps_of(path):
            if command := step.get("run"):
                match = re.fullmatch(
                    r'"\$GITHUB_ACTION_PATH/scripts/ci/(\w+\.sh)"'
                    r"|\.postfix-matrix/scripts/ci/(\w+\.sh)(?: --no-engine)?",
                    command,
                )
                assert match, command
                run.add(match[1] or match[2])
    run |= set(re.findall(r"run: scripts/ci/(\w+\.sh)", PUBLISH.read_text("utf-8")))
    assert run == TESTED_SCRIPTS == {p.name for p in SCRIPTS.glob("*.sh")} - {"common.sh"}


def test_scripts_take_every_input_and_give_every_output() -> None:
    """An input that no step passes on would be ignored without a word; so would an output."""
    text = ACTION.read_text("utf-8")
    action = read_yaml(ACTION)
    for name in action["inputs"]:
        assert f"inputs.{name} " in text or f"inputs.{name}\n" in text, name
    scripts = "\n".join(path.read_text("utf-8") for path in SCRIPTS.glob("*.sh"))
    for step in steps_of(ACTION):
        for variable in step.get("env", ()):
            assert re.search(rf"\b{variable}\b", scripts) or variable == "PYTHON", variable
    for output in re.findall(r"steps\.(?:measure|images|save)\.outputs\.([\w-]+)", text):
        assert f"give {output} " in scripts, output


def test_the_workflow_passes_on_what_the_action_takes() -> None:
    """The reusable workflow's inputs are the action's, and reach it."""
    workflow = read_yaml(MEASURE)
    inputs = set(workflow["on"]["workflow_call"]["inputs"])
    (step,) = (step for step in steps_of(MEASURE) if step.get("uses") == "./.postfix-matrix")
    assert set(step["with"]) <= set(read_yaml(ACTION)["inputs"])
    assert inputs - {"shards", "timeout-minutes"} == set(step["with"]) - {"shard", "judge"}


@pytest.mark.parametrize("path", [ACTION, MEASURE], ids=lambda path: path.name)
def test_a_run_folder_is_always_kept(path: Path) -> None:
    """The evidence of a run that failed is what a reader needs most."""
    uploads = [s for s in steps_of(path) if "actions/upload-artifact" in s.get("uses", "")]
    assert uploads
    assert all(step["if"].startswith("always()") for step in uploads)
