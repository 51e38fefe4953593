"""Clients of the user's own on the client axis."""

from __future__ import annotations

import pytest

from harness.catalog.clients import is_build_client, user_client
from harness.catalog.peers import is_peer
from harness.cli.source_options import read_clients
from harness.errors import UsageError
from harness.run.choosing import (
    Selection,
    choose_clients,
    measurable_clients,
)
from harness.run.planning import make_plan
from harness.scenarios.scenario import Scenario
from harness.tls import INBOUND, Service

MINE = user_client("mine", "registry.example/mine:3")


def test_alone_it_is_what_a_run_measures_with() -> None:
    """Protects --client without -c: one's own client is asked, and the fleet is not."""
    assert choose_clients((), INBOUND, measurable_clients([MINE])) == ("mine",)
    assert "mine" not in choose_clients((), INBOUND, measurable_clients())


def test_it_can_be_named_beside_others_by_glob() -> None:
    """Protects comparing: one's own client stands on the axis like any other."""
    chosen = choose_clients(["openssl-1.0.2h,min*"], INBOUND, measurable_clients([MINE]))
    assert chosen == ("openssl-1.0.2h", "mine")


def test_outbound_has_its_peers_still() -> None:
    """Protects runs of both directions: nobody's client takes the peers' place."""
    both = choose_clients((), [Service.SMTP, Service.OUTBOUND], measurable_clients([MINE]))
    assert both[0] == "mine"
    assert set(both[1:]) == set(choose_clients((), [Service.OUTBOUND]))


def test_its_cells_are_planned() -> None:
    """Protects the plan: its name is a part of the cells' ids."""
    scenario = Scenario(id="defaults", title="t", source="s", claim="c")
    plan = make_plan(Selection(), {"defaults": scenario}, ["debian-12"], [MINE])
    assert {cell.client for cell in plan.cells()} == {"mine"}


@pytest.mark.parametrize(
    "word",
    ["mine", "mine=", "openssl-1.0.2h=x", "control-mine=x", "sasl=x", "a/b=x", "=x", "receiver*=x"],
)
def test_a_name_that_cannot_be_is_refused(word: str) -> None:
    """Protects cells' ids, and a run from measuring another client than was meant."""
    with pytest.raises(UsageError):
        read_clients([word])


def test_a_name_given_twice_is_refused() -> None:
    """Protects from guessing which of the two is meant."""
    with pytest.raises(UsageError, match="twice"):
        read_clients(["mine=a", "mine=b"])


def test_every_client_is_no_peer_where_postfix_is_the_server() -> None:
    """Protects tables: '*' chose outbound mail's peers, which had rows of nothing but "?"."""
    assert not any(map(is_peer, choose_clients(["*"], INBOUND)))
    assert all(map(is_peer, choose_clients(["*"], [Service.OUTBOUND])))


def test_builds_own_postfix_is_chosen_by_its_tools_name() -> None:
    """Protects '*': there are two such clients for every build, and each is an image."""
    assert not any(map(is_build_client, choose_clients(["*"], INBOUND)))
    chosen = choose_clients(["smtp-debian-1*,!smtp-debian-10,openssl-1.0.2h"], INBOUND)
    assert chosen == ("openssl-1.0.2h", "smtp-debian-11", "smtp-debian-12", "smtp-debian-13")
    other = "posttls-finger-postfix-3.5.25+openssl-1.1.1w"
    assert choose_clients([other], INBOUND) == (other,)
    with pytest.raises(UsageError):
        choose_clients(["smtp-debian-99"], INBOUND)
