"""``postfix-matrix list``: what can be selected on each axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.catalog.builds import Build, all_builds, known_builds
from harness.catalog.clients import Control, all_clients, all_controls
from harness.catalog.peers import all_peers
from harness.cli.argument_checks import InputFolder
from harness.cli.entry_list import print_entries
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.output_forms import JSON, TEXT, format_option
from harness.cli.printing import print_json, print_text
from harness.run.choosing import read_scenarios
from harness.scenarios.policies import load_policies
from harness.tls import NAMED_SERVICES, STANDARD_OFFERS, Offer, Service

POLICIES = "policies"
AXES = ("builds", "scenarios", "services", "clients", "peers", "offers", "controls", POLICIES)


@click.command(
    "list",
    cls=GroupedCommand,
    epilog=format_examples("postfix-matrix list", "postfix-matrix list policies"),
)
@click.argument("axis", type=click.Choice(AXES), required=False)
@grouped_option(
    OptionGroup.SOURCES,
    "--scenarios-dir",
    type=InputFolder(),
    help="Your own folder of scenarios.",
)
@format_option(
    "JSON has each name with its text and whether it is in a run without a selection "
    "(docs/schemas).",
    (TEXT, JSON),
)
def list_command(axis: str | None, scenarios_dir: Path | None, form: str) -> None:
    """List builds, scenarios, clients and other choices.

    With AXIS, only its names are printed, one per line, for other programs (of policies with what
    each requires). Builds in brackets are measured only when they are named, since few machines
    reach all their sources.
    """
    rows = _axis_rows(scenarios_dir)
    if form == JSON:
        print_json(rows_data(rows if axis is None else {axis: rows[axis]}))
    elif axis == POLICIES:
        print_entries(rows[axis])
    elif axis is not None:
        print_text("\n".join(name for name, _ in rows[axis]))
    else:
        for title, entries in rows.items():
            print_text(title, bold=True)
            print_entries(entries, indent="  ")


def rows_data(rows: dict[str, list[tuple[str, str]]]) -> dict[str, Any]:
    """docs/schemas/list.schema.json."""
    unselected = {build.id for build in all_builds()} | {
        client.name for client in all_clients() if client.unasked
    }
    choosable = ("builds", "clients")
    return {
        "schema": 1,
        "axes": {
            axis: [
                {
                    "name": name,
                    "about": about.removeprefix("(").removesuffix(")")
                    if axis == "builds"
                    else about,
                    "by_default": name in unselected if axis in choosable else None,
                }
                for name, about in entries
            ]
            for axis, entries in rows.items()
        },
    }


def _axis_rows(scenarios: Path | None) -> dict[str, list[tuple[str, str]]]:
    return {
        "builds": [(build.id, _describe_build(build)) for build in known_builds()],
        "scenarios": [
            (scenario.name, scenario.title) for scenario in read_scenarios(scenarios).values()
        ],
        "services": [(str(service), _describe_service(service)) for service in NAMED_SERVICES],
        "clients": [(client.name, client.about) for client in all_clients()],
        "peers": [(peer.name, peer.about) for peer in all_peers()],
        "offers": [(str(offer), _describe_offer(offer)) for offer in STANDARD_OFFERS],
        "controls": [(control.name, _describe_control(control)) for control in all_controls()],
        POLICIES: [(policy.name, policy.about) for policy in load_policies(scenarios).values()],
    }


def _describe_build(build: Build) -> str:
    text = _describe_versions(build)
    return text if build in all_builds() else f"({text})"


def _describe_versions(build: Build) -> str:
    if build.replaces_openssl:
        return f"Postfix as {build.suite} packages it, with OpenSSL {build.openssl} from source"
    if build.postfix is None:
        policy = f", crypto policy {build.policy}" if build.policy else ""
        packages = f"Postfix and OpenSSL as {build.suite} packages them{policy}"
        return f"{packages}; a run reads their versions"
    return f"Postfix {build.postfix.version} from source with OpenSSL {build.openssl}"


def _describe_offer(offer: Offer) -> str:
    return "the client as its user would run it" if offer.is_default else "that version only"


def _describe_service(service: Service) -> str:
    if service is Service.OUTBOUND:
        return "mail that Postfix sends; the clients are then peers"
    tls = "implicit TLS" if service.implicit_tls else "STARTTLS"
    return f"port {service.port}, {tls}{', SASL' if service.authenticates else ''}"


def _describe_control(control: Control) -> str:
    if control.forbids:
        return "refuses every handshake"
    return f"grants {control.lowest} to {control.highest}"
