"""``postfix-matrix scan``: the full map of protocols × ciphers that a server accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.candidate_options import CandidateOptions, candidate_options
from harness.errors import ExitCode, UsageError
from harness.scan.dialogue import ScanTarget
from harness.scan.scanning import scan
from harness.tls import Service, read_service

if TYPE_CHECKING:
    from harness.reports.stand_ins import StandIns
    from harness.scan.result import Map
    from harness.scenarios.scenario import Scenario

_ADDRESS = re.compile(r"(?P<host>[^/\s]+):(?P<port>\d+)")


@click.command("scan")
@click.argument("what", metavar="BUILD|HOST:PORT")
@click.option(
    "--scenario", "-s", help="Of a BUILD: the scenario with its configuration.  [default: defaults]"
)
@click.option(
    "--config",
    "-C",
    "config",
    multiple=True,
    metavar="FILE|FOLDER|TAR",
    help="Of a BUILD, in place of a scenario: a configuration in any form that 'verify' reads, "
    "or '-'. May be given again.",
)
@click.option(
    "--scenarios-dir",
    type=click.Path(path_type=Path),
    help="A folder of scenarios of your own, instead of those that come with the tool.",
)
@click.option(
    "--service",
    "-S",
    metavar="SERVICE",
    help="Of a BUILD: which service: smtp, submission, submissions, or any other inet entry by its "
    "port, such as 2525.  [default: smtp]",
)
@click.option("--implicit", is_flag=True, help="Of a HOST:PORT: TLS from the start, no STARTTLS.")
@click.option(
    "--ciphers-only", is_flag=True, help="No groups, sizes of DH and certificates: half the time."
)
@click.option("--json", "as_json", is_flag=True, help="The map as JSON on standard output.")
@click.option("--quiet", "-q", is_flag=True, help="No progress; the map only.")
@click.option(
    "--verbose", "-v", is_flag=True, help="Each setting that a stand-in took the place of, and why."
)
@candidate_options(redacting=False)
def scan_command(
    what: str,
    scenario: str | None,
    config: tuple[str, ...],
    scenarios_dir: Path | None,
    service: str | None,
    implicit: bool,
    ciphers_only: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    reading: CandidateOptions,
) -> int:
    """Map every protocol and cipher that a server accepts, by elimination.

    A BUILD is started with the configuration of a scenario, or with yours (--config); a HOST:PORT
    is a server that runs already, and takes no Docker. It takes a handshake for each accepted
    suite and a few more. Exit code 3 where something could not be measured.
    """
    address = _ADDRESS.fullmatch(what)
    of_build = {
        "--scenario": scenario,
        "--config": config,
        "--scenarios-dir": scenarios_dir,
        "--service": service,
        "--container": reading.container,
        "--whole or --lines": reading.footing,
        "--as-is": reading.as_is,
    }
    _refuse(what, of_build if address else {"--implicit": implicit}, running=bool(address))
    replaced = None
    if address:
        host, port = address["host"].removeprefix("[").removesuffix("]"), int(address["port"])
        if not 0 < port < 1 << 16:
            raise UsageError(f"{port} is no port", next_step="name one from 1 to 65535")
        found = scan(ScanTarget(host, port, implicit, host), ciphers_only=ciphers_only)
    else:
        asked = _service(service or "smtp")
        wanted = _wanted(scenario, config, scenarios_dir, service, reading)
        # Docker's client and all that goes with it takes half a second to load.
        from harness.cli.candidate import tell_reading
        from harness.cli.progress import Display
        from harness.cli.signals import terminable
        from harness.run.engine import Engine
        from harness.run.scan_build import find_build, scan_build

        if as_json:
            tell_reading(wanted)
        build = find_build(what)
        with (
            Display(quiet=quiet) as display,
            terminable(),
            Engine(listener=display.take) as engine,
        ):
            found, replaced = scan_build(engine, build, wanted, asked, ciphers_only=ciphers_only)
    if as_json:
        from harness.reports.scan_json import render

        click.echo(render(what, found, replaced))
    else:
        _tell(found, replaced if config or reading.container else None, verbose=verbose)
    return ExitCode.INFRASTRUCTURE if found.not_measured else ExitCode.OK


def _wanted(
    scenario: str | None,
    config: tuple[str, ...],
    scenarios_dir: Path | None,
    service: str | None,
    reading: CandidateOptions,
) -> Scenario:
    """The configuration that a build is started with.

    Raises:
        UsageError: two are named, or one that there is not.
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


def _tell(found: Map, replaced: StandIns | None, *, verbose: bool) -> None:
    """The map as text, below what stand-ins were used for."""
    from harness.reports.scan_text import (
        lines,
        text_width,
    )

    if replaced is not None:
        from harness.reports.stand_ins import stand_ins_text

        for line in stand_ins_text(replaced, verbose=verbose):
            click.echo(line)
        click.echo()
    for line in lines(found, text_width()):
        click.echo(line)


def _service(text: str) -> Service:
    """The service that an option names.

    Raises:
        UsageError: it is no name of one.
    """
    try:
        return read_service(text)
    except ValueError:
        raise UsageError(
            f"there is no service {text!r}",
            next_step="name smtp, submission or submissions, or a port such as 2525",
        ) from None


def _refuse(what: str, options: Mapping[str, object], *, running: bool) -> None:
    """Refuse options that would have no effect.

    Raises:
        UsageError: one of them is given.
    """
    given = [name for name, value in options.items() if value]
    if given:
        kind, other = ("a server that runs already", "a BUILD")
        if not running:
            kind, other = "a build", "a HOST:PORT"
        raise UsageError(
            f"{', '.join(given)} cannot go with {what}, which is {kind}",
            next_step=f"leave it out, or name {other}",
        )
