"""``postfix-matrix``: the group of commands, and how errors become exit codes."""

from __future__ import annotations

import errno
import shlex
import sys
from itertools import pairwise
from pathlib import Path

import click

from harness import __version__
from harness.cli.closed_output import discard_output, is_output_closed
from harness.cli.grouped_help import format_examples
from harness.cli.lazy import LazyGroup
from harness.cli.printing import print_text
from harness.cli.terminal import fit_output, is_styled
from harness.errors import (
    ExitCode,
    HarnessError,
    InfrastructureError,
    OutputClosedError,
    RunInterruptedError,
    UsageError,
)

#: For each command: where it is, and the first sentence of its help (at most 55 characters).
COMMANDS = {
    "answer": (
        "harness.cli.commands.answer:answer_command",
        "Print a verdict to paste under SCENARIO's advice.",
    ),
    "catalog": (
        "harness.cli.commands.catalog:catalog_group",
        "List the known releases, or add one to the catalog.",
    ),
    "check": (
        "harness.cli.commands.check:check_command",
        "Compare a configuration with a recorded snapshot.",
    ),
    "clients": (
        "harness.cli.commands.clients:clients_group",
        "List SMTP clients, or check your own.",
    ),
    "compare": (
        "harness.cli.commands.compare:compare_command",
        "Compare two runs: which cells and verdicts differ.",
    ),
    "doctor": (
        "harness.cli.commands.doctor:doctor_command",
        "Check whether this machine can measure.",
    ),
    "explain": (
        "harness.cli.commands.explain:explain_command",
        "Show what each line of a configuration changes.",
    ),
    "images": (
        "harness.cli.commands.images:images_group",
        "Build, list, check and remove Docker images.",
    ),
    "list": (
        "harness.cli.commands.list:list_command",
        "List builds, scenarios, clients and other choices.",
    ),
    "merge": (
        "harness.cli.commands.merge:merge_command",
        "Merge run folders into one, with their evidence.",
    ),
    "publish": (
        "harness.cli.commands.publish:publish_command",
        "Write runs as a static site that anyone can host.",
    ),
    "record": (
        "harness.cli.commands.record:record_command",
        "Measure a configuration and record what it does.",
    ),
    "report": (
        "harness.cli.commands.report:report_command",
        "Write the reports of a run again, or print a table.",
    ),
    "run": (
        "harness.cli.commands.run:run_command",
        "Measure a matrix of builds, scenarios and clients.",
    ),
    "scan": (
        "harness.cli.commands.scan:scan_command",
        "List every protocol and cipher that a server accepts.",
    ),
    "show": (
        "harness.cli.commands.show:show_command",
        "Print the evidence of a cell, or the matrix of a run.",
    ),
    "since": (
        "harness.cli.commands.since:since_command",
        "Show since which version a result is what it is.",
    ),
    "tool": (
        "harness.cli.commands.tool:tool_command",
        "Show what a hardening tool changes for clients.",
    ),
    "verdicts": (
        "harness.cli.commands.verdicts:verdicts_command",
        "Judge the advice of a run's scenarios, without Docker.",
    ),
    "verify": (
        "harness.cli.commands.verify:verify_command",
        "Measure whether a configuration meets a policy.",
    ),
}


#: docs/exit-codes.md has the same table; click does not rewrap a paragraph after its "\\b".
EXIT_CODES = """\b
Exit codes:
  0    as expected
  1    it differs: a policy is not met, advice is wrong, cells differ
  2    you stopped it; what was measured is kept
  3    it could not be measured, or cells are flaky
  4    the command line or one of your files has an error
  5    the selection selects nothing
  141  the reader of the output closed it, as head(1) does"""

#: Characters of an error's line that are printed; what follows a longer value is at its end.
MOST_OF_LINE = 4000
#: Errors of the system that a wrong path gives.
_WRONG_PATHS = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EACCES,
        errno.ENXIO,
    }
)
#: What a run that is resumed must be given again, since a run folder names no local file.
REPEATED_OPTIONS = frozenset({"--scenarios-dir", "--source", "--image", "--client", "--registry"})


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"{EXIT_CODES}\n\n"
    + format_examples(
        "postfix-matrix verify /etc/postfix --policy tls12-or-newer",
        "postfix-matrix run -b debian-12 -s defaults",
    ),
)
@click.version_option(__version__, prog_name="postfix-matrix")
@click.pass_context
def cli(context: click.Context) -> None:
    """Find out what Postfix's TLS settings really do: real servers, real clients."""
    context.color = is_styled()
    fit_output()


def main() -> None:
    """Run the command line; the process exits with one of :class:`ExitCode`."""
    code = run_cli(sys.argv[1:])
    try:
        # There is none where the process was started with its standard output closed.
        print(end="", flush=True)
    except OSError:
        code = ExitCode.OUTPUT_CLOSED if is_output_closed() else ExitCode.INFRASTRUCTURE
    if code == ExitCode.OUTPUT_CLOSED:
        discard_output()
    sys.exit(code)


def run_cli(arguments: list[str]) -> int:
    """Run a command line and return its exit code; messages go to standard error."""
    try:
        code = cli.main(arguments, prog_name="postfix-matrix", standalone_mode=False)
    except HarnessError as error:
        _print_error(error)
        if _is_for_github(arguments):
            from harness.cli.ci_output import print_error

            print_error(error)
        return error.exit_code
    except click.ClickException as error:
        print_text(_describe_click_error(error), err=True)
        return ExitCode.USAGE
    except OutputClosedError:
        return ExitCode.OUTPUT_CLOSED
    except OSError as error:
        explained = _explain_os_error(error, arguments)
        _print_error(explained)
        return explained.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        print_text(f"postfix-matrix: {explain_interruption(error, arguments)}", err=True)
        return ExitCode.INTERRUPTED
    except Exception:
        import traceback

        print_text(traceback.format_exc(), err=True, nl=False)
        print_text(
            "postfix-matrix: this is a bug of postfix-matrix itself; what was measured is kept.\n"
            "  next step: please report it with the lines above",
            err=True,
        )
        return ExitCode.INFRASTRUCTURE
    return code if isinstance(code, int) else ExitCode.OK


def _print_error(error: HarnessError) -> None:
    """Print an error on standard error; a line of a value that is too long is cut."""
    print_text("\n".join(map(cut_line, f"postfix-matrix: {error}".split("\n"))), err=True)


def cut_line(line: str) -> str:
    """The beginning and the end of a line of more than :data:`MOST_OF_LINE` characters."""
    left_out = len(line) - MOST_OF_LINE
    if left_out <= 0:
        return line
    half = MOST_OF_LINE // 2
    return f"{line[:half]}[{left_out} characters left out]{line[-half:]}"


def _describe_click_error(error: click.ClickException) -> str:
    """An error of click's own, with the command's usage, as ``error.show()`` would print it."""
    lines = [f"Error: {cut_line(error.format_message())}"]
    context = getattr(error, "ctx", None)
    if isinstance(context, click.Context):
        lines = [context.get_usage(), f"Try '{context.command_path} --help' for help.", "", *lines]
    return "\n".join(lines)


def explain_interruption(error: BaseException, arguments: list[str]) -> str:
    """The message for a command that the user stopped, with the command that continues a run."""
    stopped = error if isinstance(error, RunInterruptedError) else error.__context__
    if not isinstance(stopped, RunInterruptedError):
        return "interrupted"
    message = f"interrupted; what was measured is kept in {stopped.folder}"
    if arguments[:1] != ["run"]:
        return message
    return f"{message}\n  next step: {shlex.join(_resume_command(stopped.folder, arguments))}"


def _resume_command(folder: Path, arguments: list[str]) -> list[str]:
    """The command that continues a run: the user's sources, images and clients are given again."""
    command = ["postfix-matrix", "run", "--resume", str(folder)]
    for argument, value in zip(arguments, [*arguments[1:], ""], strict=True):
        option = argument.partition("=")[0]
        if option in REPEATED_OPTIONS:
            command += [argument] if "=" in argument else [argument, value]
    return command


def _is_for_github(arguments: list[str]) -> bool:
    """Whether a command line, which may be wrong elsewhere, has ``--format github``."""
    pairs = pairwise(arguments)
    return "--format=github" in arguments or ("--format", "github") in pairs


def _is_named(filename: object, arguments: list[str]) -> bool:
    """Whether a command line names a file, or a folder that it lies in."""
    if not isinstance(filename, str | Path):
        return False
    path = Path(filename)
    named = [Path(part) for text in arguments for part in (text, text.rpartition("=")[2]) if part]
    return any(each == path or each in path.parents for each in named)


def _explain_os_error(error: OSError, arguments: list[str]) -> HarnessError:
    """What an error of the system means: of a file that the command line names, a wrong name."""
    where = f" {error.filename}" if error.filename else ""
    if error.errno in _WRONG_PATHS and _is_named(error.filename, arguments):
        return UsageError(
            f"{error.filename}: {error.strerror}",
            next_step="name a file or folder that is there, and that you may read",
        )
    if error.errno == errno.ENOSPC:
        return InfrastructureError(
            f"no space is left on the disk{where}; what was measured before is kept",
            next_step="free some space ('make prune' removes our images), then --resume the run",
        )
    return InfrastructureError(
        f"{error.strerror or error}{where}",
        cause="a file or folder of the run, the cache or the state cannot be used",
        next_step="check its permissions, or name another folder (--runs, XDG_CACHE_HOME)",
    )
