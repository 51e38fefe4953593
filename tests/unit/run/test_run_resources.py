"""What a run records of the engine's images, and what it does where something is unavailable."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from harness.catalog.builds import Build
from harness.errors import InfrastructureError, UsageError
from harness.run.engine import Engine
from harness.run.instances import HeldInstance
from harness.run.run_resources import RunResources
from harness.scenarios.scenario import Scenario

BUILD = Build.parse("debian-12")
SCENARIO = Scenario("a", "T", "S", "C", main_cf="smtpd_tls_security_level = may\n")
LOOKS_UP = Scenario(
    "b", "T", "S", "C", main_cf="smtpd_client_restrictions = reject_unknown_client_hostname\n"
)


class FakeResources:
    """Images by name, which are there at once; a build's fails where it is told to."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.is_failing = False

    async def build_image(self, build: Build) -> None:
        """Make a build's image."""
        self.records[build.id] = {"kind": "build", "id": "new"}
        if self.is_failing:
            raise InfrastructureError("it does not start")

    def name_server(self) -> str:
        """The name server of the clients' names."""
        return "dns"


class FakeInstances:
    """Lends an instance that needs Dovecot's image; notes what is held."""

    def __init__(self, resources: FakeResources) -> None:
        self.resources = resources
        self.held: list[tuple[str, object]] = []

    async def hold(self, _: Build, scenario: Scenario, name_server: object) -> HeldInstance:
        """Lend one."""
        self.resources.records["sasl"] = {"kind": "sasl", "id": "new"}
        self.held.append((scenario.id, name_server))

        class Held:
            class endpoint:
                is_proxied = False

        return cast("HeldInstance", Held)

    async def release(self, _: Build, scenario: Scenario, name_server: object) -> None:
        """Take it back."""
        self.held.remove((scenario.id, name_server))


class FakeEngine:
    """The parts of an engine that a run asks."""

    def __init__(self) -> None:
        self.resources = FakeResources()
        self.instances = FakeInstances(self.resources)


def make_resources(engine: FakeEngine, **image_ids: str) -> RunResources:
    """A run's resources; it began with the images of these ids."""
    ids = {name.replace("_", "-"): number for name, number in image_ids.items()}
    return RunResources(cast("Engine", engine), {BUILD.id: BUILD}, lambda _: None, image_ids=ids)


def test_a_resumed_run_keeps_what_it_recorded_of_an_image_that_has_changed() -> None:
    """Recorded as its own, the new image would be accepted when the run is resumed once more."""
    resources = make_resources(FakeEngine(), debian_12="old")
    assert not asyncio.run(resources.build_image(BUILD.id))
    assert resources.images == {}
    assert "is not the one that this run began with" in resources.missing[0].why


def test_a_resumed_run_does_not_go_on_with_another_dovecot() -> None:
    """Protects the images beside builds and clients; what was started for it is given back."""
    engine = FakeEngine()
    resources = make_resources(engine, sasl="old")
    with pytest.raises(UsageError, match="image of sasl is not the one"):
        asyncio.run(resources.instance(BUILD.id, SCENARIO))
    assert engine.instances.held == []


def test_the_image_of_what_did_not_start_is_recorded() -> None:
    """It is what the reason of the failure is looked for in."""
    engine = FakeEngine()
    engine.resources.is_failing = True
    resources = make_resources(engine)
    assert not asyncio.run(resources.build_image(BUILD.id))
    assert resources.images[BUILD.id]["id"] == "new"
    assert [known.name for known in resources.missing] == [BUILD.id]


def test_an_instance_asks_a_name_server_where_its_scenario_looks_names_up() -> None:
    """A session of single instances has no plan that tells whether any of them does."""
    engine = FakeEngine()
    resources = make_resources(engine)
    asyncio.run(resources.instance(BUILD.id, SCENARIO))
    asyncio.run(resources.instance(BUILD.id, LOOKS_UP))
    assert engine.instances.held == [("a", None), ("b", "dns")]
    asyncio.run(resources.release(BUILD.id, LOOKS_UP))
    assert engine.instances.held == [("a", None)]
