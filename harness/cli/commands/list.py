"""``postfix-matrix list``: what there is on each axis."""

from __future__ import annotations

from pathlib import Path

import click

from harness.catalog.builds import Build, all_builds, known_builds
from harness.catalog.clients import Control, all_clients, all_controls
from harness.catalog.peers import all_peers
from harness.run.choosing import read_scenarios
from harness.scenarios.policies import load_policies
from harness.tls import NAMED_SERVICES, STANDARD_OFFERS, Offer, Service

AXES = ("builds", "scenarios", "services", "clients", "peers", "offers", "controls", "policies")


@click.command("list")
@click.argument("axis", type=click.Choice(AXES), required=False)
@click.option("--scenarios-dir", type=click.Path(path_type=Path), help="A folder of your own.")
def list_command(axis: str | None, scenarios_dir: Path | None) -> None:
    """List builds, scenarios, services, clients and offers: what 'run' chooses from.

    With AXIS only its names, one a line, for other programs. Builds in brackets are measured only
    when they are asked for, since few machines reach all their sources.
    """
    rows = _rows(scenarios_dir)
    if axis is not None:
        click.echo("\n".join(name for name, _ in rows[axis]))
        return
    for title, entries in rows.items():
        click.secho(title, bold=True)
        width = max(len(name) for name, _ in entries)
        for name, text in entries:
            click.echo(f"  {name:<{width}}  {text}".rstrip())


def _rows(scenarios: Path | None) -> dict[str, list[tuple[str, str]]]:
    return {
        "builds": [(build.id, _build(build)) for build in known_builds()],
        "scenarios": [(one.name, one.title) for one in read_scenarios(scenarios).values()],
        "services": [(str(service), _service(service)) for service in NAMED_SERVICES],
        "clients": [(one.name, one.about) for one in all_clients()],
        "peers": [(one.name, one.about) for one in all_peers()],
        "offers": [(str(offer), _offer(offer)) for offer in STANDARD_OFFERS],
        "controls": [(one.name, _grants(one)) for one in all_controls()],
        "policies": [(one.name, one.about) for one in load_policies(scenarios).values()],
    }


def _build(build: Build) -> str:
    text = _what(build)
    return text if build in all_builds() else f"({text})"


def _what(build: Build) -> str:
    if build.postfix is None:
        return f"Postfix and OpenSSL as {build.suite} packages them; a run reads their versions"
    return f"Postfix {build.postfix.version} from source with OpenSSL {build.openssl}"


def _offer(offer: Offer) -> str:
    return "the client as its user would run it" if offer.is_default else "that version only"


def _service(service: Service) -> str:
    if service is Service.OUTBOUND:
        return "mail that Postfix sends; the clients are then peers"
    tls = "implicit TLS" if service.implicit_tls else "STARTTLS"
    return f"port {service.port}, {tls}{', SASL' if service.authenticates else ''}"


def _grants(control: Control) -> str:
    if control.forbids:
        return "refuses every handshake"
    return f"grants {control.lowest} to {control.highest}"
