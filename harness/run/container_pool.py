"""The containers of builds: lent to instances, shared where their files fit, bounded in number.

A build's scenarios are instances in one container, where a path has one file. A scenario that wants
another kind of file at a path than those before it goes into a further container of the build, and
one that brings files to places outside of its instance shares a container only with those that
bring the very same: an openssl.cnf applies to every program of the container. What a tool left is
an image of its own, and so are its containers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import docker

from harness.catalog.builds import Build
from harness.docker_engine.session import engine_errors
from harness.scenarios.instance import candidate_files
from harness.scenarios.scenario import Scenario
from harness.targets.postfix import PostfixTarget

#: What is reckoned for a container of a build and the instances in it, in bytes.
_MEMORY_PER_CONTAINER = 128 << 20
_CONTAINERS_PER_CORE = 32
_FEWEST_CONTAINERS = 8


def most_containers(client: docker.DockerClient) -> int:
    """How many containers of builds the engine's machine bears, by its memory and cores."""
    with engine_errors("asking for the memory and cores of its machine"):
        info = client.info()
    by_memory = int(info.get("MemTotal") or 0) // _MEMORY_PER_CONTAINER
    by_cores = int(info.get("NCPU") or 1) * _CONTAINERS_PER_CORE
    return max(_FEWEST_CONTAINERS, min(by_memory, by_cores))


@dataclass(frozen=True, slots=True)
class NameServer:
    """A name server that containers are to ask.

    ``address`` waits until it is up; "": there is none, and the containers go without.
    """

    name: str
    address: Callable[[], Awaitable[str]] = field(compare=False)


@dataclass(frozen=True, slots=True)
class FileNeeds:
    """The files that a scenario needs; none: a container without ``system_files`` will do.

    ``system_files`` apply to every program of the container, sorted by path; ``placed_files`` lie
    at fixed places, kind or text by path. ``image`` is the id of an image in place of the build's.
    """

    system_files: tuple[tuple[str, str], ...] = ()
    placed_files: Mapping[str, str] = field(default_factory=dict)
    image: str = ""


@dataclass(eq=False, slots=True)
class BuildContainer:
    """A container of a build. ``holders``: how many instances, or callers, keep it from ending.

    ``name_server`` is the one that its programs ask, None: they ask none.
    ``files`` are the kinds, or texts, of the files at fixed places; ``system_files`` those that
    apply to every program in it. ``image`` is the one in place of the build's, "" for the build's.
    """

    build: str
    name_server: NameServer | None
    starting: asyncio.Task[PostfixTarget]
    files: dict[str, str] = field(default_factory=dict)
    system_files: tuple[tuple[str, str], ...] = ()
    image: str = ""
    holders: int = 0
    idle_since: float = 0.0

    @property
    def target(self) -> PostfixTarget:
        """The running container."""
        return self.starting.result()

    def fits(self, needs: FileNeeds, name_server: NameServer | None) -> bool:
        """Whether a scenario with these needs can be an instance here."""
        if self.image != needs.image or self.name_server != name_server:
            return False
        if self.system_files != needs.system_files:
            return False
        return bool(self.system_files) or files_fit(self.files, needs.placed_files)


def placed_files(scenario: Scenario) -> dict[str, str]:
    """The files that a scenario needs at fixed places: kind or text by path."""
    brought = {path: text for path, text in scenario.files.items() if path.startswith("/")}
    return {**candidate_files(scenario), **brought}


def files_fit(present: Mapping[str, str], needed: Mapping[str, str]) -> bool:
    """Whether files can lie beside those that are there: a path has one kind of file."""
    return all(present.get(path, kind) == kind for path, kind in needed.items())


#: Starts a container of a build, given its number from 1, its name server, and the id of an image
#: in place of the build's, or "".
StartTarget = Callable[[Build, int, NameServer | None, str], Coroutine[Any, Any, PostfixTarget]]


class ContainerPool:
    """Lends the containers of builds. Belongs to one event loop.

    ``start_target`` starts a container. At most ``limit`` are up; where more are needed, the one
    that has been idle longest is removed first, and a build without a container waits until one is
    idle. A build that has a container already does not wait: it would hold what others wait for.
    """

    def __init__(self, start_target: StartTarget, limit: int) -> None:
        self._start_target = start_target
        self._limit = limit
        self._containers: list[BuildContainer] = []
        self._numbers: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._echoes = 0
        self._needs: dict[tuple[str, str, str], FileNeeds] = {}

    async def hold(
        self, build: Build, scenario: Scenario | None = None, name_server: NameServer | None = None
    ) -> BuildContainer:
        """A container in which the scenario can be an instance, until it is given back.

        ``name_server`` is the one that its programs are to ask. A container that has died is not
        lent any more.

        Raises:
            HarnessError: its image cannot be made, or it does not start.
        """
        needs = self._find_needs(scenario)
        while True:
            container = self._find_fitting(build.id, needs, name_server)
            if container is None:
                await self._await_room(build.id)
                # While this waited, another caller may have started one that fits.
                container = self._find_fitting(
                    build.id, needs, name_server
                ) or self._start_container(build, name_server, needs.image)
            container.holders += 1
            container.system_files = needs.system_files
            container.files |= needs.placed_files
            try:
                # Shielded: one caller's cancellation must not take it from the others.
                target = await asyncio.shield(container.starting)
            except BaseException:
                self.give_back(container)
                if container.starting.done():
                    self._forget_container(container)
                raise
            if not target.ended:
                return container
            self.give_back(container)
            self._forget_container(container)
            await asyncio.to_thread(target.remove)

    def hold_again(self, container: BuildContainer) -> None:
        """One more holder of a container that is held."""
        container.holders += 1

    def give_back(self, container: BuildContainer) -> None:
        """One holder needs it no longer."""
        container.holders -= 1
        container.idle_since = time.monotonic()
        if container.holders == 0:
            self._changed.set()

    async def measure_echo(self) -> None:
        """Measure a round trip to one of the containers that are up, each in turn.

        Raises:
            InfrastructureError: it has died.
        """
        up = [
            known.target
            for known in self._containers
            if known.starting.done()
            and not known.starting.cancelled()
            and known.starting.exception() is None
            and not known.target.ended
        ]
        if up:
            self._echoes += 1
            await asyncio.to_thread(up[self._echoes % len(up)].measure_echo)

    async def close(self) -> None:
        """Let go of every container's streams; removing them is the session's."""
        for container in self._containers:
            container.starting.cancel()
        tasks = [container.starting for container in self._containers]
        for target in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(target, PostfixTarget):
                with suppress(OSError):
                    await asyncio.to_thread(target.close)

    def _find_needs(self, scenario: Scenario | None) -> FileNeeds:
        """A scenario's needs, found once: that puts a whole instance together, for each build."""
        if scenario is None:
            return FileNeeds()
        key = (scenario.id, scenario.digest, scenario.image)
        if key not in self._needs:
            system_files = tuple(sorted(scenario.system_files.items()))
            self._needs[key] = FileNeeds(system_files, placed_files(scenario), scenario.image)
        return self._needs[key]

    def _find_fitting(
        self, build: str, needs: FileNeeds, name_server: NameServer | None
    ) -> BuildContainer | None:
        of_build = (known for known in self._containers if known.build == build)
        return next((known for known in of_build if known.fits(needs, name_server)), None)

    def _start_container(
        self, build: Build, name_server: NameServer | None, image: str
    ) -> BuildContainer:
        number = self._numbers[build.id] = self._numbers.get(build.id, 0) + 1
        work = self._start_target(build, number, name_server, image)
        starting = asyncio.ensure_future(work)
        container = BuildContainer(build.id, name_server, starting, image=image)
        self._containers.append(container)
        return container

    async def _await_room(self, build: str) -> None:
        """Wait until one more container may start, removing the longest idle one if need be."""
        while len(self._containers) >= self._limit:
            idle = [known for known in self._containers if known.holders == 0]
            if idle:
                await self._remove_container(min(idle, key=lambda known: known.idle_since))
            elif any(known.build == build for known in self._containers):
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    async def _remove_container(self, container: BuildContainer) -> None:
        """Remove a container that has no holder; one that did not start left nothing to remove."""
        self._forget_container(container)
        await asyncio.wait([container.starting])
        if not container.starting.cancelled() and container.starting.exception() is None:
            await asyncio.to_thread(container.target.remove)

    def _forget_container(self, container: BuildContainer) -> None:
        with suppress(ValueError):
            self._containers.remove(container)
        self._changed.set()
