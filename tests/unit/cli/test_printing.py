"""Text is printed in one place, which makes it harmless."""

from __future__ import annotations

import ast
from pathlib import Path

from harness.cli import printing

CLI = Path(printing.__file__).parent
#: What writes to the outputs without making text harmless.
_RAW_PRINTERS = {"echo", "secho", "print"}
#: The one place, rich's console, and the last flush of the process.
_ALLOWED = {"printing.py", "main.py", "output.py"}


def test_commands_print_in_one_place() -> None:
    """Protects terminals from a new command that calls click.echo itself."""
    found_calls = [
        f"{path.name}:{node.lineno}"
        for path in CLI.rglob("*.py")
        if path.name not in _ALLOWED
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and _name_printer(node.func) in _RAW_PRINTERS
    ]
    assert found_calls == []


def _name_printer(function: ast.expr) -> str:
    """``echo`` of ``click.echo``, ``print``; "" for methods of consoles."""
    if isinstance(function, ast.Name):
        return function.id
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.attr if function.value.id == "click" else ""
    return ""
