"""The nassl driver: what its two OpenSSLs are told of an offer, and what they cannot be told."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
for folder in (CLIENTS, CLIENTS / "nassl-smtp"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
contract: Any = importlib.import_module("common.contract")
offer: Any = importlib.import_module("nassl_offer")


def make_job(*ciphers: str, groups: tuple[str, ...] = ()) -> dict[str, Any]:
    """What of a job is looked at."""
    return {"ciphers": list(ciphers), "groups": list(groups)}


def list_versions(lowest: str, highest: str) -> Any:
    """The versions of a range."""
    return contract.Offer(lowest, highest).list_versions()


@pytest.mark.parametrize(
    ("library", "lowest", "highest", "why"),
    [
        ("legacy", "SSLv2", "SSLv2", None),
        ("legacy", "SSLv3", "TLSv1.2", None),
        ("legacy", "SSLv2", "TLSv1", "SSLv2 beside others"),
        ("legacy", "TLSv1.2", "TLSv1.3", "never had TLSv1.3"),
        ("modern", "SSLv3", "TLSv1.2", "never had SSLv3"),
        ("modern", "TLSv1", "TLSv1.3", None),
    ],
)
def test_a_range_that_a_library_cannot_make_whole_is_not_made(
    library: str, lowest: str, highest: str, why: str | None
) -> None:
    """Protects accepted cells: a version that is lacking is not passed over in silence."""
    hindrance = offer.explain_impossible_offer(make_job(), library, list_versions(lowest, highest))
    assert (hindrance is None) if why is None else (why in hindrance)


def test_groups_are_the_modern_librarys() -> None:
    """Protects cells of one group: each is told by its number, or the offer is not made."""
    assert "groups" in offer.explain_impossible_offer(
        make_job(groups=("prime256v1",)), "legacy", list_versions("TLSv1.2", "TLSv1.2")
    )
    tls13 = list_versions("TLSv1.3", "TLSv1.3")
    assert "ffdhe2048" in offer.explain_impossible_offer(
        make_job(groups=("ffdhe2048",)), "modern", tls13
    )
    settings = offer.choose_settings(make_job(groups=("X25519", "secp384r1")), "modern", tls13)
    assert settings.groups == (1034, 715)


@pytest.mark.parametrize(
    ("library", "lowest", "highest", "version", "off"),
    [
        ("legacy", "SSLv2", "SSLv2", "SSLV2", set(offer.NO) - {"SSLv2"}),
        ("legacy", "TLSv1.1", "TLSv1.1", "TLSV1_1", set(offer.NO) - {"TLSv1.1"}),
        ("legacy", "SSLv3", "TLSv1", "SSLV23", set(offer.NO) - {"SSLv3", "TLSv1"}),
        ("modern", "TLSv1.2", "TLSv1.3", "SSLV23", set(offer.NO) - {"TLSv1.2", "TLSv1.3"}),
    ],
)
def test_only_the_versions_of_the_range_are_left(
    library: str, lowest: str, highest: str, version: str, off: set[str]
) -> None:
    """Protects pinned cells: every other version is switched off by its option."""
    settings = offer.choose_settings(make_job(), library, list_versions(lowest, highest))
    assert settings.version == version
    assert {name for name, bit in offer.NO.items() if settings.options & bit} == off


@pytest.mark.parametrize(
    ("library", "ciphers", "list_", "suites", "off"),
    [
        ("legacy", ("RC4-SHA",), "RC4-SHA", None, {"TLSv1.3"}),
        ("modern", (), "ALL:COMPLEMENTOFALL:@SECLEVEL=0", ":".join(offer.SUITES), set()),
        ("modern", ("AES128-SHA",), "AES128-SHA:@SECLEVEL=0", ":".join(offer.SUITES), {"TLSv1.3"}),
        (
            "modern",
            ("TLS_AES_128_GCM_SHA256",),
            "ALL:COMPLEMENTOFALL:@SECLEVEL=0",
            "TLS_AES_128_GCM_SHA256",
            {"TLSv1.2"},
        ),
    ],
)
def test_a_version_none_of_whose_ciphers_is_named_is_not_offered(
    library: str, ciphers: tuple[str, ...], list_: str, suites: str | None, off: set[str]
) -> None:
    """Protects cells of one cipher: no other can be negotiated by way of the other kind's list."""
    highest = "TLSv1.3" if library == "modern" else "TLSv1.2"
    settings = offer.choose_settings(make_job(*ciphers), library, list_versions("TLSv1.2", highest))
    assert (settings.ciphers, settings.suites) == (list_, suites)
    assert {name for name in ("TLSv1.2", "TLSv1.3") if settings.options & offer.NO[name]} == off


def test_the_library_is_called_by_its_own_line() -> None:
    """Protects provenance: the version is read off the program, and none is made up."""
    line = b"\0OpenSSL 1.0.2e 3 Dec 2015\0not this OpenSSL 1.0.2\0"
    assert offer.find_version(line) == "OpenSSL 1.0.2e 3 Dec 2015"
    assert offer.find_version(b"\0OpenSSL\0") == ""
