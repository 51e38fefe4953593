"""Offers of one cipher or group: by clients that can be told so, and by those that cannot."""

from __future__ import annotations

import pytest

from harness.observations.record import Observation, Outcome
from tests.docker.conftest import Finished, run_process

pytestmark = [pytest.mark.docker, pytest.mark.nightly]

PHP = ("phpmailer-php7.4", "phpmailer-php8.2", "phpmailer-php8.4", "symfony-mailer-php8.2")
TWISTED = tuple(f"twisted-openssl{age}" for age in ("1.1.0", "1.1.1", "3.2", "4.0"))
NASSL = ("nassl-1.0.2e", "nassl-1.1.1w")
GNUTLS = tuple(f"gnutls-cli-debian{number}" for number in (11, 12, 13))
RC4, AES, GROUP = (
    "TLSv1.2+ciphers=RC4-SHA",
    "TLSv1.2+ciphers=AES128-SHA",
    "TLSv1.2+groups=secp384r1",
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Each of these clients with a cipher that is weak, one that all have, and a group."""
    return run_process(
        tmp_path_factory.mktemp("told"),
        *("-b", "debian-12", "-s", "defaults", "-S", "smtp,submissions"),
        *("-c", ",".join((*PHP, *TWISTED, *NASSL, *GNUTLS)), "-o", f"{RC4},{AES},{GROUP}"),
        *("--time-limit", "30"),
    )


def of(told: Finished, client: str, offer: str, service: str = "smtp") -> Observation:
    """One observation of Debian 12's."""
    found = told.data.find(f"debian-12/defaults/{service}/{client}/{offer}")
    assert found is not None, client
    return found


def test_no_such_offer_ends_in_an_error_or_a_time_out(told: Finished) -> None:
    """Protects cells of one cipher: a client that cannot make the offer says so, and at once."""
    bad = [
        one.cell
        for one in told.data.observations
        if one.outcome in (Outcome.ERROR, Outcome.TIMEOUT) or one.agree is False
    ]
    assert bad == []


@pytest.mark.parametrize("client", [*PHP, *TWISTED, *NASSL, *GNUTLS])
def test_the_cipher_that_was_named_is_the_one_negotiated(told: Finished, client: str) -> None:
    """Protects pinned cells: Postfix itself logged the one cipher that the client was told of."""
    one = of(told, client, AES)
    assert one.outcome is Outcome.ACCEPTED, one.cell
    assert one.server_saw is not None
    assert one.server_saw.cipher == "AES128-SHA"


@pytest.mark.parametrize("service", ["smtp", "submissions"])
@pytest.mark.parametrize("client", [*PHP, *TWISTED])
def test_a_cipher_that_the_library_lacks_is_told_in_its_own_words(
    told: Finished, client: str, service: str
) -> None:
    """Protects servers: PHP warns of nothing and sends no hello, and is not taken for refused."""
    one = of(told, client, RC4, service)
    assert one.outcome is Outcome.CLIENT_INCAPABLE, one.cell
    assert one.reason == "no-ciphers-available"
    evidence = told.data.evidence(one)
    assert evidence is not None
    assert "no cipher match" in evidence["client"]["error"]
    assert not any("ClientHello" in line for line in evidence["client"]["dialogue"])


@pytest.mark.parametrize("client", ["nassl-1.1.1w", *GNUTLS])
def test_the_group_that_was_named_is_the_one_negotiated(told: Finished, client: str) -> None:
    """Protects cells of one group: the server's key exchange, as read off the wire, has it."""
    one = of(told, client, GROUP)
    assert one.outcome is Outcome.ACCEPTED, one.cell
    assert one.client_saw is not None
    assert one.client_saw.group == "secp384r1"
