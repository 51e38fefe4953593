"""Many images at once: each is built when its parents are, and may fail without the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum

from harness.catalog.builds import NO_ADDITIONS, Build, UserAdditions, base_suite, known_builds
from harness.catalog.clients import all_clients, all_controls
from harness.docker_engine.cancel import Cancelled
from harness.docker_engine.session import engine_errors
from harness.errors import DoesNotBuildError, HarnessError, InfrastructureError, SourceError
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.recipe import Recipe
from harness.images.recipes import (
    client_recipe,
    control_recipe,
    dns_recipe,
    openssl_recipe,
    proxy_recipe,
    sasl_recipe,
    toolchain_recipe,
)

#: Orders at a time. Most of them wait: the image builder bounds those that work (its slots).
_THREADS = 64

#: What can be ordered: a build under test, or the recipe of anything else.
Orderable = Build | Recipe


class BuildState(StrEnum):
    """The outcome of an order."""

    BUILT = "built"
    PULLED = "pulled"
    THERE = "there"
    REFUSED = "does not build"
    UNREACHED = "source not reached"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The outcome of an order; ``seconds`` since it was placed, waiting included."""

    name: str
    state: BuildState
    seconds: float
    image: Image | None = None
    error: HarnessError | None = None


def list_orderables(additions: UserAdditions = NO_ADDITIONS) -> dict[str, Orderable]:
    """All images that can be ordered by name: builds, the OpenSSL of each pair, a run's helpers."""
    builds = known_builds(additions)
    others = [
        *(part for build in builds for part in openssl_parts(build)),
        *(client_recipe(client) for client in all_clients()),
        *(control_recipe(control.name) for control in all_controls()),
        sasl_recipe(),
        dns_recipe(),
        proxy_recipe(),
    ]
    return {**{build.id: build for build in builds}, **{recipe.name: recipe for recipe in others}}


def openssl_parts(build: Build) -> tuple[Recipe, ...]:
    """The images that a build is made from and that are useful without it: its OpenSSL.

    If the source of a pair's Postfix is not reached, its OpenSSL is still built, for a later try.
    One that takes the place of a distribution's is compiled in the build's own image.
    """
    if build.openssl is None or build.replaces_openssl:
        return ()
    return (openssl_recipe(build.openssl),)


def add_parts(orders: Iterable[Orderable]) -> dict[str, Orderable]:
    """The orders, with each pair's OpenSSL first: it takes longest, and several pairs wait for it.

    The very first is the toolchain, which nearly all of them need.
    """
    chosen = list(orders)
    first = [part for order in chosen if isinstance(order, Build) for part in openssl_parts(order)]
    if first:
        first.insert(0, toolchain_recipe(base_suite()))
    return {order_name(order): order for order in [*first, *chosen]}


def order_name(order: Orderable) -> str:
    """A build's id, or a recipe's name."""
    return order.id if isinstance(order, Build) else order.name


def build_all(
    builder: ImageBuilder, orders: Mapping[str, Orderable], on_result: Callable[[BuildResult], None]
) -> list[BuildResult]:
    """Build all orders; ``on_result`` is called in this thread with each result as it arrives.

    An interrupt cancels all of them, and is raised again when all have ended.
    """
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="image") as pool:
        futures: list[Future[BuildResult]] = [
            pool.submit(_make_image, builder, name, order) for name, order in orders.items()
        ]
        results = []
        try:
            for future in as_completed(futures):
                result = future.result()
                results.append(result)
                on_result(result)
        except BaseException:
            builder.cancel()
            for future in futures:
                future.cancel()
            raise
    return results


def _make_image(builder: ImageBuilder, name: str, order: Orderable) -> BuildResult:
    started = time.monotonic()
    image: Image | None = None
    failure: HarnessError | None = None
    state = BuildState.THERE
    try:
        with engine_errors(f"making the image of {name}"):
            image = builder.find(order)
            if image is None:
                image = builder.build(order) if isinstance(order, Build) else builder.ensure(order)
                state = BuildState.PULLED if image.pulled else BuildState.BUILT
    except Cancelled:
        raise
    except HarnessError as error:
        failure, state = error, _failure_state(error)
    except OSError as error:
        failure, state = _cache_error(name, error), BuildState.FAILED
    return BuildResult(name, state, time.monotonic() - started, image, failure)


def _cache_error(name: str, error: OSError) -> InfrastructureError:
    where = f" {error.filename}" if error.filename else ""
    return InfrastructureError(
        f"the image of {name} could not be made: {error.strerror or error}{where}",
        cause="a file or folder of the cache cannot be used",
        next_step="check its permissions, or name another place with XDG_CACHE_HOME",
    )


def _failure_state(error: HarnessError) -> BuildState:
    if isinstance(error, DoesNotBuildError):
        return BuildState.REFUSED
    return BuildState.UNREACHED if isinstance(error, SourceError) else BuildState.FAILED
