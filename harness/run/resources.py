"""What cells need beside instances: images, clients, controls, Dovecot, name server, peers.

Each is created when it is first asked for, once, however many ask, and stays until the engine is
closed. What is unavailable stays so: all who ask get the same error.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

from harness.catalog.builds import Build
from harness.catalog.clients import Client, Control
from harness.catalog.peers import PEER_BUILD
from harness.catalog.recordings import Recording
from harness.clients.descriptions import recall_description, remember_description
from harness.clients.driver import Driver, client_role
from harness.clients.recorded_driver import RecordedDriver, describe_recording
from harness.conformance.image_examination import examine_image_once
from harness.docker_engine.session import engine_errors
from harness.errors import ContractError, FaultError, HarnessError
from harness.images import labels, recipes
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.recipe import Recipe
from harness.run.container_pool import NameServer
from harness.run.control_endpoint import ControlEndpoint
from harness.run.events import Listener, Step
from harness.run.shared_tasks import SharedTasks
from harness.targets.control import start_control
from harness.targets.lab import Lab
from harness.targets.peer_network import PeerNetwork, Pin, start_peer_network
from harness.targets.postfix import PostfixTarget
from harness.targets.proxy import NAME as HAPROXY
from harness.targets.proxy import ProxyServer, start_proxy
from harness.targets.resolver import start_resolver
from harness.targets.sasl import SaslServer, start_sasl_server

Source = Recipe | Build | Client
#: Images that may be made, or waited for, at a time.
IMAGE_THREADS = 32
#: How often something is begun again that a fault ended.
_MOST_BEGINS = 3
#: The key of a task, and what begins it.
Task = tuple[tuple[str, Hashable], Callable[[], Coroutine[Any, Any, Any]]]


class Resources:
    """Belongs to one event loop. Every method that gives something may raise HarnessError.

    ``records`` is what run.json says of each image, by the name of what it is for
    (docs/run-folder.md).
    """

    def __init__(self, lab: Lab, builder: ImageBuilder, listener: Listener) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self._lab = lab
        self._builder = builder
        self._listener = listener
        self._tasks = SharedTasks()
        self._closers: list[Callable[[], None]] = []
        self._peer_networks = 0
        self._begun_again: Counter[Hashable] = Counter()
        self._control_starts: Counter[str] = Counter()
        #: What each control's Postfix has as ``smtpd_sasl_path``.
        self._control_sasl: dict[str, str] = {}
        # Threads of their own: what stops an instance must not wait for images to be made.
        self._image_threads = ThreadPoolExecutor(IMAGE_THREADS, thread_name_prefix="images")

    def prepare_build(self, build: Build) -> None:
        """Begin to make a build's image.

        ``prepare_…`` begin something before it is needed; images are made in the order of calls.
        """
        self._tasks.begin(*self._image_task(build.id, build))

    def prepare_client(self, of: Client) -> None:
        """Begin to make a client's image, and to start it."""
        self._tasks.begin(*self._image_task(of.image_name, _client_source(of)))
        self._tasks.begin(*self._client_task(of))

    def prepare_sasl(self) -> None:
        """Begin to make Dovecot's image, and to start it."""
        self._tasks.begin(*self._image_task("sasl", recipes.sasl_recipe()))
        self._tasks.begin(*self._sasl_task())

    def prepare_control(self, control: Control) -> None:
        """Begin to make a control's image, to start it and to try it."""
        source = recipes.control_recipe(control.name)
        self._tasks.begin(*self._image_task(control.name, source))
        self._tasks.begin(*self._control_task(control))

    def prepare_resolver(self) -> None:
        """Begin to make the name server's image, and to start it."""
        self._tasks.begin(*self._image_task("dns", recipes.dns_recipe()))
        self._tasks.begin(*self._resolver_task())

    def prepare_peers(self, pins: frozenset[Pin]) -> None:
        """Begin to make the images of the peers and their name server, and to start them."""
        self._tasks.begin(*self._image_task("dns", recipes.dns_recipe()))
        self._tasks.begin(*self._peers_task(pins))

    async def build_image(self, build: Build) -> Image:
        """A build's image."""
        return await self._record_image(
            build.id, build, "build", partial(self._describe_build, build)
        )

    async def start_target(
        self, build: Build, number: int, name_server: NameServer | None, image: str = ""
    ) -> PostfixTarget:
        """A container of a build, the ``number``-th of them; it asks the name server.

        ``image`` is the id of one that was made from the build's and takes its place, or "".
        """
        of_build = await self.build_image(build)
        self._listener(Step(build.id, "starting Postfix"))
        loop = asyncio.get_running_loop()
        called = f"{build.id}-{number}" if number > 1 else ""
        target = await _start_in_thread(
            partial(
                PostfixTarget.start, self._lab, build.id, image or of_build.id, loop, called=called
            )
        )
        try:
            if name_server is not None and (address := await name_server.address()):
                await asyncio.to_thread(target.use_resolver, address)
        except BaseException:
            await asyncio.to_thread(target.remove)
            raise
        self._listener(Step(build.id, ""))
        return target

    async def client(self, of: Client) -> Driver:
        """A client's warm driver; that of recorded clients is one, :meth:`recorded_client`."""
        driver: Driver = await self._await_task(*self._client_task(of))
        return driver

    async def recorded_client(self, of: Client, recording: Recording) -> RecordedDriver:
        """A recorded client's driver: one container speaks for all of them."""
        driver = await self.client(of)
        described = describe_recording(recording)
        self.records[of.name] = {**self.records[of.image_name], "describe": described}
        return RecordedDriver(driver, recording)

    async def control(self, control: Control) -> ControlEndpoint:
        """A control server that has proved itself; one whose container died is started anew."""
        key, work = self._control_task(control)
        while True:
            endpoint: ControlEndpoint = await self._await_task(key, work)
            is_up = not endpoint.target.ended and not endpoint.is_lost
            # Its Postfix asks the Dovecot that it was started with.
            if is_up and self._control_sasl[control.name] == await self.sasl():
                return endpoint
            self._tasks.forget(key)

    async def first_control(self) -> None:
        """Wait until the first of the controls is up, or is unavailable; no cell may need any."""
        if tasks := self._tasks.tasks("control"):
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def sasl(self) -> str:
        """``smtpd_sasl_path`` of the engine's Dovecot; without it no service can be measured.

        One whose container died is started anew.
        """
        key, work = self._sasl_task()
        while True:
            server: SaslServer = await self._await_task(key, work)
            if not server.ended:
                return server.path
            self._tasks.forget(key)

    def name_server(self) -> NameServer:
        """The name server that knows the names of the test's clients."""

        async def address() -> str:
            result: str = await self._await_task(*self._resolver_task())
            return result

        return NameServer("dns", address)

    async def peers(self, pins: frozenset[Pin]) -> PeerNetwork:
        """The peers with these pins, and the name server that leads to them."""
        network: PeerNetwork = await self._await_task(*self._peers_task(pins))
        return network

    def peers_name_server(self, pins: frozenset[Pin]) -> NameServer:
        """The name server that leads to the peers with these pins."""

        async def address() -> str:
            try:
                return (await self.peers(pins)).resolver
            except HarnessError:
                # Who sends mail to them reports it; mail that comes in can be measured without.
                return ""

        return NameServer(f"dns of {len(pins)} peers {hash(pins)}", address)

    async def proxy(self) -> ProxyServer:
        """HAProxy, for services that expect its protocol."""
        server: ProxyServer = await self._await_task(("proxy", HAPROXY), self._start_proxy)
        return server

    async def close(self) -> None:
        """Stop what is still being made, and let go of every container's streams."""
        self._builder.cancel()
        await self._tasks.cancel()
        await asyncio.to_thread(self._image_threads.shutdown)
        for close in self._closers:
            with suppress(OSError):
                await asyncio.to_thread(close)

    async def _await_task(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of a task; one that a fault ended is begun once more."""
        try:
            return await self._tasks.result(key, work)
        except FaultError:
            if self._begun_again[key] >= _MOST_BEGINS:
                raise
            if self._tasks.forget(key):
                self._begun_again[key] += 1
            return await self._tasks.result(key, work)

    def _image_task(self, name: str, source: Source) -> Task:
        return ("image", name), lambda: self._make_in_thread(name, source)

    def _client_task(self, of: Client) -> Task:
        return ("client", of.image_name), lambda: self._start_client(of)

    def _sasl_task(self) -> Task:
        return ("sasl", "sasl"), self._start_sasl

    def _control_task(self, control: Control) -> Task:
        return ("control", control.name), lambda: self._start_control(control)

    def _resolver_task(self) -> Task:
        return ("dns", "dns"), self._start_resolver

    def _peers_task(self, pins: frozenset[Pin]) -> Task:
        return ("peers", pins), lambda: self._start_peers(pins)

    async def _make_in_thread(self, name: str, source: Source) -> Image:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._image_threads, self._make_image, name, source)

    def _make_image(self, name: str, source: Source) -> Image:
        with engine_errors(f"making the image of {name}"):
            if isinstance(source, Client):
                return self._builder.use_user_image(name, source.reference, checked=False)
            if isinstance(source, Recipe):
                return self._builder.ensure(source)
            return self._examine_image(source) if source.reference else self._builder.build(source)

    def _examine_image(self, build: Build) -> Image:
        """The user's image of a build, after it was tested against the image contract."""
        examine = partial(examine_image_once, cancel=self._builder.cancel_flag)
        report = examine(self._lab, build.reference, self._builder.cache_dir)
        report.raise_if_failed()
        image = self._builder.build(build)
        if image.id != report.id:
            raise ContractError(
                f"the image {build.reference} is another one than a moment ago",
                cause="its tag was given to another image meanwhile",
                next_step="let nothing change the tag while a run is on, or name a digest",
            )
        return image

    async def _record_image(
        self,
        name: str,
        source: Source,
        kind: str,
        describe: Callable[[Image], dict[str, Any]] = lambda _: {},
    ) -> Image:
        """An image, recorded with what ``describe`` adds."""
        image: Image = await self._await_task(*self._image_task(name, source))
        if name not in self.records:
            self.records[name] = {
                "kind": kind,
                "reference": image.reference,
                "id": image.id,
                "labels": dict(image.labels),
                **({"pulled": image.pulled} if image.pulled else {}),
                **describe(image),
            }
        return image

    async def _start_sasl(self) -> SaslServer:
        image = await self._record_image("sasl", recipes.sasl_recipe(), "sasl")
        self._listener(Step("sasl", "starting Dovecot"))
        server = await asyncio.to_thread(start_sasl_server, self._lab, image.id)
        self._closers.append(server.close)
        self._listener(Step("sasl", ""))
        return server

    async def _start_proxy(self) -> ProxyServer:
        image = await self._record_image(HAPROXY, recipes.proxy_recipe(), "proxy")
        return await asyncio.to_thread(start_proxy, self._lab, image.id)

    async def _start_resolver(self) -> str:
        image = await self._record_image("dns", recipes.dns_recipe(), "dns")
        self._listener(Step("dns", "starting the name server"))
        address = await asyncio.to_thread(start_resolver, self._lab, image.id)
        self._listener(Step("dns", ""))
        return address

    async def _start_client(self, of: Client) -> Driver:
        is_users = bool(of.reference)
        name = of.image_name
        image = await self._record_image(
            name, _client_source(of), "client", lambda _: {"foreign": True} if is_users else {}
        )
        self._listener(Step(name, "starting the client"))
        driver = Driver(self._lab, name, image.id, client_role(None if is_users else of))
        self._closers.append(driver.close)
        await driver.start()
        self.records[name]["describe"] = await self._describe_client(driver, image.id)
        self._listener(Step(name, ""))
        return driver

    async def _describe_client(self, driver: Driver, image_id: str) -> dict[str, Any]:
        """What a client's driver says of itself; the same image says the same each time."""
        cache = self._builder.cache_dir
        known = recall_description(cache, image_id)
        if known is not None:
            driver.take_description(known)
            return known
        described = await driver.describe()
        remember_description(cache, image_id, described)
        return described

    async def _start_peers(self, pins: frozenset[Pin]) -> PeerNetwork:
        dns = await self._record_image("dns", recipes.dns_recipe(), "dns")
        build = Build.parse(PEER_BUILD)
        image = await self._record_image("peer", build, "peer")
        self._listener(Step("peers", "starting the servers that mail is sent to"))
        self._peer_networks += 1
        in_order = sorted(pins, key=lambda pin: (pin[0].name, str(pin[1])))
        network = await start_peer_network(
            self._lab, in_order, image.id, dns.id, number=self._peer_networks
        )
        for target in {server.target for server in network.servers.values()}:
            self._closers.append(target.close)
        self._listener(Step("peers", ""))
        return network

    async def _start_control(self, control: Control) -> ControlEndpoint:
        image = await self._record_image(
            control.name, recipes.control_recipe(control.name), "control"
        )
        self._listener(Step(control.name, "starting the control and trying it"))
        loop = asyncio.get_running_loop()
        self._control_starts[control.name] += 1
        # A container that was killed keeps its name until the session ends.
        number = self._control_starts[control.name]
        called = f"{control.name}-{number}" if number > 1 else ""
        target = await _start_in_thread(
            partial(PostfixTarget.start, self._lab, control.name, image.id, loop, called=called)
        )
        self._closers.append(target.close)
        sasl = await self.sasl()
        self._control_sasl[control.name] = sasl
        server = await asyncio.to_thread(start_control, self._lab, control, target, sasl)
        self._listener(Step(control.name, ""))
        return ControlEndpoint(server)

    def _describe_build(self, build: Build, image: Image) -> dict[str, Any]:
        """Where a build's image is from, and what was read back from it (docs/run-folder.md)."""
        log = self._builder.log_of(image)
        return {
            "postfix": image.labels.get(labels.POSTFIX),
            "openssl": image.labels.get(labels.OPENSSL),
            "flavour": image.labels.get(labels.FLAVOUR),
            "unverified": build.unverified,
            "foreign": bool(build.reference),
            "read_back": asdict(image.versions) if image.versions else None,
            "build_log": str(log) if log else None,
        }


def _client_source(of: Client) -> Recipe | Client:
    """What a client's image is made from; a user's is there already."""
    return of if of.reference else recipes.client_recipe(of)


async def _start_in_thread(start: Callable[[], PostfixTarget]) -> PostfixTarget:
    """Start a container in a thread, which a cancellation cannot interrupt.

    Without its end being waited for, no one would close the streams of what it started.
    """
    starting = asyncio.create_task(asyncio.to_thread(start))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if not starting.cancelled() and starting.exception() is None:
            await asyncio.to_thread(starting.result().close)
        raise
