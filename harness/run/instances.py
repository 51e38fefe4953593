"""Instances of Postfix: started for those who ask, shared by them, and stopped after the last."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.catalog.builds import Build
from harness.errors import InfrastructureError
from harness.run.container_pool import BuildContainer, ContainerPool, NameServer
from harness.run.endpoints import PostfixEndpoint
from harness.run.resources import Resources
from harness.scenarios.scenario import Scenario
from harness.targets.postfix import Instance, PostfixTarget
from harness.tls import Service

#: Instances that are up at a time: each is a handful of processes, which stay for their idle time.
MOST_INSTANCES = 96
_Key = tuple[str, str, NameServer | None]


@dataclass(eq=False, slots=True)
class HeldInstance:
    """An instance that is up, in a container of its build."""

    container: BuildContainer
    endpoint: PostfixEndpoint


@dataclass(eq=False, slots=True)
class _Shared:
    """An instance that is up or starting, for so many holders."""

    scenario: Scenario
    starting: asyncio.Task[HeldInstance]
    holders: int = 0
    is_stopping: bool = False
    #: Set when it has been stopped, so that its directory can be used anew.
    stopped: asyncio.Event = field(default_factory=asyncio.Event)


class Instances:
    """Belongs to one event loop. ``keep``: they are left running, for a look at them."""

    def __init__(
        self, containers: ContainerPool, resources: Resources, *, keep: bool = False
    ) -> None:
        self._containers = containers
        self._resources = resources
        self._keep = keep
        self._room = asyncio.Semaphore(MOST_INSTANCES)
        self._shared: dict[_Key, _Shared] = {}

    async def hold(
        self, build: Build, scenario: Scenario, name_server: NameServer | None = None
    ) -> HeldInstance:
        """The scenario's instance on a build, started unless it is up, until it is released.

        Two texts of a scenario with one id follow one another.

        Raises:
            HarnessError: the build, or Dovecot, is unavailable, or the container has died.
        """
        key = (build.id, scenario.id, name_server)
        while True:
            shared = self._shared.get(key)
            if shared is None:
                work = self._start_instance(build, scenario, name_server)
                shared = _Shared(scenario, asyncio.create_task(work))
                self._shared[key] = shared
            # What it is called, and how it was read, makes no other instance of it.
            if shared.scenario.digest == scenario.digest and not shared.is_stopping:
                break
            await shared.stopped.wait()
        shared.holders += 1
        try:
            return await asyncio.shield(shared.starting)
        except BaseException:
            await self.release(build, scenario, name_server)
            raise

    async def release(
        self, build: Build, scenario: Scenario, name_server: NameServer | None = None
    ) -> None:
        """One holder needs the instance no longer; after the last it is stopped."""
        key = (build.id, scenario.id, name_server)
        shared = self._shared[key]
        shared.holders -= 1
        if shared.holders:
            return
        shared.is_stopping = True
        try:
            await self._stop_shared(shared.starting)
        finally:
            del self._shared[key]
            shared.stopped.set()

    async def start_permissive_copy(
        self, container: BuildContainer, scenario: Scenario
    ) -> PostfixEndpoint:
        """Start a permissive copy in a container, which it holds; no HAProxy stands before it.

        It does not count among :data:`MOST_INSTANCES`: the cells that wait for it hold instances.
        """
        self._containers.hold_again(container)
        try:
            instance = await self._start_in(container.target, scenario)
        except BaseException:
            self._containers.give_back(container)
            raise
        return PostfixEndpoint(container.target, instance)

    async def stop_permissive_copy(
        self, container: BuildContainer, endpoint: PostfixEndpoint
    ) -> None:
        """Stop a permissive copy, and give back its container."""
        try:
            await self._stop_instance(endpoint)
        finally:
            self._containers.give_back(container)

    async def _start_instance(
        self, build: Build, scenario: Scenario, name_server: NameServer | None
    ) -> HeldInstance:
        container = await self._find_place(build, scenario, name_server)
        try:
            target = container.target
            instance = await self._start_in(target, scenario)
            fronts = await self._start_proxies(target, instance, scenario)
        except BaseException:
            self._leave_place(container)
            raise
        return HeldInstance(container, PostfixEndpoint(target, instance, fronts))

    async def _find_place(
        self, build: Build, scenario: Scenario, name_server: NameServer | None
    ) -> BuildContainer:
        """A container that runs, and a place among the instances that are up.

        The place is taken last: while a build's image is made, its scenarios must not take the
        places of builds that run.
        """
        while True:
            container = await self._containers.hold(build, scenario, name_server)
            try:
                await self._room.acquire()
            except BaseException:
                self._containers.give_back(container)
                raise
            if not container.target.ended:
                return container
            # It died while this waited, and another takes its place.
            self._leave_place(container)

    def _leave_place(self, container: BuildContainer) -> None:
        self._containers.give_back(container)
        self._room.release()

    async def _start_in(self, target: PostfixTarget, scenario: Scenario) -> Instance:
        sasl = await self._resources.sasl()
        return await asyncio.to_thread(target.start_instance, scenario, sasl)

    async def _start_proxies(
        self, target: PostfixTarget, instance: Instance, scenario: Scenario
    ) -> Mapping[Service, tuple[str, int]]:
        """HAProxy before each of an instance's services that expect its protocol."""
        expecting = [each.service for each in instance.config.listeners if each.proxied]
        if scenario.as_is or not expecting:
            return {}
        proxy = await self._resources.proxy()
        ports = await asyncio.gather(
            *(
                asyncio.to_thread(proxy.forward, target.address, instance.ports[service])
                for service in expecting
            )
        )
        return {service: (proxy.host, port) for service, port in zip(expecting, ports, strict=True)}

    async def _stop_shared(self, starting: asyncio.Task[HeldInstance]) -> None:
        """Stop an instance, and give back its container and its place among those that are up."""
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        if starting.cancelled() or starting.exception() is not None:
            return
        held = starting.result()
        try:
            await self._stop_instance(held.endpoint)
        finally:
            self._leave_place(held.container)

    async def _stop_instance(self, endpoint: PostfixEndpoint) -> None:
        """Stop an instance, unless its container has died, and it with it."""
        if self._keep or endpoint.target.ended:
            return
        try:
            await asyncio.to_thread(endpoint.target.stop_instance, endpoint.instance)
        except InfrastructureError:
            if not await endpoint.target.has_died():
                raise
