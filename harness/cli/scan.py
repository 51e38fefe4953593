"""``postfix-matrix scan``: the full map of protocols × ciphers that a server accepts."""

from __future__ import annotations

import re
from pathlib import Path

import click

from harness.clients.scan.dialogue import Place
from harness.clients.scan.scanning import scan
from harness.errors import ExitCode
from harness.tls import INBOUND, Service

_ADDRESS = re.compile(r"(?P<host>[^/\s]+):(?P<port>\d+)")


@click.command("scan")
@click.argument("what", metavar="BUILD|HOST:PORT")
@click.option("--scenario", "-s", default="defaults", show_default=True, help="Its configuration.")
@click.option(
    "--scenarios-dir",
    type=click.Path(path_type=Path),
    help="A folder of scenarios of your own, instead of those that come with the tool.",
)
@click.option(
    "--service",
    "-S",
    type=click.Choice([str(one) for one in INBOUND]),
    default="smtp",
    show_default=True,
    help="Of a BUILD: which service.",
)
@click.option("--implicit", is_flag=True, help="Of a HOST:PORT: TLS from the start, no STARTTLS.")
@click.option("--json", "as_json", is_flag=True, help="The map as JSON on standard output.")
@click.option("--quiet", "-q", is_flag=True, help="No progress; the map only.")
def scan_command(
    what: str,
    scenario: str,
    scenarios_dir: Path | None,
    service: str,
    implicit: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Map every protocol and cipher that a server accepts, by elimination.

    A BUILD is started with a scenario's configuration; a HOST:PORT is a server that runs already,
    and takes no Docker. It takes a handshake for each accepted suite and a few more. Exit code 3
    where something could not be measured.
    """
    address = _ADDRESS.fullmatch(what)
    if address:
        place = Place(address["host"], int(address["port"]), implicit, address["host"])
        found = scan(place)
    else:
        # Docker's client and all that goes with it takes half a second to load.
        from harness.cli.scan_build import scan_build

        found = scan_build(what, scenarios_dir, scenario, Service(service), quiet=quiet)
    if as_json:
        from harness.cli.scan_json import render

        click.echo(render(what, found))
    else:
        from harness.cli.scan_text import lines

        for line in lines(found):
            click.echo(line)
    return ExitCode.INFRASTRUCTURE if found.not_measured else ExitCode.OK
