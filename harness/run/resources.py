"""What a run's cells need, made ready all at once and handed out as it comes.

Each thing is one task. Who needs it awaits it; a thing that could not be had is told once, as
missing, and is ``None`` to all who ask. Part of the runner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

from harness.catalog.builds import Build, base_suite
from harness.catalog.clients import Client, Control, all_controls, client
from harness.catalog.peers import PEER_BUILD, is_peer, peer
from harness.catalog.plan import Plan
from harness.clients.controls import first_controls
from harness.clients.driver import Driver, role_of
from harness.conformance.image_examination import examine_once
from harness.docker_engine.session import talking
from harness.errors import (
    ContractError,
    DoesNotBuildError,
    HarnessError,
    SourceError,
    UsageError,
)
from harness.images import labels, recipes
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.recipes import Recipe
from harness.run.endpoints import ControlEndpoint
from harness.run.events import (
    Listener,
    Missing,
    Step,
)
from harness.targets.control import start_control
from harness.targets.lab import Lab
from harness.targets.peer_network import (
    PeerNetwork,
    Pin,
    start_peer_network,
)
from harness.targets.postfix import PostfixTarget
from harness.targets.proxy import NAME as HAPROXY
from harness.targets.proxy import ProxyServer, start_proxy
from harness.targets.resolver import start_resolver
from harness.targets.sasl import start_sasl
from harness.tls import Service

T = TypeVar("T")


class Resources:
    """The tasks that make a run's images and start its containers."""

    def __init__(
        self,
        plan: Plan,
        builds: Mapping[str, Build],
        lab: Lab,
        shop: ImageBuilder,
        tell: Listener,
        *,
        own: Iterable[Client] = (),
        before: Mapping[str, str] | None = None,
        changed: Callable[[], None] = lambda: None,
        resolves: bool = False,
    ) -> None:
        """``builds`` has the plan's, by name, ``before`` the image ids of the run that is resumed.

        ``own`` are the user's own clients. ``resolves``: a name server is needed.
        ``changed`` is called whenever ``images`` or ``missing`` has something new.
        """
        self.images: dict[str, dict[str, Any]] = {}
        self.missing: list[Missing] = []
        self._before = dict(before or {})
        self._changed = changed
        self._lab = lab
        self._shop = shop
        self._tell = tell
        self._tasks: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._open: list[Callable[[], None]] = []
        self._plan = plan
        self._builds = builds
        self._own = {one.name: one for one in own}
        self._resolves = resolves

    def begin(self) -> None:
        """Start all tasks; images are asked for in the order in which they become useful."""
        controls = self._first_controls()
        by_need = sorted(self._plan.builds, key=lambda name: _usefulness(self._builds[name]))
        pins = self._pins()
        wanted: list[tuple[str, Recipe | Build | Client]] = [
            (by_need[0], self._builds[by_need[0]]),
            ("sasl", recipes.sasl_recipe()),
            *((name, self._client_image(name)) for name in self._clients),
            *((name, self._builds[name]) for name in by_need[1:]),
        ]
        if pins or self._resolves:
            wanted.insert(1, ("dns", recipes.dns_recipe()))
        if pins:
            wanted.append(("peer", Build.parse(PEER_BUILD)))
        for name, what in wanted:
            self._task("image", name, asyncio.to_thread(self._image, name, what))
        self._task("sasl", "sasl", self._start_sasl())
        if pins:
            self._task("client", "peers", self._start_post(pins))
        elif self._resolves:
            self._task("dns", "dns", self._start_resolver())
        for name in self._clients:
            self._task("client", name, self._start_client(name))
        for control in controls:
            self._want_control(control)
        for name in by_need:
            self._task("build", name, self._start_build(name))

    @property
    def _clients(self) -> list[str]:
        """The plan's clients without its peers."""
        return [name for name in self._plan.clients if not is_peer(name)]

    def _first_controls(self) -> tuple[Control, ...]:
        """The controls that the plan's cells ask first; any other starts when it is asked."""
        cells = (cell for cell in self._plan.cells() if cell.service is not Service.OUTBOUND)
        offers = dict.fromkeys(cell.offer for cell in cells)
        return first_controls(offers, all_controls())

    def _want_control(self, control: Control) -> None:
        """Have a control made and started, unless it is on its way."""
        if ("control", control.name) not in self._tasks:
            recipe = recipes.control_recipe(control.name)
            making = asyncio.to_thread(self._image, control.name, recipe)
            self._task("image", control.name, making)
            self._task("control", control.name, self._start_control(control))

    def _pins(self) -> list[Pin]:
        """The peers that the plan's cells have, each with what it is pinned to."""
        cells = (cell for cell in self._plan.cells() if cell.service is Service.OUTBOUND)
        return list(dict.fromkeys((peer(cell.client), cell.offer) for cell in cells))

    async def post(self) -> PeerNetwork | None:
        """The peers and their name server."""
        post: PeerNetwork | None = await self._unless_missing("client", "peers")
        return post

    async def resolver(self) -> str | None:
        """The name server's address: that of the peers where there are any."""
        if ("client", "peers") in self._tasks:
            post = await self.post()
            return post.resolver if post else None
        if ("dns", "dns") in self._tasks:
            address: str = await self._tasks["dns", "dns"]
            return address
        return None

    async def proxy(self) -> ProxyServer:
        """HAProxy, for services that expect its protocol; it starts when it is first asked for.

        Raises:
            HarnessError: it is unavailable.
        """
        if ("proxy", HAPROXY) not in self._tasks:
            making = asyncio.to_thread(self._image, HAPROXY, recipes.proxy_recipe())
            self._task("image", HAPROXY, making)
            self._task("proxy", HAPROXY, self._start_proxy())
        server: ProxyServer = await asyncio.shield(self._tasks["proxy", HAPROXY])
        return server

    async def sasl(self) -> str:
        """``smtpd_sasl_path`` of the run's Dovecot.

        Raises:
            HarnessError: there is none, and without it no service can be measured.
        """
        path: str = await self._tasks["sasl", "sasl"]
        return path

    async def driver(self, name: str) -> Driver | None:
        """A client's warm driver."""
        driver: Driver | None = await self._unless_missing("client", name)
        return driver

    async def control(self, name: str) -> ControlEndpoint | None:
        """A control server that has proved itself."""
        self._want_control(next(known for known in all_controls() if known.name == name))
        bench: ControlEndpoint | None = await self._unless_missing("control", name)
        return bench

    async def first_control(self) -> None:
        """Wait until the first of the controls is up, or is unavailable; no cell may need any."""
        tasks = [task for (kind, _), task in self._tasks.items() if kind == "control"]
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def build(self, name: str) -> PostfixTarget | None:
        """A build's running container."""
        target: PostfixTarget | None = await self._unless_missing("build", name)
        return target

    async def further(self, name: str, number: int) -> PostfixTarget:
        """One more container of a build, for scenarios that cannot share the first.

        Raises:
            HarnessError: it does not start.
        """
        image: Image = await self._tasks["image", name]
        loop, called = asyncio.get_running_loop(), f"{name}-{number}"
        target = await asyncio.to_thread(
            PostfixTarget.start, self._lab, name, image.id, loop, called=called
        )
        self._open.append(target.close)
        return target

    def lost(self, name: str, kind: str, error: HarnessError) -> None:
        """Put a thing down as missing, once."""
        if all((one.kind, one.name) != (kind, name) for one in self.missing):
            gone = Missing(name, kind, str(error), _category(error))
            self.missing.append(gone)
            self._tell(gone)
            self._changed()

    def why_missing(self, name: str) -> str:
        """Why a thing could not be had."""
        return next((one.why for one in self.missing if one.name == name), "not asked for")

    async def end(self) -> None:
        """Stop what is still being made, and let go of every container's streams."""
        for task in self._tasks.values():
            task.cancel()
        self._shop.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for close in self._open:
            with suppress(OSError):
                close()

    def _task(self, kind: str, name: str, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks[kind, name] = asyncio.create_task(work, name=f"{kind} {name}")

    async def _unless_missing(self, kind: str, name: str) -> Any:
        try:
            # Shielded: one cell's cancellation must not take the thing from all others.
            return await asyncio.shield(self._tasks[kind, name])
        except HarnessError as error:
            self.lost(name, kind, error)
            return None

    def _client_image(self, name: str) -> Recipe | Client:
        return self._own.get(name) or recipes.client_recipe(client(name))

    def _image(self, name: str, what: Recipe | Build | Client) -> Image:
        with talking(f"making the image of {name}"):
            if isinstance(what, Client):
                return self._shop.adopt(name, what.reference, checked=False)
            if not isinstance(what, Build):
                return self._shop.ensure(what)
            return self._examined(what) if what.reference else self._shop.build(what)

    def _examined(self, build: Build) -> Image:
        """An image of the user's, once it was held against the image contract."""
        examine = partial(examine_once, cancel=self._shop.cancelling)
        report = examine(self._lab, build.reference, self._shop.cache_dir)
        report.must_pass()
        image = self._shop.build(build)
        if image.id != report.id:
            raise ContractError(
                f"the image {build.reference} is another one than a moment ago",
                cause="its tag was given to another image meanwhile",
                next_step="let nothing change the tag while a run is on, or name a digest",
            )
        return image

    async def _got_image(
        self, name: str, kind: str, more: Callable[[Image], dict[str, Any]] = lambda _: {}
    ) -> Image:
        """The image of a thing, put down with ``more`` that is known of it.

        Raises:
            UsageError: a run is resumed, and had another image; what it put down stays.
        """
        image: Image = await self._tasks["image", name]
        if self._before.get(name, image.id) != image.id:
            raise UsageError(
                f"the image of {name} is not the one that this run began with",
                cause="the image, or what it is made from, has changed since",
                next_step="start a new run",
            )
        self.images[name] = {
            "kind": kind,
            "reference": image.reference,
            "id": image.id,
            "labels": dict(image.labels),
            **more(image),
        }
        self._changed()
        return image

    async def _start_sasl(self) -> str:
        image = await self._got_image("sasl", "sasl")
        self._tell(Step("sasl", "starting Dovecot"))
        path = await asyncio.to_thread(start_sasl, self._lab, image.id)
        self._tell(Step("sasl", ""))
        return path

    async def _start_proxy(self) -> ProxyServer:
        image = await self._got_image(HAPROXY, "proxy")
        return await asyncio.to_thread(start_proxy, self._lab, image.id)

    async def _start_resolver(self) -> str:
        image = await self._got_image("dns", "dns")
        self._tell(Step("dns", "starting the name server"))
        address = await asyncio.to_thread(start_resolver, self._lab, image.id)
        self._tell(Step("dns", ""))
        return address

    async def _start_client(self, name: str) -> Driver:
        own = {"foreign": True} if name in self._own else {}
        image = await self._got_image(name, "client", lambda _: own)
        self._tell(Step(name, "starting the client"))
        role = role_of(None if name in self._own else client(name))
        driver = Driver(self._lab, name, image.id, role)
        self._open.append(driver.close)
        await driver.start()
        self.images[name]["describe"] = await driver.describe()
        self._changed()
        self._tell(Step(name, ""))
        return driver

    async def _start_post(self, pins: list[Pin]) -> PeerNetwork:
        dns = await self._got_image("dns", "dns")
        image = await self._got_image("peer", "peer")
        self._tell(Step("peers", "starting whom mail is sent to"))
        post = await start_peer_network(self._lab, pins, image.id, dns.id)
        for target in {server.target for server in post.servers.values()}:
            self._open.append(target.close)
        self._tell(Step("peers", ""))
        return post

    async def _start_control(self, control: Control) -> ControlEndpoint:
        image = await self._got_image(control.name, "control")
        self._tell(Step(control.name, "starting the control and trying it"))
        loop = asyncio.get_running_loop()
        target = await asyncio.to_thread(
            PostfixTarget.start, self._lab, control.name, image.id, loop
        )
        self._open.append(target.close)
        sasl = await self.sasl()
        started = await asyncio.to_thread(start_control, self._lab, control, target, sasl)
        self._tell(Step(control.name, ""))
        return ControlEndpoint(started)

    def _provenance(self, image: Image) -> dict[str, Any]:
        """What a doubter asks of a build, for run.json (docs/run-folder.md)."""
        build = self._builds[image.name]
        log = self._shop.log_of(image)
        return {
            "postfix": image.labels.get(labels.POSTFIX),
            "openssl": image.labels.get(labels.OPENSSL),
            "flavour": image.labels.get(labels.FLAVOUR),
            "unverified": build.unverified,
            "foreign": bool(build.reference),
            "read_back": asdict(image.versions) if image.versions else None,
            "build_log": str(log) if log else None,
        }

    async def _start_build(self, name: str) -> PostfixTarget:
        image = await self._got_image(name, "build", self._provenance)
        self._tell(Step(name, "starting Postfix"))
        loop = asyncio.get_running_loop()
        target = await asyncio.to_thread(PostfixTarget.start, self._lab, name, image.id, loop)
        self._open.append(target.close)
        return target


def _category(error: HarnessError) -> str:
    """Which kind of trouble it is, in the words of the run folder (docs/run-folder.md)."""
    kinds = {DoesNotBuildError: "does-not-build", SourceError: "source", ContractError: "image"}
    return next((word for kind, word in kinds.items() if isinstance(error, kind)), "other")


def _usefulness(build: Build) -> tuple[bool, bool]:
    """Sorts builds: those that need no compiler first, and of these those on the common base."""
    return build.kind == "source", build.suite != base_suite()
