"""A group of commands that loads a command's module only when that command is called.

All modules together take half a second to load (Docker, pydantic, rich), and the scan of a running
server needs none of them. So the summaries in the group's own help come from a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from harness.cli.closed_output import is_output_closed
from harness.errors import OutputClosedError, suggest_names


class LazyGroup(click.Group):
    """``lazy``: for each command, ``module:attribute`` and the first sentence of its help."""

    def __init__(self, *, lazy: Mapping[str, tuple[str, str]], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]  # click's own keywords
        self.lazy = lazy

    def invoke(self, ctx: click.Context) -> object:
        """Call the command; click would exit with 1, "differs", where the output is closed.

        Raises:
            OutputClosedError: the reader of standard output has closed it, such as head(1).
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            if is_output_closed():
                raise OutputClosedError from None
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names; an unknown one gets the nearest names."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if close := suggest_names(args[0], self.list_commands(ctx)):
                raise click.UsageError(f"No such command {args[0]!r}: {close}", ctx) from error
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names, sorted."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command's module; None where no command has that name."""
        if cmd_name in self.lazy:
            module, _, attribute = self.lazy[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        return super().get_command(ctx, cmd_name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, from the table: click would load every module."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=self.lazy[name][1]) for name in names]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command's line as click does, from the table."""
        names = self.list_commands(ctx)
        # click leaves six columns for the margins.
        limit = formatter.width - 6 - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._short_help(name, limit)) for name in names])

    def _short_help(self, name: str, limit: int) -> str:
        return click.Command(name, help=self.lazy[name][1]).get_short_help_str(limit)
