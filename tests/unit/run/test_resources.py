"""What the engine's resources begin, and in which order. Docker is left out."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from harness.catalog.builds import Build
from harness.catalog.clients import all_controls, find_client
from harness.errors import BuildError
from harness.images.image_builder import ImageBuilder
from harness.run import resources as module
from harness.run.resources import Resources
from harness.targets.lab import Lab
from harness.targets.postfix import PostfixTarget


class Builder:
    """Makes no image, but notes which it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ensure(self, recipe: Any) -> None:
        """Note a recipe."""
        self.build(recipe)

    def build(self, source: Any) -> None:
        """Note a build, and fail."""
        self.asked.append(getattr(source, "id", None) or source.name)
        raise BuildError("it is not made")

    def cancel(self) -> None:
        """Nothing is being made."""


def test_images_are_made_in_the_order_in_which_they_are_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the first cell waits for the images of all builds, some of which must be compiled."""
    monkeypatch.setattr(module, "IMAGE_THREADS", 1)
    builder = Builder()
    builds = [Build.parse("debian-12"), Build.parse("debian-13")]

    async def work() -> None:
        resources = Resources(cast("Lab", None), cast("ImageBuilder", builder), lambda _: None)
        resources.prepare_build(builds[0])
        resources.prepare_resolver()
        resources.prepare_sasl()
        resources.prepare_client(find_client("openssl-1.0.2h"))
        resources.prepare_build(builds[1])
        resources.prepare_control(all_controls()[0])
        with pytest.raises(BuildError):
            await resources.control(all_controls()[0])
        await resources.close()

    asyncio.run(work())
    assert [name.partition("-")[0] for name in builder.asked] == [
        "debian",
        "dns",
        "sasl",
        "client",
        "debian",
        "control",
    ]


def test_what_was_started_while_its_caller_was_cancelled_is_closed() -> None:
    """Its log would be read on, and passed to a loop that has ended."""
    begun, go_on = threading.Event(), threading.Event()
    closed: list[str] = []

    class Target:
        """Stands for a container that has started."""

        def close(self) -> None:
            """Close its streams."""
            closed.append("streams")

    def start() -> PostfixTarget:
        begun.set()
        assert go_on.wait(10)
        return cast("PostfixTarget", Target())

    async def work() -> None:
        starting = asyncio.create_task(module._start_in_thread(start))
        await asyncio.to_thread(begun.wait, 10)
        starting.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(work())
    assert closed == ["streams"]
