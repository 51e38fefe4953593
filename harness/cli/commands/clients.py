"""``postfix-matrix clients``: the fleet, and the conformance test for anybody's client."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial

import click

from harness.catalog.clients import (
    Client,
    Control,
    all_clients,
    all_controls,
    client,
    is_of_a_build,
)
from harness.cli.progress import Display
from harness.cli.signals import terminable
from harness.clients.driver import role_of
from harness.conformance.client_checks import ClientReport
from harness.conformance.client_trial import (
    Servers,
    Trial,
)
from harness.docker_engine.pulling import present
from harness.docker_engine.session import (
    DockerSession,
    connect,
)
from harness.errors import ExitCode
from harness.images import recipes
from harness.images.image_builder import ImageBuilder
from harness.reports.plain_text import plain
from harness.run.builders import open_builder
from harness.targets.control import ControlServer, start_control
from harness.targets.lab import Lab
from harness.targets.postfix import PostfixTarget
from harness.targets.sasl import start_sasl


@click.group("clients")
def clients_group() -> None:
    """Real SMTP clients: those of the catalog, and your own."""


@clients_group.command("check")
@click.argument("image")
@click.option("--json", "as_json", is_flag=True, help="The checks as JSON on standard output.")
@click.option("--quiet", "-q", is_flag=True, help="No progress; the checks only.")
def check_command(image: str, as_json: bool, quiet: bool) -> int:
    """Hold a client against the client contract, point by point.

    IMAGE is a client of the catalog, or the reference of an image of your own. It is tried on
    servers that are known for sure. Exit code 1 where it does not keep the contract.
    """
    with Display(quiet=quiet) as display, terminable(), ExitStack() as stack:
        session = stack.enter_context(DockerSession(connect()))
        lab = stack.enter_context(Lab(session))
        report = asyncio.run(_try_out(image, lab, open_builder(session, display.take)))
    click.echo(json.dumps(asdict(report), indent=2) if as_json else _told(report))
    return ExitCode.OK if report.ok else ExitCode.DIFFERS


@clients_group.command("list")
def list_command() -> None:
    """The clients of the catalog, a line each."""
    for one in all_clients():
        click.echo(
            f"{one.name:24} {one.about}{'' if one.pins else ' (cannot be told what to offer)'}"
        )


async def _try_out(image: str, lab: Lab, shop: ImageBuilder) -> ClientReport:
    """Start the servers, then the trial."""
    named = {one.name for one in all_clients()}
    known = client(image) if image in named or is_of_a_build(image) else None
    made = partial(_image_id, image, shop, known)
    image_id = await asyncio.to_thread(made)
    dovecot = await asyncio.to_thread(shop.ensure, recipes.sasl_recipe())
    sasl = await asyncio.to_thread(start_sasl, lab, dovecot.id)
    loop = asyncio.get_running_loop()
    controls = all_controls()
    start = partial(_start, lab, shop, sasl, loop)
    servers = await asyncio.gather(*(asyncio.to_thread(start, one) for one in controls))
    try:
        permissive = tuple(one for one in servers if not one.control.forbids)
        forbidding = next(one for one in servers if one.control.forbids)
        servers_of = Servers(permissive, forbidding)
        return await Trial(lab, servers_of, image, image_id, role_of(known)).run()
    finally:
        for server in servers:
            server.target.close()


def _image_id(image: str, shop: ImageBuilder, known: Client | None) -> str:
    if known is not None:
        return shop.ensure(recipes.client_recipe(known)).id
    return str(present(connect(), image, shop.cancelling)["Id"])


def _start(
    lab: Lab, shop: ImageBuilder, sasl: str, loop: asyncio.AbstractEventLoop, control: Control
) -> ControlServer:
    image = shop.ensure(recipes.control_recipe(control.name))
    target = PostfixTarget.start(lab, control.name, image.id, loop)
    return start_control(lab, control, target, sasl)


def _told(report: ClientReport) -> str:
    """The checks and what they come to. What an image says is a stranger's word."""
    verdict = "keeps" if report.ok else "does not keep"
    checks = "\n".join(str(check) for check in report.checks)
    closing = f"{report.reference} {verdict} the client contract (docs/client-contract.md)"
    return plain(f"{checks}\n\n{closing}")
