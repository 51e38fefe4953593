"""GnuTLS's priority strings for offers of ciphers, and gnutls-cli's own words."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
for folder in (CLIENTS, CLIENTS / "programs"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
contract: Any = importlib.import_module("common.contract")
mailer: Any = importlib.import_module("common.mailer")
gnutls: Any = importlib.import_module("gnutls")
driver: Any = importlib.import_module("gnutls_cli_driver")

#: As gnutls-cli 3.7.9 lists them.
LISTED = """Cipher suites for NONE:+VERS-TLS1.2:+RSA:+ARCFOUR-128:+SHA1:%COMPAT
TLS_RSA_ARCFOUR_128_SHA1                          \t0x00, 0x05\tTLS1.0
TLS_ECDHE_RSA_AES_128_GCM_SHA256                  \t0xc0, 0x2f\tTLS1.2

Protocols: VERS-TLS1.2
"""


def test_suites_are_read_by_their_numbers() -> None:
    """Protects cipher offers: what GnuTLS would offer is compared by number, not by name."""
    assert gnutls.parse_suites(LISTED) == {
        0x0005: "TLS_RSA_ARCFOUR_128_SHA1",
        0xC02F: "TLS_ECDHE_RSA_AES_128_GCM_SHA256",
    }


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("TLS_RSA_ARCFOUR_128_SHA1", ["+RSA", "+ARCFOUR-128", "+SHA1"]),
        ("TLS_RSA_NULL_MD5", ["+RSA", "+NULL", "+MD5"]),
        ("TLS_RSA_3DES_EDE_CBC_SHA1", ["+RSA", "+3DES-CBC", "+SHA1"]),
        ("TLS_DH_ANON_AES_256_CBC_SHA256", ["+ANON-DH", "+AES-256-CBC", "+SHA256"]),
        ("TLS_ECDHE_RSA_AES_128_GCM_SHA256", ["+ECDHE-RSA", "+AES-128-GCM", "+AEAD"]),
        ("TLS_DHE_RSA_AES_128_CCM_8", ["+DHE-RSA", "+AES-128-CCM-8", "+AEAD"]),
        ("TLS_ECDHE_ECDSA_CHACHA20_POLY1305", ["+ECDHE-ECDSA", "+CHACHA20-POLY1305", "+AEAD"]),
        ("TLS_AES_128_GCM_SHA256", ["+AES-128-GCM", "+AEAD"]),
    ],
)
def test_a_suite_is_told_by_its_parts(name: str, parts: list[str]) -> None:
    """Protects cipher offers: GnuTLS takes key exchange, cipher and MAC, each by a word."""
    assert gnutls.split_suite(name) == parts


def test_a_cipher_that_gnutls_never_had_is_not_offered() -> None:
    """Protects client-incapable: the library's lack is no server's refusal."""
    offer = contract.Offer("TLSv1.2", "TLSv1.2", ciphers=("RC4-SHA",))
    string = gnutls.make_cipher_priorities(offer, gnutls.parse_suites(LISTED))
    assert string.startswith("NONE:")
    assert "+RSA:+ARCFOUR-128:+SHA1" in string
    with pytest.raises(mailer.Incapable, match="never had the cipher 0x002F"):
        gnutls.make_cipher_priorities(
            contract.Offer("TLSv1.2", "TLSv1.2", ciphers=("AES128-SHA",)),
            gnutls.parse_suites(LISTED),
        )


def test_what_went_wrong_is_told_without_the_rest() -> None:
    """Protects evidence: the library's error is not buried under what it says of a success."""
    output = (
        "Processed 0 CA certificate(s).\n*** Fatal error: A TLS fatal alert has been received.\n"
    )
    assert driver.extract_errors(output) == "*** Fatal error: A TLS fatal alert has been received."
    assert "No or insufficient" in driver.extract_errors(
        "Error in priorities: No or insufficient ones"
    )
