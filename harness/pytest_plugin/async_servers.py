"""A server for ``async`` tests: each fact and check is awaited, in the test's own event loop.

The measuring happens in a thread, since the engine has an event loop of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from harness.pytest_plugin.cell_result import CellResult
from harness.pytest_plugin.servers import TestedServer, TestedService

T = TypeVar("T")


class AsyncServer:
    """As :class:`TestedServer`: ``await server.aio.smtp.protocols``."""

    def __init__(self, server: TestedServer) -> None:
        """Use ``server.aio``."""
        self._server = server

    @property
    def smtp(self) -> AsyncService:
        """Port 25."""
        return AsyncService(self._server.smtp)

    @property
    def submission(self) -> AsyncService:
        """Port 587."""
        return AsyncService(self._server.submission)

    @property
    def submissions(self) -> AsyncService:
        """Port 465, where TLS comes first."""
        return AsyncService(self._server.submissions)

    def service(self, name: str) -> AsyncService:
        """A service by its name, or by its port."""
        return AsyncService(self._server.service(name))

    @property
    def build_protocols(self) -> Awaitable[set[str]]:
        """The TLS versions that the build can accept at all."""
        return _run_in_thread(lambda: self._server.build.protocols)

    async def must_meet(self, *policies: str, clients: str = "", services: str = "") -> None:
        """As :meth:`TestedServer.must_meet`."""
        await _run_in_thread(
            lambda: self._server.must_meet(*policies, clients=clients, services=services)
        )

    async def must_deliver_from(self, clients: str, *, services: str = "") -> None:
        """As :meth:`TestedServer.must_deliver_from`."""
        await _run_in_thread(lambda: self._server.must_deliver_from(clients, services=services))

    async def must_behave_like(self, other: TestedServer, *, clients: str = "") -> None:
        """As :meth:`TestedServer.must_behave_like`."""
        await _run_in_thread(lambda: self._server.must_behave_like(other, clients=clients))


class AsyncService:
    """As :class:`TestedService`."""

    def __init__(self, service: TestedService) -> None:
        """Use ``server.aio.smtp`` and its siblings."""
        self._service = service

    @property
    def protocols(self) -> Awaitable[set[str]]:
        """The TLS versions that it accepts."""
        return _run_in_thread(lambda: self._service.protocols)

    @property
    def ciphers(self) -> Awaitable[set[str]]:
        """The cipher suites that it accepts."""
        return _run_in_thread(lambda: self._service.ciphers)

    async def result(self, client: str) -> CellResult:
        """What happens to a client, run as its users run it."""
        return await _run_in_thread(lambda: self._service.result(client))

    async def cell(self, client: str, offer: str) -> CellResult:
        """What happens to a client that makes an offer."""
        return await _run_in_thread(lambda: self._service.cell(client, offer))


async def _run_in_thread(work: Callable[[], T]) -> T:
    """Run blocking work beside the loop."""
    return await asyncio.to_thread(work)
