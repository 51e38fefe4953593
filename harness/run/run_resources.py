"""What one run asks the engine for, what it got, and what was unavailable.

A thing that is unavailable is reported once, and is None to all who ask; the run goes on without.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from harness.catalog.builds import Build, base_suite
from harness.catalog.cells import CONTROL_PREFIX, Cell
from harness.catalog.clients import Client, Control, find_client, find_control
from harness.catalog.peers import find_peer, is_peer
from harness.catalog.plan import Plan
from harness.clients.driver import Driver
from harness.clients.recorded_driver import RecordedDriver
from harness.errors import (
    ContractError,
    DoesNotBuildError,
    HarnessError,
    SourceError,
    UsageError,
)
from harness.run.container_pool import BuildContainer, NameServer
from harness.run.control_endpoint import ControlEndpoint
from harness.run.engine import Engine
from harness.run.events import Listener, Missing
from harness.run.instances import HeldInstance
from harness.scenarios.lab_names import needs_names
from harness.scenarios.scenario import Scenario
from harness.targets.peer_network import PeerNetwork, Pin
from harness.targets.proxy import NAME as HAPROXY
from harness.tls import Service

T = TypeVar("T")


class RunResources:
    """A run's own view of an engine's resources.

    ``images`` and ``missing`` are what run.json records of them (docs/run-folder.md).
    """

    def __init__(
        self,
        engine: Engine,
        builds: Mapping[str, Build],
        listener: Listener,
        *,
        user_clients: Iterable[Client] = (),
        image_ids: Mapping[str, str] | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """``builds`` has the run's, by name.

        ``image_ids`` are those of the run that is resumed; ``on_change`` is called whenever
        ``images`` or ``missing`` has something new.
        """
        self.images: dict[str, dict[str, Any]] = {}
        self.missing: list[Missing] = []
        self._engine = engine
        self._builds = builds
        self._listener = listener
        self._user_clients = {of.name: of for of in user_clients}
        self._image_ids = dict(image_ids or {})
        self._on_change = on_change
        self._pins: frozenset[Pin] = frozenset()
        self._needs_names = False

    def prepare(
        self, plan: Plan, cells: Iterable[Cell], controls: Iterable[Control], *, needs_names: bool
    ) -> None:
        """Begin to make what cells of a plan need; images in the order in which they become useful.

        The plan decides which name server there is; ``needs_names``: some scenario needs one.
        ``controls`` are those that the cells will ask first.
        """
        wanted = list(cells)
        resources = self._engine.resources
        outbound = [cell for cell in plan.cells() if cell.service is Service.OUTBOUND]
        self._pins = frozenset((find_peer(cell.client), cell.offer) for cell in outbound)
        self._needs_names = needs_names
        names = dict.fromkeys(cell.build for cell in wanted)
        builds = sorted((self._builds[name] for name in names), key=_sort_key)
        resources.prepare_build(builds[0])
        if self._pins:
            resources.prepare_peers(self._pins)
        elif needs_names:
            resources.prepare_resolver()
        resources.prepare_sasl()
        for name in dict.fromkeys(cell.client for cell in wanted):
            if not is_peer(name):
                resources.prepare_client(self.find_client(name))
        for build in builds[1:]:
            resources.prepare_build(build)
        for control in controls:
            resources.prepare_control(control)

    async def driver(self, name: str) -> Driver | RecordedDriver | None:
        """A client's warm driver."""
        client, resources = self.find_client(name), self._engine.resources
        work: Coroutine[Any, Any, Driver | RecordedDriver] = (
            resources.client(client)
            if client.recording is None
            else resources.recorded_client(client, client.recording)
        )
        return await self._unless_unavailable("client", name, work)

    async def control(self, name: str) -> ControlEndpoint | None:
        """A control server that has proved itself."""
        work = self._engine.resources.control(find_control(name))
        return await self._unless_unavailable("control", name, work)

    async def peers(self) -> PeerNetwork | None:
        """The peers that the plan's outbound cells have, and their name server."""
        work = self._engine.resources.peers(self._pins)
        return await self._unless_unavailable("client", "peers", work, images=("peer", "dns"))

    async def build_image(self, name: str) -> bool:
        """Whether a build's image is there, which is waited for."""
        work = self._engine.resources.build_image(self._builds[name])
        return await self._unless_unavailable("build", name, work) is not None

    async def plain_container(self, build: str, beside: Scenario) -> BuildContainer:
        """A container of a build without files for all of its programs, to be given back.

        It asks the name server that the instance of the scenario ``beside`` it asks.

        Raises:
            HarnessError: it is unavailable.
        """
        containers = self._engine.containers
        return await containers.hold(self._builds[build], None, self._name_server(beside))

    async def container(self, build: str, scenario: Scenario) -> BuildContainer:
        """The container of a build that a scenario's instance will be in, to be given back.

        Raises:
            HarnessError: it is unavailable.
        """
        containers = self._engine.containers
        return await containers.hold(self._builds[build], scenario, self._name_server(scenario))

    async def instance(self, build: str, scenario: Scenario) -> HeldInstance:
        """The scenario's instance on a build, to be released with :meth:`release`.

        Raises:
            HarnessError: the build, Dovecot or the name server is unavailable.
        """
        name_server = self._name_server(scenario)
        used = [build, "sasl"]
        if name_server is not None:
            used += ["peer", "dns"] if self._pins else ["dns"]
        instances = self._engine.instances
        try:
            held = await instances.hold(self._builds[build], scenario, name_server)
        except HarnessError:
            self._note_images(*used)
            raise
        try:
            self._note_images(*used, *([HAPROXY] if held.endpoint.is_proxied else []))
        except BaseException:
            await self.release(build, scenario)
            raise
        return held

    async def release(self, build: str, scenario: Scenario) -> None:
        """The run needs an instance no longer."""
        instances = self._engine.instances
        await instances.release(self._builds[build], scenario, self._name_server(scenario))

    def find_client(self, name: str) -> Client:
        """The user's client of this name, or else the catalog's.

        Raises:
            UsageError: there is none.
        """
        return self._user_clients.get(name) or find_client(name)

    def _name_server(self, scenario: Scenario) -> NameServer | None:
        """The name server that a scenario's instance asks: the peers' where there are any."""
        if self._pins:
            return self._engine.resources.peers_name_server(self._pins)
        if self._needs_names or needs_names(scenario):
            return self._engine.resources.name_server()
        return None

    def report_unavailable(self, name: str, kind: str, error: HarnessError) -> None:
        """Record a thing as unavailable, once."""
        if all((known.kind, known.name) != (kind, name) for known in self.missing):
            missing = Missing(name, kind, str(error), _categorize_error(error))
            self.missing.append(missing)
            self._listener(missing)
            self._on_change()

    def versions(self, build: str) -> tuple[str | None, str | None]:
        """The versions of a build's Postfix and OpenSSL; None for a control, which has stunnel's.

        A permissive copy of a build runs in the build's own image.
        """
        record = self.images.get(build.removeprefix(CONTROL_PREFIX), {})
        return record.get("postfix"), record.get("openssl")

    def why_unavailable(self, name: str) -> str:
        """Why a thing is unavailable."""
        return next((known.why for known in self.missing if known.name == name), "not asked for")

    async def _unless_unavailable(
        self, kind: str, name: str, work: Awaitable[T], images: Iterable[str] = ()
    ) -> T | None:
        """The result, recorded with its ``images``: the thing's own, unless others are named."""
        used = tuple(images) or (name,)
        try:
            try:
                result = await work
            except HarnessError:
                self._note_images(*used)
                raise
            self._note_images(*used)
        except HarnessError as error:
            self.report_unavailable(name, kind, error)
            return None
        return result

    def _note_images(self, *names: str) -> None:
        """Record the images of things that the run asked for.

        A resumed run goes on with the images that it began with: what was recorded of another one
        stays, so that resuming it once more does not go on with the other either.

        Raises:
            UsageError: an image is another one.
        """
        records = self._engine.resources.records
        fresh = {name: records[name] for name in names if name in records}
        others = [
            name
            for name, record in fresh.items()
            if self._image_ids.get(name, record["id"]) != record["id"]
        ]
        known = {name: dict(record) for name, record in fresh.items() if name not in others}
        if any(self.images.get(name) != record for name, record in known.items()):
            self.images |= known
            self._on_change()
        if others:
            raise UsageError(
                f"the image of {others[0]} is not the one that this run began with",
                cause="the image, or what it is made from, has changed since",
                next_step="start a new run",
            )


def _categorize_error(error: HarnessError) -> str:
    """Which kind of trouble it is, in the labels of the run folder (docs/run-folder.md)."""
    kinds = {DoesNotBuildError: "does-not-build", SourceError: "source", ContractError: "image"}
    return next((label for kind, label in kinds.items() if isinstance(error, kind)), "other")


def _sort_key(build: Build) -> tuple[bool, bool]:
    """Sorts builds: those that need no compiler first, and of these those on the common base."""
    return build.kind == "source", build.suite != base_suite()
