"""README.md: "All JSON has a published schema": each command that prints JSON names its schema."""

from __future__ import annotations

import re
from pathlib import Path

import click

from tests.schema_files import NAMES
from tests.unit.cli.test_help import COMMANDS

TABLE = (Path(__file__).parents[3] / "docs" / "terminal.md").read_text("utf-8")
#: A row's commands, and the schema that its last cell links to.
ROW = re.compile(r"^\| (`.+) \| \[[a-z-]+\]\(schemas/([a-z-]+)\.schema\.json\) \|$", re.MULTILINE)


def find_choices(command: click.Command) -> list[str]:
    """What --format takes; nothing for a command without it."""
    return [
        str(choice)
        for parameter in command.params
        if "--format" in parameter.opts and isinstance(parameter.type, click.Choice)
        for choice in parameter.type.choices
    ]


def has_flag(command: click.Command) -> bool:
    """Whether it has --json."""
    return any("--json" in parameter.opts for parameter in command.params)


def test_each_command_that_prints_json_has_a_schema_in_the_table() -> None:
    """Protects programs: no command prints JSON whose form is not published."""
    printing = {name for name, command in COMMANDS.items() if "json" in find_choices(command)}
    rows = ROW.findall(TABLE)
    listed = {name for cells, _ in rows for name in re.findall(r"`([a-z ]+) --format json`", cells)}
    assert "images list" in printing
    assert listed == printing
    assert {schema for _, schema in rows} <= set(NAMES)


def test_the_short_option_is_never_alone() -> None:
    """Protects scripts: what prints JSON by --json does so by --format json, too."""
    flagged = {name for name, command in COMMANDS.items() if has_flag(command)}
    assert "scan" in flagged
    assert [name for name in flagged if "json" not in find_choices(COMMANDS[name])] == []
