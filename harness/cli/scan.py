"""``postfix-matrix scan``: the full map of protocols × ciphers that a server accepts."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from harness.catalog.builds import Build
from harness.cli.axes import choose_builds, read_scenarios
from harness.cli.display import Display
from harness.cli.opening import open_shop, terminable
from harness.cli.output import output
from harness.clients.scan.dialogue import Place
from harness.clients.scan.elimination import Map, scan
from harness.config.scenario import Scenario
from harness.errors import ExitCode, InfrastructureError, UsageError
from harness.images import recipes
from harness.images.engine import Session, connect
from harness.images.shop import ImageShop
from harness.targets.lab import Lab
from harness.targets.postfix import PostfixTarget, instance_ports
from harness.targets.sasl import start_sasl
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
        found, seconds = asyncio.run(_timed(place))
    else:
        wanted = _scenario(scenarios_dir, scenario)
        with Display(quiet=quiet) as display, terminable(), ExitStack() as stack:
            session = stack.enter_context(Session(connect()))
            lab = stack.enter_context(Lab(session))
            shop = open_shop(session, display)
            found, seconds = asyncio.run(_build(_one(what), wanted, Service(service), lab, shop))
    if as_json:
        click.echo(json.dumps({"server": what, "seconds": seconds, **asdict(found)}, indent=1))
    else:
        _print(found, seconds)
    return ExitCode.INFRASTRUCTURE if found.not_measured else ExitCode.OK


def _one(text: str) -> Build:
    builds = choose_builds((text,))
    if len(builds) != 1:
        raise UsageError(f"{text!r} is {len(builds)} builds", next_step="name one")
    return next(iter(builds.values()))


def _scenario(folder: Path | None, name: str) -> Scenario:
    scenarios = read_scenarios(folder)
    if name not in scenarios:
        raise UsageError(
            f"unknown scenario {name!r}", next_step="'postfix-matrix list' shows each there is"
        )
    return scenarios[name]


async def _timed(place: Place) -> tuple[Map, float]:
    """The map, and how many seconds it took."""
    began = time.monotonic()
    found = await scan(place)
    return found, time.monotonic() - began


async def _build(
    build: Build, scenario: Scenario, service: Service, lab: Lab, shop: ImageShop
) -> tuple[Map, float]:
    """The map of a build with a scenario's configuration, started as a run starts it."""
    image = await asyncio.to_thread(shop.build, build)
    dovecot = await asyncio.to_thread(shop.ensure, recipes.sasl_recipe())
    sasl = await asyncio.to_thread(start_sasl, lab, dovecot.id)
    loop = asyncio.get_running_loop()
    target = await asyncio.to_thread(PostfixTarget.start, lab, build.id, image.id, loop)
    try:
        ports = instance_ports(0)
        instance = await asyncio.to_thread(target.start_instance, scenario, ports, sasl)
        if not instance.started:
            raise InfrastructureError(
                f"{build.id} does not start with {scenario.id}: {instance.words}",
                cause="Postfix rejects this configuration",
                next_step="run the scenario: its cells have Postfix's own words",
            )
        address = lab.address(target.container)
        return await _timed(Place(address, ports[service], service.implicit_tls))
    finally:
        target.close()


def _print(found: Map, seconds: float) -> None:
    """A table a version, the strongest first; what is weakest in its version is marked."""
    console = output()
    for protocol in Protocol:
        suites = found.of(protocol)
        if not suites:
            console.print(Text(f"{protocol}: refused", "dim"), highlight=False)
            continue
        order = found.order.get(protocol)
        table = Table(box=None, pad_edge=False, title_justify="left", title_style="bold")
        words = f" ({order}'s preference)" if order else ""
        table.title = f"{protocol}: {len(suites)} ciphers{words}"
        for name in ("cipher", "bits", ""):
            table.add_column(name)
        weakest = found.weakest(protocol)
        for one in sorted(suites, key=lambda suite: -(suite.bits or 0)):
            mark = "weakest" if one.cipher in weakest and len(suites) > len(weakest) else ""
            table.add_row(one.cipher, "?" if one.bits is None else str(one.bits), mark)
        console.print(table)
    for what, why in found.not_measured.items():
        console.print(Text(f"not measured: {what}: {why}", "bold yellow"), highlight=False)
    total = len(found.accepted)
    console.print(f"{total} accepted in {found.handshakes} handshakes, {seconds:.2f} s")
