"""The scan of a build: started with a configuration as a run starts it, scanned, and removed."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

from harness.catalog.builds import Build
from harness.docker_engine.session import (
    DockerSession,
    connect,
)
from harness.errors import InfrastructureError, UsageError
from harness.images import recipes
from harness.images.image_builder import ImageBuilder
from harness.reports.stand_ins import StandIns
from harness.run.builders import open_builder
from harness.run.choosing import (
    choose_builds,
    read_scenarios,
)
from harness.run.events import Listener
from harness.scan.dialogue import ScanTarget
from harness.scan.result import Map
from harness.scan.scanning import scan
from harness.scenarios.scenario import Scenario
from harness.targets.lab import Lab
from harness.targets.postfix import Instance, PostfixTarget
from harness.targets.proxy import start_proxy
from harness.targets.sasl import start_sasl
from harness.tls import Service


def scan_build(
    name: str, wanted: Scenario, service: Service, *, ciphers_only: bool, listener: Listener
) -> tuple[Map, StandIns]:
    """The map of a build's service with a configuration, and what was replaced of it.

    Raises:
        UsageError: no build of that name.
        InfrastructureError: the build cannot be had, or does not start with it.
    """
    build = _one(name)
    with ExitStack() as stack:
        session = stack.enter_context(DockerSession(connect()))
        lab = stack.enter_context(Lab(session))
        shop = open_builder(session, listener)
        return asyncio.run(_build(build, wanted, service, lab, shop, ciphers_only))


def _one(text: str) -> Build:
    builds = choose_builds((text,))
    if len(builds) != 1:
        raise UsageError(f"{text!r} is {len(builds)} builds", next_step="name one")
    return next(iter(builds.values()))


def scenario(folder: Path | None, name: str) -> Scenario:
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


async def _build(
    build: Build,
    scenario: Scenario,
    service: Service,
    lab: Lab,
    shop: ImageBuilder,
    ciphers_only: bool,
) -> tuple[Map, StandIns]:
    """The map of a build with a scenario's configuration, started as a run starts it."""
    image = await asyncio.to_thread(shop.build, build)
    dovecot = await asyncio.to_thread(shop.ensure, recipes.sasl_recipe())
    sasl = await asyncio.to_thread(start_sasl, lab, dovecot.id)
    loop = asyncio.get_running_loop()
    target = await asyncio.to_thread(PostfixTarget.start, lab, build.id, image.id, loop)
    try:
        instance = await asyncio.to_thread(target.start_instance, scenario, sasl)
        if not instance.started:
            raise InfrastructureError(
                f"{build.id} does not start with {scenario.id}: {instance.words}",
                cause="Postfix rejects this configuration",
                next_step="run the scenario: its cells have Postfix's own words",
            )
        place = await _place(target, instance, service, lab, shop)
        config = instance.config
        replaced = tuple(change.to_dict() for change in config.replaced)
        found = await asyncio.to_thread(scan, place, ciphers_only=ciphers_only)
        return found, StandIns(replaced, config.base, scenario.reading)
    finally:
        target.close()


async def _place(
    target: PostfixTarget, instance: Instance, service: Service, lab: Lab, shop: ImageBuilder
) -> ScanTarget:
    """Where a service is reached: by HAProxy where it expects its protocol.

    Raises:
        UsageError: the configuration has no such service.
    """
    known = {each.service: each for each in instance.config.listeners}
    if service not in known:
        raise UsageError(
            f"the configuration has no service {service}",
            next_step=f"name one that it has: {', '.join(known) or 'it has none'}",
        )
    listener, port = known[service], instance.ports[service]
    if not listener.proxied:
        return ScanTarget(target.address, port, listener.implicit_tls)
    image = await asyncio.to_thread(shop.ensure, recipes.proxy_recipe())
    proxy = await asyncio.to_thread(start_proxy, lab, image.id)
    front = await asyncio.to_thread(proxy.forward, target.address, port)
    return ScanTarget(proxy.address, front, listener.implicit_tls)
