"""The version of the code that measures counts all of it, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from harness.paths import PACKAGE
from harness.run import measuring_version as module
from harness.run.measuring_version import measuring_files, measuring_version

#: Imported by what measures, and without a say in what an observation holds. Images have ids.
_NO_SAY = (
    "conformance/", "docker_engine/", "images/", "sources/",
    "catalog/__init__.py", "catalog/builds.py", "catalog/checksum_trust.py",
    "catalog/openssl_abi.py", "catalog/package_files.py", "catalog/plan.py", "catalog/pools.py",
    "catalog/releases.py", "catalog/rules.py",
    "__init__.py", "counts.py", "errors.py", "files.py", "paths.py", "data_models.py",
    "input_files.py", "json_text.py", "scenarios/policy_file.py",
    "observations/counting.py", "observations/evidence_names.py", "observations/licence.py",
    "observations/local_paths.py", "observations/run_record.py",
    "observations/journal.py", "observations/record.py", "observations/run_folder.py",
    "observations/run_json.py",
    "run/engine.py", "run/events.py", "run/known_cells.py", "run/session_builder.py",
    "run/shared_tasks.py",
    "scenarios/claims.py", "scenarios/expectation_tables.py", "scenarios/expectations.py",
    "scenarios/policies.py", "scenarios/scenario_files.py", "scenarios/scenario_folders.py",
    "scenarios/toml_schema.py", "scenarios/toml_text.py",
)  # fmt: skip


def imported_files(name: str, known: set[Path]) -> Iterator[Path]:
    """The files of ``harness`` that a module imports, itself included, each once."""
    path = PACKAGE.parent / Path(*name.split(".")).with_suffix(".py")
    path = path if path.is_file() else path.with_suffix("") / "__init__.py"
    if not path.is_file() or path in known:
        return
    known.add(path)
    yield path
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness"):
            yield from imported_files(str(node.module), known)
            for alias in node.names:
                yield from imported_files(f"{node.module}.{alias.name}", known)


def test_all_code_that_measures_counts() -> None:
    """A module that a cell's measuring imports counts, unless this file says that it does not."""
    counted = set(measuring_files())
    absent = [
        name
        for path in imported_files("harness.run.cell_measurer", set())
        if path not in counted
        and not (name := path.relative_to(PACKAGE).as_posix()).startswith(_NO_SAY)
    ]
    assert not absent
    assert all(path.is_file() for path in counted)


def test_a_change_of_a_counted_file_is_another_version(monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """And one of a file that does not count is not."""
    for path in measuring_files():
        copy = tmp_path / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/terminal.py").write_text("other\n", "utf-8")
    before = measuring_version()
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    measuring_version.cache_clear()
    try:
        assert measuring_version() == before
        with (tmp_path / "observations/decide.py").open("a", encoding="utf-8") as file:
            file.write("# other\n")
        measuring_version.cache_clear()
        assert measuring_version() != before
    finally:
        measuring_version.cache_clear()
