"""Drivers of clients of their time: what they find in an image, and what they tell old programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from common.contract import Offer, Request
from common.extras import Extras
from common.mailer import Incapable
from curl_old_driver import make_old_command, old_offer_options
from msmtp_gnutls2_driver import make_old_command as make_msmtp_command
from runtimes import RUNTIMES, find_newest

from harness.catalog.clients import all_clients

REQUEST = Request(
    id="cell",
    host="192.0.2.1",
    port=25,
    server_name="mx.test",
    implicit_tls=False,
    offer=None,
    ca_file="/ca.pem",
    username=None,
    password=None,
    sender="a@webshop.test",
    recipient="b@sink.test",
    subject="subject",
    time_limit=10.0,
    extras=Extras(),
)


def test_the_newest_interpreter_is_by_number(tmp_path: Path) -> None:
    """Protects the runtime: 3.10 is newer than 3.9, and a missing one is named."""
    for name in ("python3.9", "python3.10", "python3.8"):
        (tmp_path / name).touch()
    (tmp_path / "python3.10-config").touch()
    assert find_newest(r"python3\.\d+", str(tmp_path)) == f"{tmp_path}/python3.10"
    with pytest.raises(FileNotFoundError, match="/php"):
        find_newest(r"php\d", str(tmp_path))


def test_each_runtime_of_the_catalog_has_a_worker() -> None:
    """Protects the catalog: a client names a runtime of the driver's table."""
    ours = [client for client in all_clients() if client.recipe == "clients/runtimes"]
    named = {client.args["RUNTIME"] for client in ours if "RUNTIME" in client.args}
    assert named == set(RUNTIMES)


@pytest.fixture(autouse=True)
def _openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """The curl of Ubuntu 14.04, which this machine need not have."""
    monkeypatch.setattr("curl_old_driver.uses_gnutls", lambda: False)


@pytest.mark.parametrize(
    ("lowest", "highest", "version"),
    [
        ("TLSv1", "TLSv1", "--tlsv1.0"),
        ("TLSv1.2", "TLSv1.2", "--tlsv1.2"),
        ("TLSv1", "TLSv1.2", "--tlsv1"),
        ("SSLv3", "SSLv3", "--sslv3"),
    ],
)
def test_old_curl_has_a_word_for_one_version_or_for_all(
    lowest: str, highest: str, version: str
) -> None:
    """Protects the offer: before 7.54 an option is one version, and no list names a level."""
    assert old_offer_options(Offer(lowest, highest)) == [
        version,
        "--ciphers",
        "ALL:COMPLEMENTOFALL",
    ]


@pytest.mark.parametrize(
    "offer",
    [
        Offer("TLSv1.1", "TLSv1.2"),
        Offer("TLSv1.3", "TLSv1.3"),
        Offer("TLSv1.2", "TLSv1.2", groups=("X25519",)),
    ],
)
def test_old_curl_has_no_word_for_other_offers(offer: Offer) -> None:
    """Protects the outcome: what curl has no option for is its lack, and nothing is sent."""
    with pytest.raises(Incapable):
        old_offer_options(offer)


def test_old_curl_is_left_alone_without_an_offer() -> None:
    """Protects the default: only an offer changes the command line."""
    assert "--ciphers" not in make_old_command(REQUEST, 99)
    pinned = replace(REQUEST, offer=Offer("TLSv1", "TLSv1"))
    assert make_old_command(pinned, 99)[-4:] == [
        *("--insecure", "--tlsv1.0"),
        *("--ciphers", "ALL:COMPLEMENTOFALL"),
    ]


def test_gnutls_2_is_told_in_its_own_words() -> None:
    """Protects msmtp of Ubuntu 14.04: GnuTLS 2.12 does not know VERS-ALL."""
    pinned = replace(REQUEST, offer=Offer("TLSv1", "TLSv1"))
    words = " ".join(make_msmtp_command(pinned, 99))
    assert ":-VERS-TLS-ALL:+VERS-TLS1.0:" in words
    assert "VERS-ALL:" not in words.replace("VERS-TLS-ALL:", "")
