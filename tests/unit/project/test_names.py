"""Names say what they hold: harness/, images/clients, scripts and benchmarks, by their syntax."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from scripts.measure_code import (
    FORBIDDEN,
    Module,
    bound_names,
    functions,
    is_one_word,
    read_modules,
    repeated_classes,
)

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("harness", "images/clients", "scripts", "benchmarks")


def find_forbidden_names(modules: Iterable[Module]) -> Iterator[str]:
    """Variables, parameters and loop names that say nothing.

    Fields of a class are left out: many are the keys of published JSON.
    """
    for module in modules:
        fields = set(_field_lines(module.tree))
        for name, line in bound_names(module.tree):
            if name in FORBIDDEN and (name, line) not in fields:
                yield f"{module.path}:{line}: {name}"


def find_one_word_helpers(modules: Iterable[Module]) -> Iterator[str]:
    """Private functions and methods whose name is one word; a verb and a noun say what they do.

    Names with underscores on both sides are Python's (``_missing_`` of an enumeration).
    """
    for module in modules:
        for node in functions(module.tree):
            if node.name.startswith("_") and not node.name.endswith("_") and is_one_word(node.name):
                yield f"{module.path}:{node.lineno}: {node.name}"


def _field_lines(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The names that class bodies bind, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                if isinstance(statement, ast.AnnAssign):
                    targets = [statement.target]
                for target in targets:
                    yield from bound_names(target)


@cache
def read_folder(folder: str) -> list[Module]:
    """The modules of a folder of the repository, of which there must be some."""
    modules = read_modules(ROOT / folder)
    assert modules, f"{folder} has no Python files"
    return modules


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_name_says_nothing(folder: str) -> None:
    """Protects readers from "one", "found", "said", "told" and "words": they name no thing."""
    assert list(find_forbidden_names(read_folder(folder))) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_private_functions_have_a_verb_and_a_noun(folder: str) -> None:
    """Protects readers of a call: _format_line says what _line does not."""
    assert list(find_one_word_helpers(read_folder(folder))) == []


def test_class_names_are_unique() -> None:
    """Protects searches and conversations: one class name is one class inside harness/."""
    assert repeated_classes(read_folder("harness")) == {}


BAD_MODULE = """\
class Record:
    found: str = ""
    words = ()

    def _check(self, told):
        for one in told:
            said = [words for words in one]
        match said:
            case [found, *rest]:
                return found, rest

    async def _read_line(self): ...
    def __init__(self): ...


async def _fit(lines):
    with open(lines) as one:
        return (found := one.read())
"""


@pytest.fixture
def bad_tree(tmp_path: Path) -> list[Module]:
    """Two modules, the first with each fault, the second with a class of the same name."""
    (tmp_path / "first.py").write_text(BAD_MODULE, "utf-8")
    (tmp_path / "second.py").write_text("class Record: ...\nclass Other: ...\n", "utf-8")
    return read_modules(tmp_path)


def test_forbidden_names_are_found(bad_tree: list[Module], tmp_path: Path) -> None:
    """Protects the check: parameters, loops, comprehensions, matches and walruses count."""
    faults = {
        text.removeprefix(f"{tmp_path / 'first.py'}:") for text in find_forbidden_names(bad_tree)
    }
    assert faults == {
        "5: told", "6: one", "7: said", "7: words", "9: found", "17: one", "18: found",
    }  # fmt: skip


def test_one_word_helpers_are_found(bad_tree: list[Module]) -> None:
    """Protects the check: methods and coroutines count, special methods do not."""
    names = [text.rpartition(" ")[2] for text in find_one_word_helpers(bad_tree)]
    assert sorted(names) == ["_check", "_fit"]


def test_repeated_classes_are_found(bad_tree: list[Module]) -> None:
    """Protects the check: the same class name in two modules counts."""
    repeated = repeated_classes(bad_tree)
    assert {name: [path.name for path in paths] for name, paths in repeated.items()} == {
        "Record": ["first.py", "second.py"]
    }
