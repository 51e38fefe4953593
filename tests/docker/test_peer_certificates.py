"""Mail to peers that are bad in some way, to a hop on this machine, and mail that does not mind."""

from __future__ import annotations

import pytest

from tests.docker.conftest import Finished, run_cli

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The scenarios about peers, from Debian 13, whose Postfix knows TLS-Required."""
    scenarios = "asked/peer-*,asked/tls-required-*,asked/filter-hop*"
    return run_cli(tmp_path_factory.mktemp("peers"), "-s", scenarios, "-b", "debian-13")


@pytest.mark.parametrize(
    ("where", "outcome", "reason", "trust"),
    [
        ("peer-certificates/peer-mx/default", "accepted", None, "Verified"),
        ("peer-certificates/peer-with-intermediate/default", "accepted", None, "Verified"),
        ("peer-certificates/peer-broken-dnssec/default", "accepted", None, "Verified"),
        ("peer-certificates/peer-below-intermediate/default", "refused",
         "certificate-untrusted-issuer", "Untrusted"),
        ("peer-certificates/peer-expired/default", "refused", "certificate-expired", "Untrusted"),
        ("peer-certificates/peer-self-signed/default", "refused", "certificate-self-signed",
         "Untrusted"),
        ("peer-certificates/peer-wrong-name/default", "refused", "certificate-name-mismatch",
         "Trusted"),
        ("peer-fingerprint/peer-mx/default", "accepted", None, "Verified"),
        ("peer-fingerprint/peer-self-signed/default", "refused", "certificate", "Untrusted"),
        ("peer-self-signed-fingerprint/peer-self-signed/default", "accepted", None, "Verified"),
        ("peer-dane/peer-broken-dnssec/default", "refused", "tlsa-lookup-error", None),
        ("peer-dane/peer-mx/default", "accepted", None, "Verified"),
        ("peer-dane/peer-expired/default", "accepted", None, "Verified"),
        ("peer-client-certificate/peer-wants-certificate/default", "accepted", None, "Untrusted"),
        ("peer-client-certificate-missing/peer-wants-certificate/default", "refused",
         "client-certificate-required", "Untrusted"),
        ("peer-hangs-up/peer-hangs-up/default", "refused", "handshake-failure", None),
        ("peer-hangs-up/peer-hangs-up-at-data/default", "refused", "service-unavailable",
         "Untrusted"),
        ("tls-required-absent/peer-plaintext/default", "refused", "tls-required", None),
        ("tls-required-no/peer-plaintext/default", "plaintext", None, None),
        ("tls-required-no/peer-unknown-ca/default", "accepted", None, "Untrusted"),
        ("filter-hop/peer-mx/default", "refused", "tls-required", None),
        ("filter-hop-unprotected/peer-mx/default", "plaintext", None, None),
        ("tls-required-no/peer-wrong-name/default", "accepted", None, "Trusted"),
    ],
)  # fmt: skip
def test_each_peer_gets_what_it_should(
    asked: Finished, where: str, outcome: str, reason: str | None, trust: str | None
) -> None:
    """Protects the peers: each is bad in one way, and smtp(8) says so."""
    scenario, rest = where.split("/", 1)
    one = asked.data.find(f"debian-13/{scenario}/outbound/{rest}")
    assert one is not None, f"{where} was not measured: {asked.err[-2000:]}"
    assert (one.outcome, one.reason, one.trust) == (outcome, reason, trust), asked.data.evidence(
        one
    )
