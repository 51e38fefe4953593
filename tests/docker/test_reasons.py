"""Causes provoked for real: each with its neighbour, a configuration that must not give it."""

from __future__ import annotations

import pytest

from harness.observations.record import Observation
from tests.docker.conftest import Finished, run_cli, write_scenarios

pytestmark = pytest.mark.docker

#: main.cf and master.cf of each configuration.
SCENARIOS = {
    "only-tls12": ("smtpd_tls_protocols = TLSv1.2\n", ""),
    "ecdsa-only-cipher": (
        "smtpd_tls_ciphers = high\ntls_high_cipherlist = ECDHE-ECDSA-AES128-GCM-SHA256\n",
        "",
    ),
    "rsa-cipher": ("smtpd_tls_ciphers = high\ntls_high_cipherlist = AES128-SHA\n", ""),
    "bad-grade": ("smtpd_tls_ciphers = excellent\n", ""),
    "bad-list": ("smtpd_tls_protocols = !SSLv2, TLSv9\n", ""),
    "no-certificate": ("smtpd_tls_cert_file = none\nsmtpd_tls_key_file =\n", ""),
    "must-starttls": ("smtpd_tls_security_level = encrypt\n", ""),
    "no-login": ("", "submission inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=no\n"),
    "login-in-the-clear": (
        "",
        "submission inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n"
        "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n",
    ),
    "denied": ("smtpd_recipient_restrictions = reject\n", ""),
    "busy": ("smtpd_client_restrictions = defer\n", ""),
    "shut": ("smtpd_client_restrictions = reject\nreject_code = 421\n", ""),
    "shut-by-554": ("smtpd_client_restrictions = reject\nreject_code = 554\n", ""),
    "up-to-tls11": ("smtpd_tls_protocols = TLSv1, TLSv1.1\n", ""),
    "permit": ("smtpd_recipient_restrictions = permit\n", ""),
}
CLIENT, OLD = "aiosmtplib-debian12", "openssl-1.0.2h"
FALLBACK = "TLSv1.1+ciphers=AES128-SHA:TLS_FALLBACK_SCSV"


@pytest.fixture(scope="module")
def provoked(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run of all of them against Debian 12."""
    root = tmp_path_factory.mktemp("reasons")
    folder = write_scenarios(root, SCENARIOS)
    return run_cli(
        root / "runs",
        *("--scenarios-dir", str(folder), "-b", "debian-12"),
        *("-c", f"{CLIENT},{OLD}", "-o", f"TLSv1,TLSv1.2,TLSv1.3,default,plaintext,{FALLBACK}"),
    )


def seen(run: Finished, where: str) -> Observation:
    """One observation by scenario/service/client/offer."""
    found = run.data.find(f"debian-12/{where}")
    assert found is not None, f"{where} was not measured: {run.err[-2000:]}"
    return found


@pytest.mark.parametrize(
    ("where", "outcome", "reason"),
    [
        (f"only-tls12/smtp/{OLD}/TLSv1", "refused", "protocol-version"),
        (f"only-tls12/smtp/{OLD}/TLSv1.2", "accepted", None),
        (f"only-tls12/smtp/{CLIENT}/TLSv1.3", "refused", "protocol-version"),
        (f"ecdsa-only-cipher/smtp/{OLD}/TLSv1.2", "refused", "no-shared-cipher"),
        (f"rsa-cipher/smtp/{OLD}/TLSv1.2", "accepted", None),
        (f"bad-grade/smtp/{CLIENT}/TLSv1.2", "refused", "tls-disabled-bad-cipher-list"),
        (f"bad-list/smtp/{CLIENT}/TLSv1.2", "refused", "tls-disabled-bad-protocol-list"),
        (f"no-certificate/smtp/{CLIENT}/TLSv1.2", "accepted", None),
        (f"no-certificate/smtp/{CLIENT}/default", "refused", "no-shared-cipher"),
        # TLSv1.3 has no suite without a certificate, and OpenSSL calls that a lack of protocols.
        (f"no-certificate/smtp/{CLIENT}/TLSv1.3", "refused", "protocol-version"),
        (f"must-starttls/smtp/{CLIENT}/TLSv1.2", "accepted", None),
        (f"must-starttls/smtp/{CLIENT}/plaintext", "refused", "must-starttls"),
        (f"permit/smtp/{CLIENT}/plaintext", "plaintext", None),
        # The stock submission entry announces no AUTH before STARTTLS.
        (f"permit/submission/{CLIENT}/plaintext", "refused", "auth-not-enabled"),
        (f"login-in-the-clear/submission/{CLIENT}/plaintext", "plaintext", None),
        # s_client is there for TLS.
        (f"permit/smtp/{OLD}/plaintext", "client-incapable", "unknown-option"),
        (f"no-login/submission/{CLIENT}/TLSv1.2", "refused", "auth-not-enabled"),
        (f"permit/submission/{CLIENT}/TLSv1.2", "accepted", None),
        (f"denied/smtp/{CLIENT}/TLSv1.2", "refused", "access-denied"),
        (f"permit/smtp/{CLIENT}/TLSv1.2", "accepted", None),
        (f"busy/smtp/{CLIENT}/TLSv1.2", "refused", "rejected"),
        (f"shut/smtp/{CLIENT}/TLSv1.2", "refused", "service-unavailable"),
        # The same no with another code is another reason.
        (f"shut-by-554/smtp/{CLIENT}/TLSv1.2", "refused", "access-denied"),
        # A client that says it fell back is refused where the server could do better (RFC 7507).
        (f"permit/smtp/{OLD}/{FALLBACK}", "refused", "inappropriate-fallback"),
        (f"up-to-tls11/smtp/{OLD}/{FALLBACK}", "accepted", None),
    ],
)
def test_each_cause_is_provoked_and_its_neighbour_is_not(
    provoked: Finished, where: str, outcome: str, reason: str | None
) -> None:
    """Protects the vocabulary on a real Postfix: a cause has its name, and only where it acts."""
    one = seen(provoked, where)
    assert (one.outcome, one.reason) == (outcome, reason), provoked.data.evidence(one)


def test_a_refusal_counts_since_the_client_was_refused_by_the_control_that_forbids(
    provoked: Finished,
) -> None:
    """Protects refusals: each client and offer that was believed also told of a certain refusal."""
    refused = seen(provoked, f"only-tls12/smtp/{OLD}/TLSv1")
    assert refused.control is not None
    forbidden = provoked.data.find(f"control-forbidding/forbidding/smtp/{OLD}/TLSv1")
    assert forbidden is not None
    assert (forbidden.outcome, forbidden.decided_by) == ("refused", "server")
