"""Help texts whose options stand in named groups, and that end with examples."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import click

from harness.cli.argument_checks import check_values


class OptionGroup(Enum):
    """The groups of options, in the order in which a help text has them."""

    SELECTION = "Selection"
    CONFIGURATION = "Configuration"
    SOURCES = "Where things come from"
    MEASURING = "Measuring"
    OUTPUT = "Output"
    OTHER = "Other"


class GroupedOption(click.Option):
    """An option that belongs to a group of its command's help text."""

    def __init__(self, *declarations: Any, group: OptionGroup, **attributes: Any) -> None:
        super().__init__(*declarations, **attributes)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help text has its options by group, and which checks all values first."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does what :func:`check_values` finds to be possible."""
        if not ctx.resilient_parsing:
            check_values(self, ctx, args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section per group; ``--help`` is in the last one."""
        sections: dict[OptionGroup, list[tuple[str, str]]] = {group: [] for group in OptionGroup}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            # Newer releases of click have records of arguments too, which stand in the usage line.
            if record is not None and isinstance(parameter, click.Option):
                group = getattr(parameter, "group", OptionGroup.OTHER)
                sections[group].append(record)
        for group, records in sections.items():
            if records:
                with formatter.section(group.value):
                    formatter.write_dl(records)


def grouped_option(
    group: OptionGroup, *declarations: str, **attributes: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As ``click.option``, in a group of the help text."""
    return click.option(*declarations, cls=GroupedOption, group=group, **attributes)


def format_examples(*commands: str) -> str:
    """The examples that end a help text; click does not rewrap a paragraph after its "\\b"."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])
