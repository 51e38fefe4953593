"""Whose decision a refusal was: each obstacle put up for real, with both its proofs."""

from __future__ import annotations

import pytest

from harness.observations.record import Observation
from harness.tls import Service
from tests.docker.conftest import Finished, run_cli, write_scenarios

pytestmark = pytest.mark.docker

_NO_LIST = "smtpd_tls_protocols =\nsmtpd_tls_mandatory_protocols =\n"
_EC = "${config_directory}/ec"
#: main.cf and master.cf of each configuration.
SCENARIOS = {
    "no-list": (_NO_LIST, ""),
    "only-tls12": ("smtpd_tls_protocols = TLSv1.2\n", ""),
    "only-tls12-at-encrypt": ("smtpd_tls_mandatory_protocols = TLSv1.2\n", ""),
    "camellia-out": (_NO_LIST + "smtpd_tls_exclude_ciphers = CAMELLIA\n", ""),
    "level-in-the-list": (_NO_LIST + "tls_medium_cipherlist = HIGH:@SECLEVEL=2\n", ""),
    "ec-only": (
        f"smtpd_tls_cert_file =\nsmtpd_tls_key_file =\nsmtpd_tls_eccert_file = {_EC}.pem\n"
        f"smtpd_tls_eckey_file = {_EC}.key\n",
        "",
    ),
    "one-curve": ("tls_eecdh_auto_curves = prime256v1\n", ""),
    "must-starttls": ("smtpd_tls_security_level = encrypt\n", ""),
    "bad-list": ("smtpd_tls_protocols = !SSLv2, TLSv9\n", ""),
}
NEW, OLD, MAIL = "openssl-3.5.7", "openssl-1.0.2h", "aiosmtplib-debian12"
CAMELLIA = "TLSv1.2+ciphers=CAMELLIA256-SHA"
RSA, ECDSA = "TLSv1.2+ciphers=AES128-SHA", "TLSv1.2+ciphers=ECDHE-ECDSA-AES128-GCM-SHA256"
CURVE = "TLSv1.2+ciphers=ECDHE-RSA-AES128-GCM-SHA256+groups=secp384r1"
KEM = "TLSv1.3+groups=X25519MLKEM768"
OFFERS = ("SSLv3", "TLSv1", "TLSv1.2", CAMELLIA, RSA, ECDSA, CURVE, KEM, "plaintext")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run of all of them against Debian 12 and 13."""
    root = tmp_path_factory.mktemp("obstacles")
    folder = write_scenarios(root, SCENARIOS)
    return run_cli(
        root / "runs",
        *("--scenarios-dir", str(folder), "-b", "debian-12,debian-13"),
        *("-c", f"{NEW},{OLD},{MAIL}", "-o", ",".join(OFFERS)),
    )


def seen(run: Finished, where: str) -> Observation:
    """One observation by its id."""
    found = run.data.find(where)
    assert found is not None, f"{where} was not measured: {run.err[-2000:]}"
    return found


@pytest.mark.parametrize(
    ("where", "obstacles"),
    [
        # Debian's OpenSSL is built without SSLv3, whatever the list says.
        (f"debian-12/no-list/smtp/{OLD}/SSLv3", "library"),
        (f"debian-12/only-tls12/smtp/{OLD}/SSLv3", "protocol-list library"),
        (f"debian-12/only-tls12/smtp/{OLD}/TLSv1", "protocol-list"),
        (f"debian-12/no-list/smtp/{OLD}/TLSv1", ""),
        # Each level has its own list: 465 goes by the mandatory one, 25 by the other.
        (f"debian-12/only-tls12-at-encrypt/submissions/{OLD}/TLSv1", "protocol-list"),
        (f"debian-12/only-tls12-at-encrypt/smtp/{OLD}/TLSv1", ""),
        (f"debian-12/camellia-out/smtp/{NEW}/{CAMELLIA}", "cipher-list"),
        (f"debian-12/no-list/smtp/{NEW}/{CAMELLIA}", ""),
        (f"debian-12/level-in-the-list/smtp/{OLD}/TLSv1", "cipher-list"),
        (f"debian-12/no-list/smtp/{NEW}/{ECDSA}", "keys"),
        (f"debian-12/ec-only/smtp/{NEW}/{RSA}", "keys"),
        (f"debian-12/ec-only/smtp/{NEW}/{ECDSA}", ""),
        (f"debian-13/one-curve/smtp/{NEW}/{CURVE}", "cipher-list"),
        (f"debian-13/no-list/smtp/{NEW}/{CURVE}", ""),
        # OpenSSL 3.5 has the group, and Postfix 3.10 does not ask for it; 3.0 lacks it.
        (f"debian-13/no-list/smtp/{NEW}/{KEM}", "cipher-list"),
        (f"debian-12/no-list/smtp/{NEW}/{KEM}", "library"),
        (f"debian-12/must-starttls/smtp/{MAIL}/plaintext", "settings"),
        (f"debian-12/no-list/smtp/{MAIL}/plaintext", ""),
        (f"debian-12/bad-list/smtp/{NEW}/TLSv1.2", "protocol-list"),
        (f"debian-12/no-list/smtp/{OLD}/{KEM}", "client"),
    ],
)
def test_each_obstacle_is_named_where_it_stands(run: Finished, where: str, obstacles: str) -> None:
    """Protects the answer to "whose decision": it names what has to change, and nothing else."""
    one = seen(run, where)
    assert " ".join(one.obstacles) == obstacles, run.data.evidence(one)


def test_what_tells_is_kept_as_evidence(run: Finished) -> None:
    """Protects doubters: the build's own controls are cells of the run, with both sides' words."""
    one = seen(run, f"debian-12/camellia-out/smtp/{NEW}/{CAMELLIA}")
    evidence = run.data.evidence(one)
    assert evidence is not None
    assert evidence["grounds"]["list"] == "smtpd_tls_protocols ="
    own = f"control-debian-12/open/{Service.SMTP}/{NEW}/{CAMELLIA}"
    assert evidence["grounds"]["controls"][own] == "accepted"
    proof = run.data.evidence(seen(run, own))
    assert proof is not None
    assert any("CAMELLIA256-SHA" in line for line in proof["log"])


def test_nothing_was_refused_for_unknown_causes(run: Finished) -> None:
    """Protects the table: where a control can be had, no refusal is left unexplained."""
    unknown = [one.cell for one in run.data.observations if "unknown" in one.obstacles]
    assert unknown == []
