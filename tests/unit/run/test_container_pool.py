"""Containers of builds: what can share one, how many there are, and what becomes of a dead one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.builds import Build
from harness.errors import InfrastructureError
from harness.run.container_pool import (
    BuildContainer,
    ContainerPool,
    NameServer,
    files_fit,
    placed_files,
)
from harness.scenarios.instance import candidate_files
from harness.scenarios.scenario import Scenario
from harness.targets.postfix import PostfixTarget

RSA = "smtpd_tls_cert_file = /tls/mx.pem\nsmtpd_tls_key_file = /tls/key\n"
EC = "smtpd_tls_eccert_file = /tls/mx.pem\nsmtpd_tls_eckey_file = /e\n"
BUILD, OTHER = Build.parse("debian-12"), Build.parse("debian-11")


async def no_address() -> str:
    """A name server that is not up."""
    raise InfrastructureError("it does not start")


FAILING = NameServer("dns", no_address)


def scenario(name: str, main: str, **files: str) -> Scenario:
    """A scenario with a main.cf, and further files."""
    paths = {f"/etc/{file}": text for file, text in files.items()}
    return Scenario(name, "T", "S", "C", main_cf=main, files=paths)


class Target:
    """Stands for a container: whether it has died, and whether it was removed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended = False
        self.removed = False

    def remove(self) -> None:
        """Remove the container."""
        self.removed = True

    def close(self) -> None:
        """Let go of its streams."""


class Starter:
    """Starts containers that are named by their build and number."""

    def __init__(self) -> None:
        self.targets: list[Target] = []
        self.images: list[str] = []

    async def start(
        self, build: Build, number: int, name_server: NameServer | None, image: str
    ) -> PostfixTarget:
        """Start one; a build of which there is no image fails."""
        await asyncio.sleep(0)
        self.images.append(image)
        if build is OTHER and name_server == FAILING:
            raise InfrastructureError("it does not start")
        self.targets.append(Target(f"{build.id}-{number}"))
        return cast("PostfixTarget", self.targets[-1])

    def pool(self, limit: int = 8) -> ContainerPool:
        """A pool of such containers."""
        return ContainerPool(self.start, limit)


def names(containers: list[BuildContainer]) -> list[str]:
    """The containers' names, in order."""
    return [container.target.name for container in containers]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run one coroutine, and fail where it does not end."""
    asyncio.run(asyncio.wait_for(work, 10))


async def hold_all(pool: ContainerPool, *scenarios: Scenario) -> list[str]:
    """The containers of one build that scenarios are put into."""
    return names([await pool.hold(BUILD, scenario) for scenario in scenarios])


def test_scenarios_that_need_other_files_at_one_path_are_kept_apart() -> None:
    """The later one's file would lie there for both, and cells would be of a wrong certificate."""
    scenarios = [scenario("rsa", RSA), scenario("ec", EC), scenario("same", RSA)]
    containers = asyncio.run(hold_all(Starter().pool(), *scenarios))
    assert containers == ["debian-12-1", "debian-12-2", "debian-12-1"]


def test_scenarios_with_the_same_files_or_files_of_their_own_share_a_container() -> None:
    """Files below the instance's own folder are no other instance's."""
    one_size = "smtpd_tls_dh1024_param_file = $config_directory/dh.pem\n"
    other_size = "smtpd_tls_dh512_param_file = ${config_directory}/dh.pem\n"
    scenarios = [scenario("a", one_size), scenario("b", other_size), scenario("c", "")]
    assert set(asyncio.run(hold_all(Starter().pool(), *scenarios))) == {"debian-12-1"}


def test_a_scenario_with_files_for_the_whole_container_has_it_alone() -> None:
    """An openssl.cnf of one scenario must not govern the others' instances."""
    system = scenario("cnf", "", ssl="MinProtocol = TLSv1.2")
    table = Scenario("map", "T", "S", "C", files={"config_directory/map": "x may"})
    containers = asyncio.run(hold_all(Starter().pool(), system, scenario("a", ""), table, system))
    assert containers == ["debian-12-1", "debian-12-2", "debian-12-2", "debian-12-1"]


def test_a_container_that_asks_another_name_server_is_not_shared() -> None:
    """Whether names resolve decides what an instance is configured with."""

    async def work() -> None:
        pool = Starter().pool()
        held = [await pool.hold(BUILD, scenario("a", ""), address) for address in (None, FAILING)]
        assert names(held) == ["debian-12-1", "debian-12-2"]

    run(work())


@given(st.lists(st.sampled_from([RSA, EC, ""]), max_size=8))
def test_no_container_has_two_kinds_of_file_at_one_path(mains: list[str]) -> None:
    """Whatever is asked for, each path of a container has one kind of file."""

    async def work() -> None:
        pool = Starter().pool()
        kinds: dict[tuple[str, str], object] = {}
        for number, main in enumerate(mains):
            asked = scenario(str(number), main)
            container = await pool.hold(BUILD, asked)
            for path, kind in candidate_files(asked).items():
                assert kinds.setdefault((container.target.name, path), kind) is kind

    run(work())


def test_files_fit_where_each_path_has_one_kind() -> None:
    """Protects the rule itself: other paths never disturb."""
    rsa, ec = placed_files(scenario("rsa", RSA)), placed_files(scenario("ec", EC))
    assert files_fit(rsa, rsa)
    assert files_fit({}, ec)
    assert not files_fit(rsa, ec)


def test_the_container_that_is_idle_longest_makes_room() -> None:
    """Protects the bound by memory: what nobody uses goes, the longest idle one first."""

    async def work() -> None:
        starter = Starter()
        pool = starter.pool(limit=2)
        first, second = await pool.hold(BUILD), await pool.hold(OTHER)
        pool.give_back(second)
        await asyncio.sleep(0.01)
        pool.give_back(first)
        third = await pool.hold(Build.parse("debian-13"))
        assert [target.removed for target in starter.targets] == [False, True, False]
        assert await pool.hold(BUILD) is first
        assert third.holders == 1

    run(work())


def test_a_build_without_a_container_waits_for_one_to_be_given_back() -> None:
    """Protects the bound where all are in use: it is kept, and the one that waits gets its turn."""

    async def work() -> None:
        starter = Starter()
        pool = starter.pool(limit=1)
        held = await pool.hold(BUILD)
        waiting = asyncio.ensure_future(pool.hold(OTHER))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        pool.give_back(held)
        assert (await waiting).build == OTHER.id
        assert starter.targets[0].removed

    run(work())


def test_a_build_that_has_a_container_is_given_a_further_one_beyond_the_bound() -> None:
    """Protects against a deadlock: it holds what others wait for."""

    async def work() -> None:
        pool = Starter().pool(limit=1)
        await pool.hold(BUILD, scenario("rsa", RSA))
        assert (await pool.hold(BUILD, scenario("ec", EC))).target.name == "debian-12-2"

    run(work())


def test_a_dead_container_is_not_lent_again() -> None:
    """Protects a long-lived engine: after a kill the next caller gets a fresh container."""

    async def work() -> None:
        starter = Starter()
        pool = starter.pool()
        pool.give_back(await pool.hold(BUILD))
        starter.targets[0].ended = True
        assert (await pool.hold(BUILD)).target.name == "debian-12-2"
        assert starter.targets[0].removed

    run(work())


def test_one_that_does_not_start_is_tried_anew_by_the_next_caller() -> None:
    """Protects a long-lived engine: one failure of Docker's is not remembered for ever."""

    async def work() -> None:
        pool = Starter().pool()
        for _ in range(2):
            with pytest.raises(InfrastructureError):
                await pool.hold(OTHER, None, FAILING)
        assert (await pool.hold(OTHER)).holders == 1

    run(work())


def test_one_that_fails_after_its_caller_has_left_makes_room() -> None:
    """Its error, of whatever kind, is not that of the caller who needs the room."""

    async def work() -> None:
        fails = asyncio.Event()

        async def start(
            build: Build, _number: int, _asked: NameServer | None, _image: str
        ) -> PostfixTarget:
            if build is BUILD:
                await fails.wait()
                raise OSError("too many open files")
            return cast("PostfixTarget", Target(build.id))

        pool = ContainerPool(start, limit=1)
        left = asyncio.ensure_future(pool.hold(BUILD))
        await asyncio.sleep(0)
        left.cancel()
        waiting = asyncio.ensure_future(pool.hold(OTHER))
        await asyncio.sleep(0.01)
        fails.set()
        assert (await waiting).build == OTHER.id

    run(work())
