"""``postfix-matrix scan``: all protocols and ciphers that a server accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.argument_checks import InputFolder
from harness.cli.candidate_options import CandidateOptions, candidate_options
from harness.cli.completion import complete_builds
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.output_forms import JSON, json_options
from harness.cli.printing import print_styled, print_text
from harness.cli.registry_options import registry_options
from harness.cli.terminal import terminal_columns
from harness.errors import ExitCode, UsageError
from harness.images.registry import ImageRegistry
from harness.scan.address import is_address, parse_address
from harness.scan.dialogue import ScanTarget
from harness.scan.scanning import scan_server
from harness.tls import Service, read_service
from harness.widths import FILE_WIDTH

if TYPE_CHECKING:
    from harness.reports.stand_ins import StandIns
    from harness.scan.result import ScanResult
    from harness.scenarios.scenario import Scenario


@click.command(
    "scan",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix scan debian-12 --config /etc/postfix",
        "postfix-matrix scan mail.example.org:25 --ciphers-only",
    ),
)
@click.argument("what", metavar="BUILD|HOST:PORT", shell_complete=complete_builds)
@grouped_option(
    OptionGroup.CONFIGURATION,
    "--scenario",
    "-s",
    help="For a BUILD: the scenario whose configuration it gets.  [default: defaults]",
)
@grouped_option(
    OptionGroup.CONFIGURATION,
    "--config",
    "-C",
    "config",
    multiple=True,
    type=click.Path(),
    metavar="FILE|FOLDER|TAR",
    help="For a BUILD, in place of a scenario: a configuration in any form that 'verify' reads, "
    "or '-'. May be repeated.",
)
@grouped_option(
    OptionGroup.SOURCES,
    "--scenarios-dir",
    type=InputFolder(),
    help="Your own folder of scenarios, instead of those that come with the tool.",
)
@grouped_option(
    OptionGroup.CONFIGURATION,
    "--service",
    "-S",
    metavar="SERVICE",
    help="For a BUILD: the service: smtp, submission, submissions, or any other inet entry by its "
    "port, such as 2525.  [default: smtp]",
)
@grouped_option(
    OptionGroup.MEASURING,
    "--implicit",
    is_flag=True,
    help="For a HOST:PORT: TLS from the start, no STARTTLS.",
)
@grouped_option(
    OptionGroup.MEASURING,
    "--ciphers-only",
    is_flag=True,
    help="Skip groups, DH sizes and certificates: half the time.",
)
@json_options("JSON has the whole result (docs/schemas).")
@grouped_option(
    OptionGroup.OUTPUT, "--quiet", "-q", is_flag=True, help="Print the result only, no progress."
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--verbose",
    "-v",
    is_flag=True,
    help="List each setting that a stand-in replaces, and why.",
)
@registry_options
@candidate_options(redacting=False)
def scan_command(
    what: str,
    scenario: str | None,
    config: tuple[str, ...],
    scenarios_dir: Path | None,
    service: str | None,
    implicit: bool,
    ciphers_only: bool,
    form: str,
    quiet: bool,
    verbose: bool,
    registry: ImageRegistry | None,
    reading: CandidateOptions,
) -> int:
    """List every protocol and cipher that a server accepts.

    A BUILD is started with the configuration of a scenario, or with yours (--config); a HOST:PORT
    is a running server, which needs no Docker. The scan goes by elimination: one handshake for each
    accepted suite, and a few more. The exit code is 3 where something could not be measured.
    """
    address = parse_address(what) if is_address(what) else None
    of_build = {
        "--scenario": scenario,
        "--config": config,
        "--scenarios-dir": scenarios_dir,
        "--service": service,
        "--container": reading.container,
        "--whole or --lines": reading.footing,
        "--as-is": reading.as_is,
    }
    _refuse_options(what, of_build if address else {"--implicit": implicit}, running=bool(address))
    replaced = None
    if address:
        target = ScanTarget(address.host, address.port, implicit, address.host)
        result = scan_server(target, ciphers_only=ciphers_only)
    else:
        scanned_service = _parse_service(service or "smtp")
        scanned = _choose_configuration(scenario, config, scenarios_dir, service, reading)
        if form == JSON:
            from harness.cli.candidate import print_reading_notes

            print_reading_notes(scanned)
        result, replaced = _scan_build(
            what, scanned, scanned_service, registry, ciphers_only=ciphers_only, quiet=quiet
        )
    if form == JSON:
        from harness.reports.scan_json import render_scan

        print_text(render_scan(what, result, replaced))
    else:
        _print_map(result, replaced if config or reading.container else None, verbose=verbose)
    return ExitCode.INFRASTRUCTURE if result.not_measured else ExitCode.OK


def _scan_build(
    name: str,
    scenario: Scenario,
    service: Service,
    registry: ImageRegistry | None,
    *,
    ciphers_only: bool,
    quiet: bool,
) -> tuple[ScanResult, StandIns]:
    """Start a build with a configuration and scan one of its services."""
    # Docker's client and what it needs take half a second to load.
    from harness.cli.progress import Display
    from harness.cli.signals import handle_signals
    from harness.run.engine import Engine
    from harness.run.scan_build import find_build, scan_build

    build = find_build(name)
    with (
        Display(quiet=quiet) as display,
        handle_signals(),
        Engine(listener=display.show_event, registry=registry) as engine,
    ):
        return scan_build(engine, build, scenario, service, ciphers_only=ciphers_only)


def _choose_configuration(
    scenario: str | None,
    config: tuple[str, ...],
    scenarios_dir: Path | None,
    service: str | None,
    reading: CandidateOptions,
) -> Scenario:
    """The configuration that a build is started with.

    Raises:
        UsageError: two are named, or one that does not exist.
    """
    from harness.cli.candidate import config_candidate
    from harness.run.scan_build import find_scenario

    if not (config or reading.container):
        known = find_scenario(scenarios_dir, scenario or "defaults")
        return replace(known, as_is=known.as_is or reading.as_is)
    if scenario or scenarios_dir:
        given = "--config" if config else "--container"
        raise UsageError(
            f"{given} and --scenario both name a configuration", next_step="leave one out"
        )
    return config_candidate(config, service, reading)


def _print_map(result: ScanResult, replaced: StandIns | None, *, verbose: bool) -> None:
    """Print the result as text, below the settings that stand-ins replace."""
    from harness.reports.scan_text import scan_lines

    if replaced is not None:
        from harness.reports.stand_ins import stand_ins_text

        for line in stand_ins_text(replaced, verbose=verbose):
            print_text(line)
        print_text()
    for line in scan_lines(result, terminal_columns() or FILE_WIDTH):
        print_styled(line)


def _parse_service(text: str) -> Service:
    """The service that an option names.

    Raises:
        UsageError: no service has that name.
    """
    try:
        return read_service(text)
    except ValueError:
        raise UsageError(
            f"--service: there is no service {text!r}",
            next_step="name smtp, submission or submissions, or a port such as 2525",
        ) from None


def _refuse_options(what: str, options: Mapping[str, object], *, running: bool) -> None:
    """Refuse options that would have no effect.

    Raises:
        UsageError: one of them is given.
    """
    given = [name for name, value in options.items() if value]
    if given:
        kind, other = ("a running server", "a BUILD")
        if not running:
            kind, other = "a build", "a HOST:PORT"
        raise UsageError(
            f"{', '.join(given)} cannot be used with {what}, which is {kind}",
            next_step=f"leave it out, or name {other}",
        )
