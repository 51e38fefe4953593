"""``postfix-matrix``: the group of commands, and how errors become exit codes."""

from __future__ import annotations

import errno
import sys
import traceback

import click

from harness import __version__
from harness.cli.answer import answer_command
from harness.cli.catalog import catalog_group
from harness.cli.clients import clients_group
from harness.cli.compare import compare_command
from harness.cli.explain import explain_command
from harness.cli.images import images_group
from harness.cli.list import list_command
from harness.cli.report import report_command
from harness.cli.run import run_command
from harness.cli.scan import scan_command
from harness.cli.show import show_command
from harness.cli.since import since_command
from harness.cli.verdicts import verdicts_command
from harness.cli.verify import verify_command
from harness.errors import ExitCode, HarnessError, InfrastructureError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="postfix-matrix")
def cli() -> None:
    """Find out what Postfix's TLS settings really do: real servers, real clients."""


cli.add_command(run_command)
cli.add_command(show_command)
cli.add_command(list_command)
cli.add_command(report_command)
cli.add_command(images_group)
cli.add_command(catalog_group)
cli.add_command(clients_group)
cli.add_command(scan_command)
cli.add_command(verdicts_command)
cli.add_command(explain_command)
cli.add_command(verify_command)
cli.add_command(compare_command)
cli.add_command(answer_command)
cli.add_command(since_command)


def main() -> None:
    """Run the command line; the process ends with one of :class:`ExitCode`."""
    sys.exit(run_cli(sys.argv[1:]))


def run_cli(arguments: list[str]) -> int:
    """Run a command line and give its exit code; messages are on standard error."""
    try:
        code = cli.main(arguments, prog_name="postfix-matrix", standalone_mode=False)
    except HarnessError as error:
        click.echo(f"postfix-matrix: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except OSError as error:
        click.echo(f"postfix-matrix: {_os_error(error)}", err=True)
        return ExitCode.INFRASTRUCTURE
    except (KeyboardInterrupt, click.Abort):
        click.echo("postfix-matrix: interrupted; what was measured is kept", err=True)
        return ExitCode.INTERRUPTED
    except Exception:
        traceback.print_exc()
        click.echo(
            "postfix-matrix: this is a fault of the harness itself; what was measured is kept.\n"
            "  next step: please report it with the lines above",
            err=True,
        )
        return ExitCode.INFRASTRUCTURE
    return code if isinstance(code, int) else ExitCode.OK


def _os_error(error: OSError) -> InfrastructureError:
    where = f" {error.filename}" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return InfrastructureError(
            f"no room is left on the disk{where}; what was measured before is kept",
            next_step="make room ('make prune' removes our images), then --resume the run",
        )
    return InfrastructureError(
        f"{error.strerror or error}{where}",
        cause="a file or folder of the run, the cache or the state cannot be used",
        next_step="check its permissions, or name another place (--runs, XDG_CACHE_HOME)",
    )
