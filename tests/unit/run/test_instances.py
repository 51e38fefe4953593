"""Which instances are up, and what they wait for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.catalog.builds import Build
from harness.run.instances import MOST_INSTANCES, Instances
from harness.scenarios.scenario import Scenario


class HeldContainers:
    """Stands for the pool: builds named in ``unready`` get their container when that is set."""

    def __init__(self, **unready: asyncio.Event) -> None:
        self.unready = unready
        self.holders = 0
        self.dead: set[str] = set()

    async def hold(self, build: Build, *_: object) -> Any:
        self.holders += 1
        if build.id in self.unready:
            await self.unready[build.id].wait()
        ended = build.id in self.dead
        self.dead.discard(build.id)
        return SimpleNamespace(target=SimpleNamespace(ended=ended, collect=dict))

    def give_back(self, _: Any) -> None:
        self.holders -= 1


@pytest.fixture
def start_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Postfix is started: who waits for whom is what these tests are about."""

    async def start(*_: object) -> Any:
        return SimpleNamespace(directory="")

    async def start_no_proxies(*_: object) -> dict[Any, Any]:
        return {}

    async def stop(*_: object) -> None:
        return None

    monkeypatch.setattr(Instances, "_start_in", start)
    monkeypatch.setattr(Instances, "_start_proxies", start_no_proxies)
    monkeypatch.setattr(Instances, "_stop_instance", stop)


def _build(name: str) -> Build:
    return cast("Build", SimpleNamespace(id=name))


def _scenario(number: int) -> Scenario:
    return Scenario(f"s{number}", "T", "S", "C")


@pytest.mark.usefixtures("start_at_once")
def test_a_build_whose_image_is_made_keeps_no_other_waiting() -> None:
    """A corpus of 109 scenarios stood still for as long as an OpenSSL was compiled."""

    async def hold_all() -> None:
        containers = HeldContainers(slow=asyncio.Event())
        instances = Instances(cast("Any", containers), cast("Any", None))
        scenarios = [_scenario(number) for number in range(MOST_INSTANCES + 1)]
        waiting = [asyncio.create_task(instances.hold(_build("slow"), each)) for each in scenarios]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            for scenario in scenarios:
                await instances.hold(_build("ready"), scenario)
                await instances.release(_build("ready"), scenario)
        containers.unready["slow"].set()
        for task, scenario in zip(waiting, scenarios, strict=True):
            await task
            await instances.release(_build("slow"), scenario)
        assert containers.holders == 0

    asyncio.run(hold_all())


@pytest.mark.usefixtures("start_at_once")
def test_a_container_that_died_meanwhile_is_not_used() -> None:
    """Its cells would count as those of a build that does not start."""

    async def hold_twice() -> None:
        containers = HeldContainers()
        containers.dead.add("debian-12")
        instances = Instances(cast("Any", containers), cast("Any", None))
        held = await instances.hold(_build("debian-12"), _scenario(1))
        assert not held.container.target.ended
        await instances.release(_build("debian-12"), _scenario(1))
        assert containers.holders == 0

    asyncio.run(hold_twice())
