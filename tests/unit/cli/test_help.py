"""The help texts of all commands: summaries, groups of options, examples, and plain words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from harness.cli.grouped_help import GroupedCommand, GroupedOption
from harness.cli.main import cli

#: A summary of this many characters is shown whole by ``--help`` at 80 columns.
LONGEST_SUMMARY = 55
#: Terms that docs/glossary.md replaced by others, and wording that a reader stumbles over.
REPLACED_TERMS = (
    *("control configuration", "opened", "own control", "foreign", "additions"),
    *("shop", "proofs", "proving", "readiness", "bench", "border", "corner", "harm", "post"),
    *("lanes", "pace", "words", "lack", "lacking", "gap", "missing", "could not be had"),
    *("cannot be had", "unasked", "spelt out", "held against", "hold against", "come to"),
    *("comes to", "told", "told of", "tell", "tells", "whoever", "nobody", "somebody", "anybody"),
    *("anew", "doubter", "a line each", "a row a cell", "a build a container", "one a line"),
)


def commands(
    command: click.Command = cli, parents: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Every command with its names, such as ``images build``; the top one has none."""
    yield " ".join(parents), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand is not None
            yield from commands(subcommand, (*parents, name))


COMMANDS = dict(commands())
EXAMPLES = [
    (name, line.strip())
    for name, command in COMMANDS.items()
    for line in (command.epilog or "").splitlines()
    if "postfix-matrix" in line
]


def help_text(name: str, width: int = 80) -> str:
    """What ``postfix-matrix NAME --help`` prints."""
    result = CliRunner().invoke(cli, [*name.split(), "--help"], terminal_width=width)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("name", [name for name in COMMANDS if name])
def test_a_summary_is_shown_whole_at_80_columns(name: str) -> None:
    """Protects the list of commands: an ellipsis says nothing about a command."""
    summary = COMMANDS[name].get_short_help_str(limit=1000)
    assert len(summary) <= LONGEST_SUMMARY
    group, _, command = name.rpartition(" ")
    assert re.search(rf"^  {command} +{re.escape(summary)}$", help_text(group), re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_in_a_group(name: str) -> None:
    """Protects long help texts: an option without a group would hide below "Other"."""
    command = COMMANDS[name]
    if isinstance(command, click.Group):
        return
    assert isinstance(command, GroupedCommand)
    options = [option for option in command.params if isinstance(option, click.Option)]
    text = help_text(name)
    for option in options:
        assert isinstance(option, GroupedOption), option.name
        heading = text.index(f"\n{option.group.value}:\n")
        assert heading < text.index(max(option.opts, key=len), heading)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_two_examples(name: str) -> None:
    """Protects new users: a command line that works shows more than a list of options."""
    examples = [line for command, line in EXAMPLES if command == name]
    assert len(examples) == 2
    ending = help_text(name).rstrip().splitlines()[-3:]
    assert [line.strip() for line in ending] == ["Examples:", *examples]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_is_parsed(name: str, example: str) -> None:
    """Protects the examples: their commands, options and values exist."""
    (part,) = (part for part in example.split(" | ") if part.startswith("postfix-matrix "))
    arguments = shlex.split(part)[1:]
    assert arguments[: len(name.split())] == name.split()
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        subcommand = command.get_command(context, arguments.pop(0))
        assert subcommand is not None
        command = subcommand
    # Unlike --help, the parser looks at the values; files of the examples need not exist for it.
    parsed = command.make_context(command.name, arguments, resilient_parsing=True)
    assert not parsed.args
    assert CliRunner().invoke(cli, [*shlex.split(part)[1:], "--help"]).exit_code == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_help_uses_no_replaced_term(name: str) -> None:
    """Protects plain words: docs/glossary.md has one term for each thing."""
    text = " ".join(help_text(name).split()).lower()
    used = [term for term in REPLACED_TERMS if re.search(rf"\b{re.escape(term)}\b", text)]
    assert not used


def test_policies_are_listed_with_what_they_require() -> None:
    """Protects the choice of a policy: its name alone does not say what it asks for."""
    lines = CliRunner().invoke(cli, ["list", "policies"]).output.splitlines()
    assert lines
    assert all(len(line.split("  ", 1)) == 2 for line in lines)
