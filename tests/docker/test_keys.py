"""Certificates, keys and DH parameters of all sorts, on real servers with real clients."""

from __future__ import annotations

import pytest

from harness.observations.record import Observation
from tests.docker.conftest import Finished, run_cli, write_scenarios

pytestmark = pytest.mark.docker


def _pair(name: str) -> str:
    return f"smtpd_tls_cert_file = /etc/t/{name}.pem\nsmtpd_tls_key_file = /etc/t/{name}.key\n"


def _dh(name: str) -> str:
    return f"smtpd_tls_dh1024_param_file = /etc/t/{name}.pem\n"


#: The scenario's main.cf, and what lies at the paths that it names.
SCENARIOS = {
    "good": (_pair("good"), {}),
    "expired": (_pair("expired"), {"expired.pem": "RSA certificate, expired"}),
    "self-signed": (_pair("own"), {"own.pem": "RSA certificate, self-signed"}),
    "rsa-1024": (
        _pair("short"),
        {"short.pem": "RSA certificate, 1024 bits", "short.key": "RSA key, 1024 bits"},
    ),
    "rsa-1024-level2": (
        _pair("short2") + "tls_medium_cipherlist = HIGH:@SECLEVEL=2\n",
        {"short2.pem": "RSA certificate, 1024 bits", "short2.key": "RSA key, 1024 bits"},
    ),
    "rsa-2048-level2": (_pair("good2") + "tls_medium_cipherlist = HIGH:@SECLEVEL=2\n", {}),
    "no-files": (_pair("gone"), {"gone.pem": "missing", "gone.key": "missing"}),
    "dh-512": (_dh("dh512"), {"dh512.pem": "DH parameters, 512 bits"}),
    "dh-1024": (_dh("dh1024"), {"dh1024.pem": "DH parameters, 1024 bits"}),
    "dh-3072": (_dh("dh3072"), {"dh3072.pem": "DH parameters, 3072 bits"}),
    "dh-missing": (_dh("dhgone"), {"dhgone.pem": "missing"}),
}
NEW, VERIFIES = "openssl-3.5.7", "nodemailer-node22"
#: Says nothing of its own about a certificate: the alert that it sends does.
SILENT = "phpmailer-php8.2"
DHE = "TLSv1.2+ciphers=DHE-RSA-AES128-GCM-SHA256"
MODERN, OLD = "debian-13", "ubuntu-16.04"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run of all of them, against OpenSSL 3.5 and 1.0.2."""
    root = tmp_path_factory.mktemp("keys")
    folder = write_scenarios(
        root,
        {name: (main_cf, "") for name, (main_cf, _) in SCENARIOS.items()},
        {
            name: {f"/etc/t/{file}": kind for file, kind in files.items()}
            for name, (_, files) in SCENARIOS.items()
        },
    )
    return run_cli(
        root / "runs",
        *("--scenarios-dir", str(folder), "-b", f"{MODERN},{OLD}", "-S", "smtp"),
        *("-c", f"{NEW},{VERIFIES},{SILENT}", "-o", f"TLSv1.2,default,{DHE}"),
    )


def seen(run: Finished, where: str) -> Observation:
    """One observation by its id."""
    found = run.data.find(where)
    assert found is not None, f"{where} was not measured: {run.err[-2000:]}"
    return found


@pytest.mark.parametrize(
    ("where", "outcome", "reason", "decided_by"),
    [
        # Who verifies says no to a bad certificate; who does not is served.
        (f"{MODERN}/good/smtp/{VERIFIES}/default", "accepted", None, None),
        (f"{MODERN}/expired/smtp/{VERIFIES}/default", "refused", "certificate-expired", "client"),
        (f"{OLD}/expired/smtp/{VERIFIES}/default", "refused", "certificate-expired", "client"),
        (
            f"{MODERN}/self-signed/smtp/{VERIFIES}/default",
            *("refused", "certificate-self-signed", "client"),
        ),
        (f"{MODERN}/good/smtp/{SILENT}/default", "accepted", None, None),
        # Its alert unknown_ca is that of a self-signed certificate, and of an unknown issuer too.
        (f"{MODERN}/self-signed/smtp/{SILENT}/default", "refused", "certificate", "client"),
        (f"{MODERN}/expired/smtp/{SILENT}/default", "refused", "certificate-expired", "client"),
        (f"{MODERN}/expired/smtp/{NEW}/TLSv1.2", "accepted", None, None),
        # A short key: the server's own level refuses it, or nobody does.
        (f"{MODERN}/rsa-1024-level2/smtp/{NEW}/TLSv1.2", "refused", "key-too-small", "server"),
        (f"{MODERN}/rsa-1024/smtp/{NEW}/TLSv1.2", "accepted", None, None),
        (f"{MODERN}/rsa-2048-level2/smtp/{NEW}/TLSv1.2", "accepted", None, None),
        # Without levels "@SECLEVEL" is no cipher list.
        (
            f"{OLD}/rsa-2048-level2/smtp/{NEW}/TLSv1.2",
            *("refused", "tls-disabled-bad-cipher-list", "server"),
        ),
        (
            f"{MODERN}/no-files/smtp/{NEW}/TLSv1.2",
            *("refused", "tls-disabled-no-certificate", "server"),
        ),
        (f"{MODERN}/good/smtp/{NEW}/TLSv1.2", "accepted", None, None),
        # OpenSSL 1.0.2 serves a prime of 512 bits, and a client of today does not take it.
        (f"{OLD}/dh-512/smtp/{NEW}/{DHE}", "refused", "dh-key-too-small", "client"),
        (f"{OLD}/dh-1024/smtp/{NEW}/{DHE}", "accepted", None, None),
        # OpenSSL 3 does not serve it itself, and has no DHE then.
        (f"{MODERN}/dh-512/smtp/{NEW}/{DHE}", "refused", "no-shared-cipher", "server"),
        (f"{MODERN}/dh-missing/smtp/{NEW}/{DHE}", "accepted", None, None),
    ],
)
def test_each_file_does_what_it_does(
    run: Finished, where: str, outcome: str, reason: str | None, decided_by: str | None
) -> None:
    """Protects causes on real servers: each has its name, its neighbour, and who decided."""
    one = seen(run, where)
    assert (one.outcome, one.reason, one.decided_by) == (outcome, reason, decided_by), (
        run.data.evidence(one)
    )


@pytest.mark.parametrize("build", [MODERN, OLD])
@pytest.mark.parametrize(
    ("scenario", "bits"), [("dh-1024", 1024), ("dh-3072", 3072), ("dh-missing", 2048)]
)
def test_the_dh_file_is_what_the_server_uses(
    run: Finished, build: str, scenario: str, bits: int
) -> None:
    """Protects DH advice: a file that Postfix cannot read would go unnoticed, as its own prime is
    used instead, of 2048 bits.
    """
    one = seen(run, f"{build}/{scenario}/smtp/{NEW}/{DHE}")
    assert one.client_saw is not None
    assert one.client_saw.group == f"DH, {bits} bits"
    evidence = run.data.evidence(one)
    assert evidence is not None
    complaint = any("DH parameter" in line for line in evidence["log"])
    assert complaint == (scenario == "dh-missing"), evidence["log"]


def test_obstacles_name_the_keys(run: Finished) -> None:
    """Protects "whose decision": no setting of ciphers helps against a prime that is too short."""
    assert seen(run, f"{MODERN}/dh-512/smtp/{NEW}/{DHE}").obstacles == ("keys",)
    assert seen(run, f"{OLD}/dh-512/smtp/{NEW}/{DHE}").obstacles == ("client",)
