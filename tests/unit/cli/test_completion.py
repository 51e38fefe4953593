"""The shell's completion, by click's own protocol: what Tab offers, fast and without Docker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import COMMANDS
from harness.paths import scenarios_dir

#: A process that cannot open a socket of the engine, and in which Docker's client fails if used.
PROGRAM = """
import socket, sys
def refuse(*arguments, **keywords):
    raise AssertionError("completion opened a socket")
socket.socket.connect = refuse
from harness.cli.main import main
main()
"""


def complete(words: str, shell: str = "bash") -> list[str]:
    """What a shell is offered for the last word of a line; an empty last word ends in a blank."""
    count = len(words.split()) - (0 if words.endswith(" ") else 1)
    variables = {
        "_POSTFIX_MATRIX_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(count),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "DOCKER_HOST": "unix:///nonexistent", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [line.removeprefix("plain,") for line in done.stdout.splitlines()]


def test_every_command_is_offered_and_none_is_loaded() -> None:
    """Protects the first Tab: the names come from the table of commands."""
    assert complete("postfix-matrix ") == sorted(COMMANDS)
    assert complete("postfix-matrix im") == ["images"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("postfix-matrix run --dry", "--dry-run"),
        ("postfix-matrix run -b debian-12,!postfix-3.7.11+openssl-1.1.1w",
         "debian-12,!postfix-3.7.11+openssl-1.1.1w"),
        ("postfix-matrix run -s answer-1-enc", "answer-1-encrypt"),
        ("postfix-matrix run -o TLSv1.3", "TLSv1.3"),
        ("postfix-matrix verify x -p tls12-or", "tls12-or-newer"),
        ("postfix-matrix clients check go1.1", "go1.15"),
        ("postfix-matrix images list client-go1.1", "client-go1.15"),
        ("postfix-matrix verify answer-1-enc", "answer-1-encrypt"),
    ],
)  # fmt: skip
def test_names_are_offered_where_they_belong(words: str, offered: str) -> None:
    """Protects builds, scenarios, clients, offers, policies and images, lists with commas too."""
    assert offered in complete(words)


def test_a_folder_of_ones_own_scenarios_is_read_by_names_alone(tmp_path: Path) -> None:
    """Protects Tab from a broken scenario: its content is not read; hidden folders are left out."""
    for name in ("mine", "corpus/theirs", ".git/x"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "scenario.toml").write_text("not [ toml", encoding="utf-8")
    offered = complete(f"postfix-matrix run --scenarios-dir {tmp_path} -s ")
    assert offered == ["mine", "corpus/theirs"]
    assert (scenarios_dir() / "defaults").is_dir()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(shell: str) -> None:
    """Protects the line that docs/terminal.md has for each shell."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli"],
        env={**os.environ, "_POSTFIX_MATRIX_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_POSTFIX_MATRIX_COMPLETE" in done.stdout
    assert f"{shell}_complete" in done.stdout
