"""Plans cut into shards: complete, without overlap, the same each time, and of like cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.clients import all_clients
from harness.catalog.costs import Costs, measured_costs
from harness.catalog.plan import Plan, Scope
from harness.catalog.shards import Shard, cut_plan, take_shard
from harness.errors import UsageError
from harness.tls import Offer, Service

BUILDS = ("b1", "b2", "b3", "b4", "b5")
SCENARIOS = ("defaults", "s1", "s2", "s3")
CLIENTS = ("quick", "slow", "unpinned")
OFFERS = tuple(Offer.parse(text) for text in ("TLSv1", "TLSv1.2", "default", "plaintext"))
SERVICES = (Service.SMTP, Service.SUBMISSIONS)
COSTS = Costs(build=100, instance=20, cell=5, clients={"quick": 1, "slow": 40})


def some_of(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Some of the names, at least one, in their order."""
    return st.sets(st.sampled_from(names), min_size=1).map(
        lambda chosen: tuple(name for name in names if name in chosen)
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans with scenarios that cover some builds, clients and services only."""
    builds, scenarios = draw(some_of(BUILDS)), draw(some_of(SCENARIOS))
    scopes = {
        name: Scope(
            services=(draw(st.sampled_from(SERVICES)),),
            clients=draw(some_of(CLIENTS)),
            offers=(*OFFERS[: draw(st.integers(0, 2))], OFFERS[2]),
            builds=draw(st.just(()) | some_of(builds)),
        )
        for name in draw(st.sets(st.sampled_from(scenarios)))
    }
    return Plan(builds, scenarios, SERVICES, CLIENTS, OFFERS, frozenset({"unpinned"}), scopes)


def count_parts(plan: Plan) -> int:
    """The pairs of build and scenario that have cells."""
    return len({(cell.build, cell.scenario) for cell in plan.cells()})


@given(plans(), st.data())
def test_shards_have_each_cell_once(plan: Plan, data: st.DataObject) -> None:
    """Protects the sum of a run on several machines: no cell is left out, none is there twice."""
    count = data.draw(st.integers(1, count_parts(plan)))
    shards = cut_plan(plan, count, COSTS)
    assert len(shards) == count
    cells = [cell for shard in shards for cell in shard.cells()]
    assert len(cells) == len(set(cells))
    assert set(cells) == set(plan.cells())
    assert sum(map(len, shards)) == len(plan)


@given(plans(), st.data())
def test_every_machine_cuts_alike(plan: Plan, data: st.DataObject) -> None:
    """Protects machines that do not speak to each other: a plan that was read back is cut alike."""
    count = data.draw(st.integers(1, count_parts(plan)))
    again = Plan.from_axes(plan.axes())
    first = [[cell.id for cell in shard.cells()] for shard in cut_plan(plan, count, COSTS)]
    assert [[cell.id for cell in part.cells()] for part in cut_plan(again, count, COSTS)] == first


@given(plans(), st.data())
def test_a_build_is_cut_only_where_there_are_too_few(plan: Plan, data: st.DataObject) -> None:
    """Protects time: an image and a container are needed by one machine, where that is possible."""
    count = data.draw(st.integers(1, count_parts(plan)))
    shards = cut_plan(plan, count, COSTS)
    builds = [{cell.build for cell in shard.cells()} for shard in shards]
    if count <= len({cell.build for cell in plan.cells()}):
        assert sum(map(len, builds)) == len(set().union(*builds))
    else:
        assert all(len(names) == 1 for names in builds)


@given(plans())
def test_more_shards_than_parts_are_refused(plan: Plan) -> None:
    """Protects against machines without work, which would look like machines that failed."""
    most = count_parts(plan)
    with pytest.raises(UsageError, match=f"{most + 1} shards: it has {most} part"):
        cut_plan(plan, most + 1, COSTS)


def test_shards_are_of_like_cost() -> None:
    """Protects the time of the whole: builds with slow clients are not all on one machine."""
    slow = {
        name: Scope((Service.SMTP,), ("slow",), OFFERS, builds=builds)
        for name, builds in (("s1", ("b1",)), ("s2", ("b2",)))
    }
    plain = {"defaults": Scope((Service.SMTP,), ("quick",), OFFERS)}
    plan = Plan(
        BUILDS, ("defaults", "s1", "s2"), (Service.SMTP,), CLIENTS, OFFERS, scopes=slow | plain
    )
    first, second = ({cell.build for cell in shard.cells()} for shard in cut_plan(plan, 2, COSTS))
    assert ("b1" in first) is not ("b2" in first)
    assert abs(len(first) - len(second)) == 1


def test_a_shard_that_does_not_exist_is_refused() -> None:
    """Protects against 5/4, and against counting from 0: the message says which there are."""
    for index, count in ((5, 4), (0, 4), (1, 0)):
        with pytest.raises(UsageError, match=f"no shard {index}/{count}") as caught:
            Shard(index, count)
        assert f"from 1/{max(count, 1)} to" in caught.value.next_step


def test_a_shard_records_the_whole_plan() -> None:
    """Protects the merge: a shard's record says of what it is a part."""
    plan = Plan(BUILDS, SCENARIOS, SERVICES, CLIENTS, OFFERS)
    part = take_shard(plan, Shard(2, 3))
    assert part.record() == {"index": 2, "count": 3, "axes": plan.axes()}
    assert set(part.plan.builds) < set(plan.builds)


def test_every_client_has_a_measured_cost() -> None:
    """Protects the table: a client that it does not have is guessed at the average."""
    costs = measured_costs()
    assert set(costs.clients) == {client.name for client in all_clients()}
    assert min(costs.build, costs.instance, costs.cell, *costs.clients.values()) > 0
