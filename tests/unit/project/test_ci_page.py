"""docs/ci.md: each example is what the CI, or the tool, that it is for accepts."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scripts.lint_workflows import check_schema, run_actionlint
from tests.unit.project.pages import ROOT, CodeBlock, Page
from tests.unit.project.test_workflows import ACTION, MEASURE, read_yaml

PAGE = Page(ROOT / "docs" / "ci.md", (ROOT / "docs" / "ci.md").read_text("utf-8"))
#: The built-in schema of check-jsonschema for a file.
SCHEMAS = {".github": "vendor.github-workflows", ".gitlab-ci.yml": "vendor.gitlab-ci"}


def blocks_of(info: str) -> dict[str, CodeBlock]:
    """The page's blocks of one kind by the name of the file that their first line gives."""
    blocks = [block for block in PAGE.blocks() if block.info == info]
    return {block.text.splitlines()[0].removeprefix("# "): block for block in blocks}


@pytest.mark.parametrize("name", blocks_of("yaml"))
def test_an_example_is_valid(name: str, tmp_path: Path) -> None:
    """A reader who copies it gets no syntax error: GitHub's and GitLab's schemas, actionlint."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(blocks_of("yaml")[name].text)
    assert isinstance(read_yaml(path), dict)
    schema = SCHEMAS.get(Path(name).parts[0])
    if schema is not None:
        assert list(check_schema([path], schema)) == []
    if name.startswith(".github"):
        assert list(run_actionlint([path])) == []


def test_an_invalid_example_would_be_noticed(tmp_path: Path) -> None:
    """Shows that the schemas of GitLab and GitHub are applied."""
    path = tmp_path / ".gitlab-ci.yml"
    path.write_text(blocks_of("yaml")[".gitlab-ci.yml"].text.replace("script:", "skript:", 1))
    assert "skript" in "\n".join(check_schema([path], "vendor.gitlab-ci"))


def uses_of(name: str) -> list[tuple[str, dict[str, Any]]]:
    """What an example uses of ours, with its inputs."""
    jobs = YAML(typ="safe").load(blocks_of("yaml")[name].text)["jobs"]
    users = [user for job in jobs.values() for user in (job, *job.get("steps", ()))]
    ours = [user for user in users if user.get("uses", "").startswith("example/")]
    return [(user["uses"], user.get("with", {})) for user in ours]


def test_the_inputs_of_the_examples_exist() -> None:
    """GitHub only warns of an input that does not exist, and then ignores it."""
    action = set(read_yaml(ACTION)["inputs"])
    workflow = set(read_yaml(MEASURE)["on"]["workflow_call"]["inputs"])
    users = [*uses_of(".github/workflows/postfix.yml"), *uses_of(".github/workflows/nightly.yml")]
    assert len(users) == 3
    for uses, inputs in users:
        assert set(inputs) <= (workflow if "measure.yml" in uses else action), uses


def test_the_table_of_inputs_is_complete() -> None:
    """Each input of the action has its row."""
    rows = [line.split("|")[1] for line in PAGE.text.splitlines() if line.startswith("| `")]
    named = {name.strip(" `") for row in rows for name in row.split(",")}
    assert set(read_yaml(ACTION)["inputs"]) <= named


def test_tox_reads_its_example() -> None:
    """TOML, with the plugin's own option; tox itself was run by hand."""
    data = tomllib.loads(blocks_of("toml")["tox.toml"].text)
    command = data["env_run_base"]["commands"][0]
    assert "--postfix-builds={env_name}" in command
    assert json.dumps(data["env_list"]) == '["debian-12", "debian-13"]'
