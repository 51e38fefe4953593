"""``postfix-matrix scan``: the full map of protocols × ciphers that a server accepts."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import asdict
from pathlib import Path

import click

from harness.clients.scan.dialogue import Place
from harness.clients.scan.elimination import Map, timed_scan
from harness.errors import ExitCode
from harness.tls import INBOUND, Protocol, Service

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
        found, seconds = asyncio.run(timed_scan(place))
    else:
        # Docker's client and all that goes with it takes half a second to load.
        from harness.cli.scan_build import scan_build

        found, seconds = scan_build(what, scenarios_dir, scenario, Service(service), quiet=quiet)
    if as_json:
        click.echo(json.dumps({"server": what, "seconds": seconds, **asdict(found)}, indent=1))
    else:
        _print(found, seconds)
    return ExitCode.INFRASTRUCTURE if found.not_measured else ExitCode.OK


def _print(found: Map, seconds: float) -> None:
    """A table a version, the strongest first; what is weakest in its version is marked."""
    for protocol in Protocol:
        suites = found.of(protocol)
        if not suites:
            click.secho(f"{protocol}: refused", dim=True)
            continue
        order = found.order.get(protocol)
        words = f" ({order}'s preference)" if order else ""
        click.secho(f"{protocol}: {len(suites)} ciphers{words}", bold=True)
        weakest = found.weakest(protocol)
        width = max(len(one.cipher) for one in suites)
        for one in sorted(suites, key=lambda suite: -(suite.bits or 0)):
            mark = "weakest" if one.cipher in weakest and len(suites) > len(weakest) else ""
            bits = "?" if one.bits is None else one.bits
            click.echo(f"{one.cipher:<{width}}  {bits:>4}  {mark}".rstrip())
    for what, why in found.not_measured.items():
        click.secho(f"not measured: {what}: {why}", bold=True, fg="yellow")
    total = len(found.accepted)
    click.echo(f"{total} accepted in {found.handshakes} handshakes, {seconds:.2f} s")
