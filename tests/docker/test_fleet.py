"""The whole fleet of clients against Debian 12: who can deliver, and whose doing it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

from harness.catalog.clients import all_clients
from harness.observations.record import Observation, Outcome
from tests.docker.conftest import Finished, run_process

pytestmark = pytest.mark.docker

SHOP, OWN_WAY = "phpmailer-old-php5.6", "phpmailer-php5.6"
SCENARIOS = "defaults,asker-submission,answer-1-protocols"
#: Compiling these two OpenSSLs takes five minutes from nothing; the same program as the other
#: OpenSSL clients runs on them. They are measured in the nightly tests.
NIGHTLY = ("openssl-1.0.1e", "openssl-3.0.20")
#: Clients of their time: their images take half an hour from nothing.
OF_THEIR_TIME = tuple(client.name for client in all_clients() if client.brings_python)
CLIENTS = tuple(client for client in all_clients() if client.name not in (*NIGHTLY, *OF_THEIR_TIME))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The clients, with the baseline configuration, the asker's entry and the first answer."""
    return measure_clients(tmp_path_factory, [client.name for client in CLIENTS])


def measure_clients(factory: pytest.TempPathFactory, names: Sequence[str]) -> Finished:
    """The results of these clients with Debian 12."""
    # Dozens of images may be made beside it: slow is no finding here.
    return run_process(
        factory.mktemp("fleet"),
        *("-b", "debian-12", "-s", SCENARIOS, "-c", ",".join(names), "--time-limit", "30"),
    )


def of(fleet: Finished, where: str) -> Observation:
    """One observation of Debian 12's."""
    found = fleet.data.find(f"debian-12/{where}")
    assert found is not None, where
    return found


def test_every_client_of_the_catalog_was_had_and_failed_nothing(fleet: Finished) -> None:
    """Protects the fleet: each image is made, each driver keeps the contract in every cell."""
    data = fleet.data
    assert data.run.missing == ()
    assert len(CLIENTS) >= 18
    assert {one.client for one in data.observations} == {one.name for one in CLIENTS}
    bad = [
        (one.cell, one.reason) for one in data.observations if one.outcome in ("error", "timeout")
    ]
    assert bad == []


@pytest.mark.nightly
def test_the_openssls_that_take_long_to_compile(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Protects the rest of the catalog's clients: they are measured, agreed on, and accepted."""
    data = measure_clients(tmp_path_factory, NIGHTLY).data
    assert data.run.missing == ()
    assert {observation.client for observation in data.observations} == set(NIGHTLY)
    for client in NIGHTLY:
        cell = data.find(f"debian-12/defaults/submission/{client}/default")
        assert cell is not None
        assert cell.outcome is Outcome.ACCEPTED
    assert [cell.cell for cell in data.observations if cell.agree is False] == []
    assert [cell.cell for cell in data.observations if cell.outcome in ("error", "timeout")] == []


@pytest.mark.nightly
def test_clients_of_their_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Protects the clients of old suites: each is made, gets through, and is agreed on."""
    data = measure_clients(tmp_path_factory, OF_THEIR_TIME).data
    assert data.run.missing == ()
    for client in OF_THEIR_TIME:
        cell = data.find(f"debian-12/defaults/submission/{client}/default")
        assert cell is not None
        assert cell.outcome is Outcome.ACCEPTED, cell.cell
    assert [cell.cell for cell in data.observations if cell.agree is False] == []
    assert [cell.cell for cell in data.observations if cell.outcome in ("error", "timeout")] == []


def test_both_sides_of_the_whole_fleet_agree(fleet: Finished) -> None:
    """Protects trust: what each client's side of the wire saw is what Postfix logged."""
    disagree = [one.cell for one in fleet.data.observations if one.agree is False]
    assert disagree == []
    accepted = [one for one in fleet.data.observations if one.outcome is Outcome.ACCEPTED]
    assert len(accepted) > 1000
    # SSLv2 has hellos of its own, which the relay does not read.
    assert [one.cell for one in accepted if one.agree is None and one.offer != "SSLv2"] == []


def test_each_client_gets_through_by_default(fleet: Finished) -> None:
    """Protects the drivers: left to itself, every client of the fleet can deliver to Debian 12."""
    for client in CLIENTS:
        one = of(fleet, f"defaults/submission/{client.name}/default")
        assert one.outcome is Outcome.ACCEPTED, one.cell


def test_the_old_shop_speaks_tlsv1_where_the_same_php_could_do_more(fleet: Finished) -> None:
    """Protects the question's answer: the client decides, by one constant; the server offered more.

    The asker's log line comes from the shop, on the asker's own entry. PHPMailer's later STARTTLS
    on the very same PHP, and Debian's PHP of today, negotiate more with the same server.
    """
    shop = of(fleet, f"asker-submission/submission/{SHOP}/default")
    assert shop.server_saw is not None
    assert shop.server_saw.protocol == "TLSv1"
    evidence = fleet.data.evidence(shop)
    assert evidence is not None
    log = "\n".join(evidence["log"])
    assert "postfix/submission/smtpd" in log
    assert "TLSv1 with cipher" in log
    for client, protocol in ((OWN_WAY, "TLSv1.2"), ("phpmailer-php8.2", "TLSv1.3")):
        other = of(fleet, f"asker-submission/submission/{client}/default")
        assert other.server_saw is not None
        assert other.server_saw.protocol == protocol, client


def test_without_tlsv1_the_old_shops_cannot_deliver(fleet: Finished) -> None:
    """Protects whoever turns TLSv1 off: exactly those clients are lost that have nothing better."""
    lost = {
        client.name
        for client in CLIENTS
        if of(fleet, f"answer-1-protocols/submission/{client.name}/default").outcome
        is not Outcome.ACCEPTED
    }
    assert lost == {SHOP, "mono-smtpclient", "nodemailer-node0.8"}


def test_a_message_of_each_mailer_was_delivered(fleet: Finished) -> None:
    """Protects "accepted": what a client calls sent lies in the sink, with its trace header."""
    described = {name: image.describe for name, image in fleet.data.run.images.items()}
    sent: dict[str, Counter[bool]] = defaultdict(Counter)
    for one in fleet.data.observations:
        says = described.get(one.client) or {}
        if one.build == "debian-12" and one.outcome is Outcome.ACCEPTED and says["sends_mail"]:
            evidence = fleet.data.evidence(one)
            assert evidence is not None
            queued = any("queued" in str(evidence["client"][key]) for key in ("reply", "queue_id"))
            sent[one.client][evidence["received"] is not None or not queued] += 1
    assert len(sent) >= 18
    assert [client for client, counts in sent.items() if counts[False]] == []


def test_offers_that_a_client_cannot_make_are_never_refusals(fleet: Finished) -> None:
    """Protects servers: a version that the library never had is the client's lack, by a control."""
    for client in ("openssl-3.5.7", "smtplib-debian13", "go1.27", "phpmailer-php8.4"):
        one = of(fleet, f"defaults/smtp/{client}/SSLv3")
        assert one.outcome is Outcome.CLIENT_INCAPABLE, one.cell
        assert one.control is not None


def test_every_refusal_was_told_by_a_client_that_the_forbidding_control_refused(
    fleet: Finished,
) -> None:
    """Protects from drivers that cannot report a refusal: each believed one also told of this."""
    data = fleet.data
    for one in data.observations:
        if one.build == "debian-12" and one.outcome is Outcome.REFUSED and one.control:
            forbidden = data.find(
                f"control-forbidding/forbidding/{one.service}/{one.client}/{one.offer}"
            )
            assert forbidden is not None, one.cell
            assert forbidden.outcome in (Outcome.REFUSED, Outcome.PLAINTEXT), one.cell
