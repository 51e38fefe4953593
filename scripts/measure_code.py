"""Measure how this code reads: names, sizes, layout. ``python scripts/measure_code.py [FOLDER …]``.

Prints one table. Without an argument it measures ``harness`` and ``images/clients``; with folders
of other projects it measures those in the same way, so that the figures can be compared.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Names that say nothing of what they hold; a unit test forbids the first five.
FORBIDDEN = frozenset({"one", "found", "said", "told", "words"})
VAGUE = FORBIDDEN | {
    *("seen", "wanted", "own", "asked", "gone", "heard", "lack", "lacking", "theirs", "mine"),
    *("thing", "things", "anew", "apart", "together", "alike", "beside"),
}
#: The modules that a cell passes on its way from the command line to the journal, in order
#: (docs/architecture.md, "How one cell travels"; a unit test compares the two).
CELL_WAY = (
    *("cli.main", "cli.commands.run", "run.planning", "catalog.plan", "run.job", "run.matrix_run"),
    *("run.cell_measurer", "run.control_checks", "run.measure", "clients.driver", "run.endpoints"),
    *("targets.log_join", "observations.decide", "observations.journal"),
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file: its path, its source lines and its syntax tree."""

    path: Path
    lines: int
    tree: ast.Module


def read_modules(folder: Path) -> list[Module]:
    """The Python files below a folder, parsed."""
    modules = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text("utf-8")
        modules.append(Module(path, text.count("\n"), ast.parse(text)))
    return modules


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a tree binds, with its line: variables, parameters, ``except`` names."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.ExceptHandler(name=str(name)):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)):
                yield name, node.lineno


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method of a tree but for those that Python itself names."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and not node.name.startswith("__"):
            yield node


def is_one_word(name: str) -> bool:
    """Whether a function's name is one word, a leading underscore aside."""
    return "_" not in name.strip("_")


def repeated_classes(modules: Iterable[Module]) -> dict[str, list[Path]]:
    """Class names that more than one class has, with the files."""
    places: dict[str, list[Path]] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module.path)
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def import_circles(modules: Iterable[Module], root: Path) -> int:
    """How many modules import each other in a circle, directly or through others."""
    names = {
        ".".join(module.path.relative_to(root.parent).with_suffix("").parts): module
        for module in modules
    }
    graph = {name: set(_imported_names(module.tree)) & set(names) for name, module in names.items()}
    reached = {name: _reachable_modules(graph, name) for name in graph}
    return sum(name in reached[name] for name in graph)


def _imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _reachable_modules(graph: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph[name]
    return reached


def upward_imports(modules: Iterable[Module], root: Path) -> tuple[int, int]:
    """Imports between the modules of a cell's way: all, and those of an earlier module."""
    places = {f"{root.name}.{name}": place for place, name in enumerate(CELL_WAY)}
    steps = []
    for module in modules:
        name = ".".join(module.path.relative_to(root.parent).with_suffix("").parts)
        if name in places:
            targets = set(_imported_names(module.tree)) & set(places)
            steps += [places[target] - places[name] for target in targets]
    return len(steps), sum(step < 0 for step in steps)


def measure_folder(folder: Path) -> dict[str, str]:
    """The figures of one folder, by what they measure."""
    modules = read_modules(folder)
    names = Counter(name for module in modules for name, _ in bound_names(module.tree))
    vague = sum(names[name] for name in VAGUE)
    defined = [node for module in modules for node in functions(module.tree)]
    one_word = sum(is_one_word(node.name) for node in defined)
    lengths = [(node.end_lineno or node.lineno) - node.lineno + 1 for node in defined]
    lines = [module.lines for module in modules]
    return {
        "names bound": str(names.total()),
        "of these vague": f"{100 * vague / names.total():.1f} %",
        "functions": str(len(defined)),
        "with one-word names": f"{100 * one_word / len(defined):.0f} %",
        "class names used twice": str(len(repeated_classes(modules))),
        "modules in import circles": str(import_circles(modules, folder)),
        **_measure_way(modules, folder),
        "lines of a file, median / max": f"{statistics.median(lines):.0f} / {max(lines)}",
        "lines of a function, median / max": f"{statistics.median(lengths):.0f} / {max(lengths)}",
    }


def _measure_way(modules: list[Module], folder: Path) -> dict[str, str]:
    """The figures of a cell's way, of which only this package has one."""
    rows = ("modules on a cell's way", "imports between them / upward")
    if folder.name != "harness":
        return dict.fromkeys(rows, "")
    imports, upward = upward_imports(modules, folder)
    return dict(zip(rows, (str(len(CELL_WAY)), f"{imports} / {upward}"), strict=True))


def main(folders: list[str]) -> None:
    """Print the table."""
    paths = [Path(name) for name in folders] or [ROOT / "harness", ROOT / "images" / "clients"]
    columns = {str(path): measure_folder(path.resolve()) for path in paths}
    print("| |" + "|".join(f" {name} " for name in columns) + "|")
    print("|---|" + "---|" * len(columns))
    for row in next(iter(columns.values())):
        print(f"| {row} |" + "|".join(f" {column[row]} " for column in columns.values()) + "|")


if __name__ == "__main__":
    main(sys.argv[1:])
