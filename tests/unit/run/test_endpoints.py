"""Whose death it is that the log tells of, where services log under one tag."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from harness.catalog.cells import Cell
from harness.clients.contract import ClientResult
from harness.postfix_config.ports import number_ports
from harness.run.endpoints import PostfixEndpoint
from harness.run.measure import DialogueTrace
from harness.scenarios.instance import (
    InstanceContext,
    assemble_instance,
    places_of,
)
from harness.scenarios.scenario import Scenario
from harness.targets.build_facts import Facts
from harness.targets.log_join import LogJoin
from harness.targets.log_tags import service_tags
from harness.targets.machine_pace import MachinePace
from harness.targets.postfix import Instance, PostfixTarget
from harness.tls import INBOUND, Offer, Protocol, Service

NUMBERS = {"smtp": 20010, "submission": 20011, "submissions": 20012}
REST = "cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n"
SMTPDS = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n"
BEHIND = (
    "smtp inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\nsubmission inet n - n - - smtpd\n"
)
HOST = "Nov 22 23:02:41 8a3ee06a5baa mail.info"
DEATH = [
    f"{HOST} postfix-c/smtpd[9]: fatal: in parameter smtpd_relay_restrictions",
    f"{HOST} postfix-c/master[5]: warning: process /x/smtpd pid 9 exit status 1",
]
SESSION = [
    f"{HOST} postfix-c/smtpd[7]: connect from unknown[10.0.0.1]:1000",
    f"{HOST} postfix-c/smtpd[7]: disconnect from unknown[10.0.0.1]:1000",
]


class LivingTarget(PostfixTarget):
    """A build whose log is what a test feeds it."""

    def __init__(self, mail_version: str) -> None:
        self.name, self.join = "debian-12", LogJoin()
        defaults = ("postfix", "postdrop", "/usr/libexec/postfix", "/etc/postfix", "")
        self.facts = Facts(mail_version, *defaults, {}, "OpenSSL 1.0.1e", frozenset())

    @property
    def pace(self) -> MachinePace:
        """A machine that has time."""
        return MachinePace()

    def check_alive(self) -> None:
        """It does."""

    def check_processes(self, names: Mapping[str, int | None]) -> None:
        """They all run."""


def bench(master: str, mail_version: str = "3.7.11") -> PostfixEndpoint:
    """The bench of a configuration that started."""
    candidate = Scenario("c", "T", "S", "C", master_cf=master + REST, whole=True)
    by_place = number_ports(NUMBERS, places_of(candidate, "", "3.7.11"))
    config = assemble_instance(
        candidate, InstanceContext("c", "3.7.11", "/i", by_place, "inet:s:1", "")
    )
    ports = {service: NUMBERS[service] for service in INBOUND}
    instance = Instance(
        scenario="c",
        directory="/i",
        ports=ports,
        config=config,
        started=True,
        postconf_n="",
        warnings=(),
        output="",
        pids=range(5, 6),
        tags=service_tags(config.main_cf, config.master_cf, "", ports),
    )
    return PostfixEndpoint(LivingTarget(mail_version), instance)


def asked() -> DialogueTrace:
    """A dialogue on port 25."""
    offer = Offer(Protocol.TLSv1_2, Protocol.TLSv1_2)
    return DialogueTrace(Cell("debian-12", "c", Service.SMTP, "smtplib", offer), "token", 0.0, 0)


async def deaths(at: PostfixEndpoint, result: ClientResult) -> tuple[str, ...]:
    """What a dialogue's death is told by."""
    return tuple((await at.server_side(asked(), result)).server_log.deaths)


@pytest.mark.parametrize(("served", "died"), [(True, 0), (False, 2)])
def test_a_service_that_took_a_client_is_not_rejected_by_anothers_death(
    served: bool, died: int
) -> None:
    """One client that timed out made "config-rejected" of all later cells of port 25."""

    async def told() -> tuple[int, int]:
        at = bench(SMTPDS)
        at.target.join.feed([*DEATH, *(SESSION if served else [])])
        if served:
            accepted = ClientResult("id", "accepted", local_address="10.0.0.1:1000")
            assert await deaths(at, accepted) == ()
        waited = await deaths(at, ClientResult("id", "timeout", stage="banner"))
        return len(waited), len(at.known_deaths(Service.SMTP))

    assert asyncio.run(told()) == (died, died)


@pytest.mark.parametrize("master", [SMTPDS, BEHIND])
def test_no_death_under_a_common_tag_ends_a_dialogue(master: str) -> None:
    """Submission's fatal line ended every dialogue with postscreen, as if port 25 were dead."""

    async def waits() -> None:
        at = bench(master)
        waiting = asyncio.ensure_future(at.await_death(Service.SMTP))
        await asyncio.sleep(0)
        at.target.join.feed(DEATH)
        await asyncio.wait([waiting], timeout=0.05)
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(waits())


def test_a_client_that_did_not_connect_says_nothing_of_the_service() -> None:
    """One offer that its client cannot make turned all later cells into "config-rejected"."""

    async def told() -> tuple[int, int]:
        at = bench(SMTPDS)
        at.target.join.feed(DEATH)
        incapable = ClientResult("id", "client-incapable", stage="handshake")
        return len(await deaths(at, incapable)), len(at.known_deaths(Service.SMTP))

    assert asyncio.run(told()) == (0, 0)


@pytest.mark.parametrize(("mail_version", "port"), [("2.4.16", ""), ("2.5.17", ":1000")])
def test_a_session_is_found_with_and_without_the_client_s_port(
    mail_version: str, port: str
) -> None:
    """Protects the evidence of Postfix 2.3 and 2.4, which log no ports."""

    async def find_lines() -> int:
        at = bench(SMTPDS, mail_version)
        at.target.join.feed([line.replace(":1000", port) for line in SESSION])
        result = ClientResult("id", "accepted", local_address="10.0.0.1:1000")
        return len((await at.server_side(asked(), result)).server_log.session)

    assert asyncio.run(find_lines()) == len(SESSION)


@pytest.mark.parametrize(("mail_version", "waits"), [("2.4.16", True), ("2.5.17", False)])
def test_without_ports_a_client_has_one_dialogue_at_a_time(mail_version: str, waits: bool) -> None:
    """Protects the join by address: two sessions of one client could not be told apart."""

    async def is_held_up() -> bool:
        at = bench(SMTPDS, mail_version)
        async with at.turn("smtplib"), at.turn("another"):
            try:
                async with asyncio.timeout(0.02), at.turn("smtplib"):
                    return False
            except TimeoutError:
                return True

    assert asyncio.run(is_held_up()) is waits
