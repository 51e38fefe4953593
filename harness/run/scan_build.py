"""The scan of a build: started with a configuration as a run starts it, scanned, and removed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.catalog.builds import Build
from harness.errors import InfrastructureError, UsageError
from harness.reports.stand_ins import StandIns
from harness.run.choosing import (
    choose_builds,
    read_scenarios,
)
from harness.run.endpoints import PostfixEndpoint
from harness.run.engine import Engine
from harness.scan.dialogue import ScanTarget
from harness.scan.result import ScanResult
from harness.scan.scanning import scan_server
from harness.scenarios.scenario import Scenario
from harness.tls import Service


def scan_build(
    engine: Engine, build: Build, scenario: Scenario, service: Service, *, ciphers_only: bool
) -> tuple[ScanResult, StandIns]:
    """The map of a build's service with a configuration, and what was replaced of it.

    Raises:
        UsageError: the configuration has no such service.
        InfrastructureError: the build is unavailable, or does not start with it.
    """
    return engine.run(_scan_build(engine, build, scenario, service, ciphers_only))


def find_build(text: str) -> Build:
    """The one build that a pattern names.

    Raises:
        UsageError: it names none, or several.
    """
    try:
        builds = choose_builds((text,))
    except UsageError as error:
        hint = f"{error.next_step}; a running server is named with its port, such as {text}:25"
        raise UsageError(error.what, cause=error.cause, next_step=hint) from error
    if len(builds) != 1:
        raise UsageError(f"{text!r} is {len(builds)} builds", next_step="name one")
    return next(iter(builds.values()))


def find_scenario(folder: Path | None, name: str) -> Scenario:
    """A scenario by its id.

    Raises:
        UsageError: there is none.
    """
    scenarios = read_scenarios(folder)
    if name not in scenarios:
        raise UsageError(
            f"unknown scenario {name!r}", next_step="'postfix-matrix list' shows each there is"
        )
    return scenarios[name]


async def _scan_build(
    engine: Engine, build: Build, scenario: Scenario, service: Service, ciphers_only: bool
) -> tuple[ScanResult, StandIns]:
    held = await engine.instances.hold(build, scenario)
    try:
        instance = held.endpoint.instance
        if not instance.started:
            raise InfrastructureError(
                f"{build.id} does not start with {scenario.id}: {instance.output}",
                cause="Postfix rejects this configuration",
                next_step="run the scenario: its cells have Postfix's own log lines",
            )
        target = await find_target(engine, held.endpoint, service)
        result = await asyncio.to_thread(scan_server, target, ciphers_only=ciphers_only)
        replaced = tuple(change.to_dict() for change in instance.config.replaced)
        return result, StandIns(replaced, instance.config.base, scenario.reading)
    finally:
        await engine.instances.release(build, scenario)


async def find_target(engine: Engine, endpoint: PostfixEndpoint, service: Service) -> ScanTarget:
    """Where a service is reached from here: by HAProxy where it expects its protocol.

    Raises:
        UsageError: the configuration has no such service.
    """
    listener = endpoint.listener(service)
    if listener is None:
        services = [known.service for known in endpoint.instance.config.listeners]
        raise UsageError(
            f"the configuration has no service {service}",
            next_step=f"name one that it has: {', '.join(services) or 'it has none'}",
        )
    host, port = endpoint.address(service)
    address = endpoint.target.address
    if host != endpoint.host:
        address = (await engine.resources.proxy()).address
    return ScanTarget(address, port, listener.implicit_tls)
