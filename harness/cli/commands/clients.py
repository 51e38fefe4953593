"""``postfix-matrix clients``: lists the catalog's clients, and checks any client image."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial

import click

from harness.catalog.clients import (
    Client,
    Control,
    all_clients,
    all_controls,
    find_client,
    is_build_client,
)
from harness.catalog.references import check_reference
from harness.cli.completion import complete_clients
from harness.cli.entry_list import print_entries
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.measure_options import JSON, TEXT, format_option
from harness.cli.printing import print_json, print_text
from harness.cli.progress import Display
from harness.cli.registry_options import registry_options
from harness.cli.signals import handle_signals
from harness.clients.driver import client_role
from harness.conformance.client_checks import ClientReport
from harness.conformance.client_trial import (
    ClientTrial,
    TrialServers,
)
from harness.docker_engine.pulling import ensure_present
from harness.docker_engine.session import (
    DockerSession,
    connect,
)
from harness.errors import ExitCode
from harness.images import recipes
from harness.images.image_builder import ImageBuilder
from harness.images.registry import ImageRegistry
from harness.run.session_builder import open_builder
from harness.targets.control import ControlServer, start_control
from harness.targets.lab import Lab
from harness.targets.postfix import PostfixTarget
from harness.targets.sasl import start_sasl


@click.group(
    "clients",
    epilog=format_examples(
        "postfix-matrix clients list", "postfix-matrix clients check registry.example/my-client:1"
    ),
)
def clients_group() -> None:
    """List SMTP clients, or check your own."""


@clients_group.command(
    "check",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix clients check openssl-1.0.2h",
        "postfix-matrix clients check registry.example/my-client:1 --json",
    ),
)
@click.argument("image", shell_complete=complete_clients)
@grouped_option(
    OptionGroup.OUTPUT,
    "--json",
    "as_json",
    is_flag=True,
    help="Print the checks as JSON.",
)
@grouped_option(
    OptionGroup.OUTPUT, "--quiet", "-q", is_flag=True, help="Print the checks only, no progress."
)
@registry_options
def check_command(image: str, as_json: bool, quiet: bool, registry: ImageRegistry | None) -> int:
    """Check a client against the client contract.

    IMAGE is a client of the catalog, or the reference of your own image. It is tried on servers
    whose behaviour is known. The exit code is 1 where it does not keep the contract.
    """
    check_reference(image)
    with Display(quiet=quiet) as display, handle_signals(), ExitStack() as stack:
        session = stack.enter_context(DockerSession(connect()))
        lab = stack.enter_context(Lab(session))
        builder = open_builder(session, display.show_event, registry=registry)
        report = asyncio.run(_try_out(image, lab, builder))
    if as_json:
        print_json(asdict(report), indent=2)
    else:
        print_text(_format_report(report))
    return ExitCode.OK if report.ok else ExitCode.DIFFERS


@clients_group.command(
    "list",
    cls=GroupedCommand,
    epilog=format_examples("postfix-matrix clients list", "postfix-matrix clients list | grep php"),
)
@format_option("JSON has a record for each client (docs/schemas).", (TEXT, JSON))
def list_command(form: str) -> None:
    """List the clients of the catalog.

    On a terminal, what a client is stands beside its name; elsewhere each client is one line.
    """
    if form == JSON:
        print_json(clients_data())
        return
    print_entries([(entry.name, _describe_client(entry)) for entry in all_clients()])


def _describe_client(client: Client) -> str:
    return client.about if client.pins else f"{client.about} (cannot be told what to offer)"


def clients_data() -> dict[str, object]:
    """docs/schemas/clients.schema.json."""
    return {"schema": 1, "clients": [_client_data(entry) for entry in all_clients()]}


def _client_data(client: Client) -> dict[str, object]:
    return {
        "name": client.name,
        "about": client.about,
        "takes_offers": client.pins,
        "by_default": client.unasked,
        "suite": client.suite,
        "openssl": client.openssl,
    }


async def _try_out(image: str, lab: Lab, builder: ImageBuilder) -> ClientReport:
    """Start the servers, then the trial."""
    named = {entry.name for entry in all_clients()}
    known = find_client(image) if image in named or is_build_client(image) else None
    made = partial(_find_image_id, image, builder, known)
    image_id = await asyncio.to_thread(made)
    dovecot = await asyncio.to_thread(builder.ensure, recipes.sasl_recipe())
    sasl = await asyncio.to_thread(start_sasl, lab, dovecot.id)
    loop = asyncio.get_running_loop()
    controls = all_controls()
    start = partial(_start_control_server, lab, builder, sasl, loop)
    servers = await asyncio.gather(*(asyncio.to_thread(start, control) for control in controls))
    try:
        permissive = tuple(server for server in servers if not server.control.forbids)
        forbidding = next(server for server in servers if server.control.forbids)
        servers_of = TrialServers(permissive, forbidding)
        return await ClientTrial(lab, servers_of, image, image_id, client_role(known)).run()
    finally:
        for server in servers:
            server.target.close()


def _find_image_id(image: str, builder: ImageBuilder, known: Client | None) -> str:
    if known is not None:
        return builder.ensure(recipes.client_recipe(known)).id
    return str(ensure_present(connect(), image, builder.cancel_flag)["Id"])


def _start_control_server(
    lab: Lab, builder: ImageBuilder, sasl: str, loop: asyncio.AbstractEventLoop, control: Control
) -> ControlServer:
    image = builder.ensure(recipes.control_recipe(control.name))
    target = PostfixTarget.start(lab, control.name, image.id, loop)
    return start_control(lab, control, target, sasl)


def _format_report(report: ClientReport) -> str:
    """The checks and their result. Text that comes from the image is printed without markup."""
    verdict = "keeps" if report.ok else "does not keep"
    checks = "\n".join(str(check) for check in report.checks)
    closing = f"{report.reference} {verdict} the client contract (docs/client-contract.md)"
    return f"{checks}\n\n{closing}"
