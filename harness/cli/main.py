"""``postfix-matrix``: the group of commands, and how errors become exit codes."""

from __future__ import annotations

import errno
import sys

import click

from harness import __version__
from harness.cli.lazy import LazyGroup
from harness.errors import ExitCode, HarnessError, InfrastructureError

#: By command: where it is, and the first sentence of its help.
COMMANDS = {
    "answer": (
        "harness.cli.commands.answer:answer_command",
        "Print what to paste under SCENARIO's advice, by the run in FOLDER (the latest).",
    ),
    "catalog": (
        "harness.cli.commands.catalog:catalog_group",
        "List the releases of Postfix, OpenSSL and stunnel, or add one.",
    ),
    "clients": (
        "harness.cli.commands.clients:clients_group",
        "Real SMTP clients: those of the catalog, and your own.",
    ),
    "compare": (
        "harness.cli.commands.compare:compare_command",
        "Tell what differs between the run in BEFORE and the one in AFTER (the latest).",
    ),
    "explain": (
        "harness.cli.commands.explain:explain_command",
        "Tell what each line of a candidate does: which cells change without it, and by it alone.",
    ),
    "images": (
        "harness.cli.commands.images:images_group",
        "Build, list, check and remove images: Postfix × OpenSSL, clients, controls.",
    ),
    "list": (
        "harness.cli.commands.list:list_command",
        "List builds, scenarios, services, clients and offers: what 'run' chooses from.",
    ),
    "report": (
        "harness.cli.commands.report:report_command",
        "Make matrix.md, matrix.csv and index.html of the run in FOLDER (the latest) anew.",
    ),
    "run": (
        "harness.cli.commands.run:run_command",
        "Measure the matrix: builds × scenarios × services × clients × offers.",
    ),
    "scan": (
        "harness.cli.commands.scan:scan_command",
        "Map every protocol and cipher that a server accepts, by elimination.",
    ),
    "show": (
        "harness.cli.commands.show:show_command",
        "Print the evidence of CELL: what the client saw, what Postfix logged, what was delivered.",
    ),
    "since": (
        "harness.cli.commands.since:since_command",
        "Tell since which version PLACE of the runs in FOLDERS (the latest) is as it is.",
    ),
    "verdicts": (
        "harness.cli.commands.verdicts:verdicts_command",
        "Judge the advice of the run in FOLDER (the latest), without Docker.",
    ),
    "verify": (
        "harness.cli.commands.verify:verify_command",
        "Measure whether a configuration, or lines of one on standard input, meet a policy.",
    ),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="postfix-matrix")
def cli() -> None:
    """Find out what Postfix's TLS settings really do: real servers, real clients."""


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
        import traceback

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
