"""Causes that take certain clients, or a server of another kind: each with its neighbour."""

from __future__ import annotations

import pytest

from tests.docker.conftest import Finished, run_cli, write_scenarios

pytestmark = pytest.mark.docker

_SHORT = "smtpd_tls_cert_file = /etc/t/short.pem\nsmtpd_tls_key_file = /etc/t/short.key\n"
#: main.cf and master.cf of each configuration.
SCENARIOS = {
    "plain": ("", ""),
    "nothing-left": (
        "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1, !TLSv1.2, !TLSv1.3\n",
        "",
    ),
    "up-to-tls11": ("smtpd_tls_protocols = TLSv1, TLSv1.1\n", ""),
    "hangs-up": ("", "smtp inet n n n - 0 spawn user=nobody argv=/bin/true\n"),
    "rsa-1024": (_SHORT, ""),
}
KINDS = {
    "rsa-1024": {
        "/etc/t/short.pem": "RSA certificate, 1024 bits",
        "/etc/t/short.key": "RSA key, 1024 bits",
    }
}
PYTHON, SHOP, SHOP_OF_TODAY = "aiosmtplib-debian12", "nodemailer-node22", "nodemailer-node26"
GO, MONO, NEW = "go1.15", "mono-smtpclient", "openssl-3.5.7"
HYBRID, CLASSIC = "TLSv1.3+groups=X25519MLKEM768", "TLSv1.3+groups=X25519"
LACKS, HAS = "TLSv1.2+ciphers=RC4-MD5", "TLSv1.2+ciphers=AES128-SHA"


@pytest.fixture(scope="module")
def provoked(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run of all of them against Debian 12."""
    root = tmp_path_factory.mktemp("reasons")
    folder = write_scenarios(root, SCENARIOS, KINDS)
    return run_cli(
        root / "runs",
        *("--scenarios-dir", str(folder), "-b", "debian-12"),
        *("-c", f"{PYTHON},{SHOP},{SHOP_OF_TODAY},{GO},{MONO},{NEW}"),
        *("-o", f"SSLv3,TLSv1.2,default,{LACKS},{HAS},{HYBRID},{CLASSIC}"),
    )


@pytest.mark.parametrize(
    ("where", "outcome", "reason"),
    [
        (f"nothing-left/smtp/{PYTHON}/TLSv1.2", "refused", "no-protocols-available"),
        (f"plain/smtp/{PYTHON}/TLSv1.2", "accepted", None),
        # Signatures of TLSv1.1 are by SHA-1, which Python's own security level does not take.
        (f"up-to-tls11/smtp/{PYTHON}/default", "refused", "legacy-sigalg-disallowed"),
        (f"plain/smtp/{PYTHON}/default", "accepted", None),
        # OpenSSL 3.0 does not know this group.
        (f"plain/smtp/{NEW}/{HYBRID}", "refused", "handshake-failure"),
        (f"plain/smtp/{NEW}/{CLASSIC}", "accepted", None),
        (f"hangs-up/smtp/{PYTHON}/TLSv1.2", "refused", "closed"),
        (f"plain/smtp/{GO}/SSLv3", "client-incapable", "version-not-built"),
        (f"plain/smtp/{GO}/TLSv1.2", "accepted", None),
        (f"plain/submissions/{MONO}/default", "client-incapable", "no-implicit-tls"),
        (f"plain/submission/{MONO}/default", "accepted", None),
        (f"plain/smtp/{PYTHON}/{LACKS}", "client-incapable", "no-ciphers-available"),
        (f"plain/smtp/{PYTHON}/{HAS}", "accepted", None),
        # Node.js 26 has security level 2 (112 bits of strength, an RSA key of 2048), 22 level 1.
        (f"rsa-1024/smtp/{SHOP_OF_TODAY}/default", "refused", "key-too-small"),
        (f"plain/smtp/{SHOP_OF_TODAY}/default", "accepted", None),
        (f"rsa-1024/smtp/{SHOP}/default", "accepted", None),
    ],
)
def test_each_cause_is_provoked_and_its_neighbour_is_not(
    provoked: Finished, where: str, outcome: str, reason: str | None
) -> None:
    """Protects the vocabulary with real software: a cause has its name, and only where it acts."""
    one = provoked.data.find(f"debian-12/{where}")
    assert one is not None, f"{where} was not measured: {provoked.err[-2000:]}"
    assert (one.outcome, one.reason) == (outcome, reason), provoked.data.evidence(one)


def test_the_client_decides_on_a_key_that_is_too_short_for_it(provoked: Finished) -> None:
    """Protects servers: what one Node.js takes and a newer one does not is the newer one's no."""
    one = provoked.data.find(f"debian-12/rsa-1024/smtp/{SHOP_OF_TODAY}/default")
    assert one is not None
    assert one.decided_by == "client"
