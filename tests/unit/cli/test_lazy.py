"""The command line loads what it needs: help from a table, a command's module when it is called."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from harness.cli.main import COMMANDS, cli

HEAVY = ("docker", "pydantic", "requests", "rich", "testcontainers")


@pytest.mark.parametrize("width", [50, 80, 100])
def test_the_groups_help_is_what_each_command_says_of_itself(width: int) -> None:
    """Protects the table: a command whose help changes, or a new one, cannot be told wrongly."""
    context = click.Context(cli, terminal_width=width)
    formatter = context.make_formatter()
    click.Group.format_commands(cli, context, formatter)
    loaded = formatter.getvalue()
    assert loaded in CliRunner().invoke(cli, ["--help"], terminal_width=width).output
    assert all(name in loaded for name in COMMANDS)


def test_an_unknown_command_is_told() -> None:
    """Protects who mistypes: the name comes back, as without the table."""
    result = CliRunner().invoke(cli, ["scam"])
    assert result.exit_code == 2
    assert "No such command 'scam'" in result.output


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["scan", "--help"]])
def test_a_light_command_loads_nothing_heavy(arguments: list[str]) -> None:
    """Protects the start: help, and the scan of a running server, load neither Docker nor rich."""
    code = (
        "import sys\nfrom harness.cli.main import run_cli\n"
        f"run_cli({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
