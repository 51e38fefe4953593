"""The server name that a client sends, and the certificate that it gets; intermediates."""

from __future__ import annotations

import pytest

from tests.docker.conftest import Finished, run_cli

pytestmark = pytest.mark.docker
CLIENTS = ("aiosmtplib-debian12", "openssl-1.0.2h")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The scenarios about names and about certificates below an intermediate."""
    scenarios = "asked/sni-map,asked/intermediate-*"
    return run_cli(tmp_path_factory.mktemp("names"), "-s", scenarios, "-b", "debian-12,debian-13")


@pytest.mark.parametrize("build", ["debian-12", "debian-13"])
@pytest.mark.parametrize("service", ["smtp", "submissions"])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("offer", "name"),
    [
        ("TLSv1.2+sni=mx2.test", "mx2.test"),
        ("TLSv1.2+sni=mail.example.com", "mail.example.com"),
        ("TLSv1.2+sni=other.test", "mx.test"),
        ("TLSv1.2+sni=none", "mx.test"),
        ("default", "mx.test"),
    ],
)
def test_each_name_gets_its_certificate(
    asked: Finished, build: str, service: str, client: str, offer: str, name: str
) -> None:
    """Protects +sni=: the name that was sent chose the certificate that the client saw."""
    one = asked.data.find(f"{build}/sni-map/{service}/{client}/{offer}")
    assert one is not None
    assert one.certificate is not None, asked.data.evidence(one)
    assert (one.outcome, one.certificate.names[0]) == ("accepted", name)


@pytest.mark.parametrize(
    ("where", "outcome", "reason"),
    [
        (f"intermediate-left-out/smtp/{CLIENTS[0]}/default", "refused",
         "certificate-untrusted-issuer"),
        (f"intermediate-left-out/smtp/{CLIENTS[0]}/TLSv1.2", "accepted", None),
        (f"intermediate-included/smtp/{CLIENTS[0]}/default", "accepted", None),
        (f"intermediate-in-cafile/submissions/{CLIENTS[0]}/default", "accepted", None),
    ],
)  # fmt: skip
def test_the_intermediate_is_missed_where_it_is_left_out(
    asked: Finished, where: str, outcome: str, reason: str | None
) -> None:
    """Protects chains: a client that checks needs it, from the file or from the CAfile."""
    one = asked.data.find(f"debian-12/{where}")
    assert one is not None
    assert (one.outcome, one.reason) == (outcome, reason), asked.data.evidence(one)
