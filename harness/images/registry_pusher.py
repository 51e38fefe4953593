"""Pushes images that are built to a registry, for others to pull (``registry_puller.py``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import docker
from docker.errors import DockerException

from harness.catalog.builds import Build
from harness.docker_engine.cancel import Cancelled
from harness.docker_engine.session import engine_errors
from harness.docker_engine.transfers import (
    ANSWER_LIMITS,
    Transfer,
    TransferFault,
    ask_registry,
    push,
)
from harness.errors import HarnessError, InfrastructureError
from harness.images.batch_build import Orderable
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.pulled_images import has_user_source
from harness.images.recipes import build_recipe
from harness.images.registry import ImageRegistry

#: Pushes at a time: while one uploads, the engine compresses the layers of another.
_PUSHES = 3


class PushState(StrEnum):
    """What became of an image that was to be pushed."""

    PUSHED = "pushed"
    NOT_BUILT = "not built"
    NEVER = "never pushed: made from a user's source"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PushResult:
    """An image, its tag and digest in the registry, and why it is not there if it failed."""

    name: str
    state: PushState
    seconds: float = 0.0
    tag: str = ""
    digest: str = ""
    error: HarnessError | None = None


class RegistryPusher:
    """Pushes the images of one builder to one repository."""

    def __init__(
        self,
        client: docker.DockerClient,
        builder: ImageBuilder,
        registry: ImageRegistry,
        on_step: Callable[[str, str], None],
        answer_limits: tuple[float, float] = ANSWER_LIMITS,
    ) -> None:
        """``answer_limits``: seconds to reach the engine, and to wait for the registry's answer."""
        self._client = client
        self._builder = builder
        self._registry = registry
        self._on_step = on_step
        self._answer_limits = answer_limits

    def push_all(self, orders: Mapping[str, Orderable]) -> list[PushResult]:
        """Push the images that are built; one result for each order, in their order.

        Raises:
            InfrastructureError: the registry does not answer, or permits no push.
            Cancelled: the user cancelled the work.
        """
        with ThreadPoolExecutor(_PUSHES, thread_name_prefix="push") as pool:
            futures = {
                name: pool.submit(self._push_order, name, order) for name, order in orders.items()
            }
            try:
                for future in as_completed(futures.values()):
                    future.result()
            except BaseException:
                for future in futures.values():
                    future.cancel()
                self._builder.cancel()
                raise
        return [future.result() for future in futures.values()]

    def _push_order(self, name: str, order: Orderable) -> PushResult:
        recipe = build_recipe(order) if isinstance(order, Build) else order
        if has_user_source(recipe):
            return PushResult(name, PushState.NEVER)
        try:
            image = self._builder.find(recipe)
        except Cancelled:
            raise
        except HarnessError as error:
            return PushResult(name, PushState.FAILED, error=error)
        if image is None:
            return PushResult(name, PushState.NOT_BUILT)
        with engine_errors(f"pushing {name}"):
            return self._push_image(name, image)

    def _push_image(self, name: str, image: Image) -> PushResult:
        started = time.monotonic()
        repository, tag = self._registry.repository, self._registry.make_tag(image.reference)
        what = f"pushing to {repository}"
        self._on_step(name, what)
        cancel = self._builder.cancel_flag
        try:
            # Who may not read may perhaps write: registries differ in what they say of a new name.
            answer = ask_registry(self._client, f"{repository}:{tag}", cancel, self._answer_limits)
            if answer.fault is TransferFault.OTHER:
                raise _registry_error(repository, answer)
            self._client.api.tag(image.id, repository, tag)
            transfer = push(
                self._client,
                repository,
                tag,
                cancel,
                on_layers=lambda layers: self._on_step(name, f"{layers}, {what}"),
            )
        finally:
            with suppress(DockerException):
                self._client.api.remove_image(f"{repository}:{tag}", noprune=True)
            self._on_step(name, "")
        seconds = time.monotonic() - started
        if transfer.fault is None:
            self._on_step(name, f"pushed in {seconds:.0f} s")
            return PushResult(name, PushState.PUSHED, seconds, tag, transfer.digest)
        if transfer.fault is TransferFault.DENIED:
            raise _registry_error(repository, transfer)
        error = InfrastructureError(
            f"the push of {name} to {repository} broke off: {transfer.error}",
            cause="the network, or the registry's disk",
            next_step="push again: layers that are there are not sent again",
        )
        return PushResult(name, PushState.FAILED, seconds, tag, error=error)


def _registry_error(repository: str, transfer: Transfer) -> InfrastructureError:
    """The error of a registry that takes no image at all."""
    host = repository.partition("/")[0]
    if transfer.fault is TransferFault.DENIED:
        return InfrastructureError(
            f"no permission to push to {repository}: {transfer.error}",
            cause=f"no user is logged in at {host}, or that user may not write there",
            next_step=f"docker login {host}, as a user who may",
        )
    return InfrastructureError(
        f"{repository} is not reached: {transfer.error}",
        cause="the registry is not running, or its name is mistyped",
        next_step="see that the engine reaches it; without TLS it must be on 127.0.0.0/8, or among "
        "the engine's insecure-registries",
    )
