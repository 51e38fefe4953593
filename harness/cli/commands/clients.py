"""``postfix-matrix clients``: lists the catalog's clients, and checks any client image."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial

import click

from harness.catalog.aliases import format_software, search_software
from harness.catalog.builds import Build
from harness.catalog.cells import is_simulated
from harness.catalog.clients import (
    Client,
    Control,
    all_clients,
    all_controls,
    find_client,
    is_build_client,
    recorded_clients,
)
from harness.catalog.recordings import COLUMNS, format_recording
from harness.catalog.references import check_reference
from harness.cli.completion import complete_clients
from harness.cli.entry_list import print_entries
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.images_json import client_report_data
from harness.cli.output_forms import JSON, TEXT, format_option, json_options
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
from harness.run.choosing import choose_clients
from harness.run.engine import Engine
from harness.run.hello_recording import HelloRecorder
from harness.run.session_builder import open_builder
from harness.targets.control import ControlServer, start_control
from harness.targets.lab import Lab
from harness.targets.postfix import PostfixTarget
from harness.targets.sasl import start_sasl
from harness.tls import INBOUND, Service


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
@json_options("JSON has every check and what the driver says of itself (docs/schemas).")
@grouped_option(
    OptionGroup.OUTPUT, "--quiet", "-q", is_flag=True, help="Print the checks only, no progress."
)
@registry_options
def check_command(image: str, form: str, quiet: bool, registry: ImageRegistry | None) -> int:
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
    if form == JSON:
        print_json(client_report_data(report), indent=2)
    else:
        print_text(_format_report(report))
    return ExitCode.OK if report.ok else ExitCode.DIFFERS


@clients_group.command(
    "record",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix clients record curl-debian12 > curl.tsv",
        "postfix-matrix clients record 'smtplib-*' 'go*' > recorded.tsv",
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="CLIENT...")
@grouped_option(
    OptionGroup.SELECTION,
    "--build",
    "-b",
    "build_name",
    default="debian-12",
    show_default=True,
    help="The build whose Postfix the client connects to, through the relay that records.",
)
@grouped_option(
    OptionGroup.SELECTION,
    "--service",
    "-S",
    "service_name",
    type=click.Choice([str(service) for service in INBOUND]),
    default=str(Service.SMTP),
    show_default=True,
    help="The service that it connects to.",
)
@grouped_option(
    OptionGroup.OUTPUT, "--quiet", "-q", is_flag=True, help="Print the table only, no progress."
)
@registry_options
def record_command(
    names: tuple[str, ...],
    build_name: str,
    service_name: str,
    quiet: bool,
    registry: ImageRegistry | None,
) -> int:
    """Record the ClientHello of clients that run here.

    Each CLIENT, a name or a glob, connects to a real Postfix with its default offer, through a
    relay that keeps its first flight. The table on standard output is a file for --client: 'run
    --client hello-recorded-NAME=FILE.tsv' with '-c hello-recorded-NAME' shows what a server would
    choose for it.
    """
    clients = [find_client(name) for name in choose_clients(names)]
    with (
        Display(quiet=quiet) as display,
        handle_signals(),
        Engine(listener=display.show_event, registry=registry) as engine,
    ):
        recorder = HelloRecorder(engine, Build.parse(build_name), Service(service_name))
        recordings = engine.run(recorder.record_clients(clients))
    print_text("\t".join(COLUMNS))
    for recording, hello in recordings.hellos:
        print_text(format_recording(recording, hello))
    for name, why in recordings.failures.items():
        print_text(f"{name}: nothing was recorded: {why}", err=True)
    return ExitCode.INFRASTRUCTURE if recordings.failures else ExitCode.OK


@clients_group.command(
    "list",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix clients list --recorded",
        "postfix-matrix clients list --for outlook",
    ),
)
@grouped_option(
    OptionGroup.SELECTION,
    "--recorded",
    is_flag=True,
    help="List the recorded hellos, which simulate clients that cannot be run here.",
)
@grouped_option(
    OptionGroup.SELECTION,
    "--for",
    "software",
    metavar="NAME",
    help="List what stands for software that people search for: outlook, iphone, woocommerce, …",
)
@format_option("JSON has a record for each client (docs/schemas).", (TEXT, JSON))
def list_command(recorded: bool, software: str | None, form: str) -> None:
    """List the clients of the catalog.

    On a terminal, what a client is stands beside its name; elsewhere each client is one line.
    """
    clients = _listed_clients(recorded, software)
    if form == JSON:
        print_json(clients_data(clients))
    elif software is not None:
        print_text("\n\n".join(map(format_software, search_software(software))))
    else:
        print_entries([(entry.name, _describe_client(entry)) for entry in clients])


def _listed_clients(recorded: bool, software: str | None) -> tuple[Client, ...]:
    """The clients of the catalog, those that are recorded, or those that stand for software."""
    if software is not None:
        names = (name for entry in search_software(software) for name in entry.stand_ins)
        return tuple(map(find_client, dict.fromkeys(names)))
    return recorded_clients() if recorded else all_clients()


def _describe_client(client: Client) -> str:
    # A recorded hello is its whole offer; what it is says so already.
    takes_offers = client.pins or is_simulated(client.name)
    return client.about if takes_offers else f"{client.about} (cannot be told what to offer)"


def clients_data(clients: Iterable[Client]) -> dict[str, object]:
    """docs/schemas/clients.schema.json."""
    return {"schema": 1, "clients": [_client_data(entry) for entry in clients]}


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
