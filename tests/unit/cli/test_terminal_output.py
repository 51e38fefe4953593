"""Width and colours of standard output follow the terminal and the user's variables."""

from __future__ import annotations

import pytest

from harness.cli import terminal
from harness.cli.output import output_console


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable is set that decides anything here."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "on_terminal", "styled"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colours_follow_the_variables(
    environment: pytest.MonkeyPatch, variables: dict[str, str], on_terminal: bool, styled: bool
) -> None:
    """Protects users who need or cannot bear colours, and files: rich and click agree."""
    for name, value in variables.items():
        environment.setenv(name, value)
    environment.setattr("sys.stdout.isatty", lambda: on_terminal)
    assert terminal.is_styled() is styled
    console = output_console()
    with console.capture() as captured:
        console.print("x", style="bold red")
    assert ("\x1b" in captured.get()) is styled


def test_a_pipe_has_no_width_unless_columns_says_so(environment: pytest.MonkeyPatch) -> None:
    """Protects grep and CI logs: lists are not wrapped, tables have 110 columns."""
    assert terminal.terminal_columns() is None
    assert output_console().width == 110
    environment.setenv("COLUMNS", "72")
    assert terminal.terminal_columns() == 72
    assert output_console().width == 72
