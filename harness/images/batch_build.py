"""Many images at once: each as soon as what it stands on is there, and one's failure its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum

from harness.catalog.builds import NOTHING_ADDED, Additions, Build, base_suite, known_builds
from harness.catalog.clients import all_clients, all_controls
from harness.docker_engine.cancel import Cancelled
from harness.docker_engine.session import talking
from harness.errors import DoesNotBuildError, HarnessError, InfrastructureError, SourceError
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.recipes import (
    Recipe,
    client_recipe,
    control_recipe,
    dns_recipe,
    openssl_recipe,
    proxy_recipe,
    sasl_recipe,
    toolchain_recipe,
)

#: Orders at a time. Most of them wait: the shop bounds what works (see its slots).
_THREADS = 64

#: What can be ordered: a build under test, or the recipe of anything else.
Orderable = Build | Recipe


class State(StrEnum):
    """What became of an order."""

    BUILT = "built"
    THERE = "there"
    REFUSED = "does not build"
    UNREACHED = "source not reached"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What became of an order; ``seconds`` since it was placed, waiting included."""

    name: str
    state: State
    seconds: float
    image: Image | None = None
    error: HarnessError | None = None


def catalogue(additions: Additions = NOTHING_ADDED) -> dict[str, Orderable]:
    """All that can be ordered by name: builds, the OpenSSL of each pair, and a run's helpers."""
    builds = known_builds(additions)
    others = [
        *(part for build in builds for part in parts(build)),
        *(client_recipe(one) for one in all_clients()),
        *(control_recipe(one.name) for one in all_controls()),
        sasl_recipe(),
        dns_recipe(),
        proxy_recipe(),
    ]
    return {**{one.id: one for one in builds}, **{one.name: one for one in others}}


def parts(build: Build) -> tuple[Recipe, ...]:
    """What a build is made from that is worth having without it: its OpenSSL.

    Where a pair's Postfix is not reached, its other half is still built, for when it is.
    """
    return (openssl_recipe(build.openssl),) if build.openssl else ()


def with_parts(wanted: Iterable[Orderable]) -> dict[str, Orderable]:
    """The orders, each pair's OpenSSL first: it takes longest, and several pairs wait for it.

    Before all comes what nearly everything is compiled with, and sources are fetched in.
    """
    chosen = list(wanted)
    first = [part for one in chosen if isinstance(one, Build) for part in parts(one)]
    if first:
        first.insert(0, toolchain_recipe(base_suite()))
    return {name_of(one): one for one in [*first, *chosen]}


def name_of(one: Orderable) -> str:
    """A build's id, or a recipe's name."""
    return one.id if isinstance(one, Build) else one.name


def build_all(
    shop: ImageBuilder, orders: Mapping[str, Orderable], on_result: Callable[[BuildResult], None]
) -> list[BuildResult]:
    """Have all orders made; ``on_result`` gets each as it comes, in this thread.

    An interrupt breaks everything off, and is raised again when all has ended.
    """
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="image") as pool:
        futures: list[Future[BuildResult]] = [
            pool.submit(_make, shop, name, one) for name, one in orders.items()
        ]
        results = []
        try:
            for future in as_completed(futures):
                result = future.result()
                results.append(result)
                on_result(result)
        except BaseException:
            shop.cancel()
            for future in futures:
                future.cancel()
            raise
    return results


def _make(shop: ImageBuilder, name: str, one: Orderable) -> BuildResult:
    started = time.monotonic()
    image: Image | None = None
    failure: HarnessError | None = None
    state = State.THERE
    try:
        with talking(f"making the image of {name}"):
            image = shop.find(one)
            if image is None:
                image = shop.build(one) if isinstance(one, Build) else shop.ensure(one)
                state = State.BUILT
    except Cancelled:
        raise
    except HarnessError as error:
        failure, state = error, _state(error)
    except OSError as error:
        failure, state = _os_error(name, error), State.FAILED
    return BuildResult(name, state, time.monotonic() - started, image, failure)


def _os_error(name: str, error: OSError) -> InfrastructureError:
    where = f" {error.filename}" if error.filename else ""
    return InfrastructureError(
        f"the image of {name} could not be made: {error.strerror or error}{where}",
        cause="a file or folder of the cache cannot be used",
        next_step="check its permissions, or name another place with XDG_CACHE_HOME",
    )


def _state(error: HarnessError) -> State:
    if isinstance(error, DoesNotBuildError):
        return State.REFUSED
    return State.UNREACHED if isinstance(error, SourceError) else State.FAILED
