"""The Twisted driver: what pyOpenSSL's ages are told of an offer, and what they cannot be told."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
for folder in (CLIENTS, CLIENTS / "twisted-mail"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
contract: Any = importlib.import_module("common.contract")
offer: Any = importlib.import_module("pyopenssl_offer")

OLD = offer.Library(has_tls13=False, has_suites=False)
MIDDLE = offer.Library(has_tls13=True, has_suites=False)
NEW = offer.Library(has_tls13=True, has_suites=True)


def make_job(*ciphers: str, groups: tuple[str, ...] = ()) -> dict[str, Any]:
    """What of a job is looked at."""
    return {"ciphers": list(ciphers), "groups": list(groups)}


def list_versions(lowest: str, highest: str) -> Any:
    """The versions of a range."""
    return contract.Offer(lowest, highest).list_versions()


@pytest.mark.parametrize(
    ("library", "lowest", "highest", "why"),
    [
        (OLD, "TLSv1", "TLSv1.2", None),
        (OLD, "TLSv1", "TLSv1.3", "never had TLSv1.3"),
        (NEW, "SSLv3", "TLSv1.2", "never had SSLv3"),
        (NEW, "SSLv2", "SSLv2", "never had SSLv2"),
        (NEW, "TLSv1", "TLSv1.3", None),
    ],
)
def test_a_range_with_a_version_that_is_lacking_is_not_offered(
    library: Any, lowest: str, highest: str, why: str | None
) -> None:
    """Protects accepted cells: OpenSSL would pass the version over, and offer the rest."""
    hindrance = offer.explain_impossible_offer(make_job(), library, list_versions(lowest, highest))
    assert (hindrance is None) if why is None else (why in hindrance)


@pytest.mark.parametrize(
    ("library", "ciphers", "highest", "can"),
    [
        (MIDDLE, ("AES128-SHA",), "TLSv1.2", True),
        (MIDDLE, ("AES128-SHA",), "TLSv1.3", False),
        (MIDDLE, (), "TLSv1.3", True),
        (NEW, ("TLS_AES_128_GCM_SHA256",), "TLSv1.3", True),
    ],
)
def test_ciphers_that_would_be_passed_over_are_not_offered(
    library: Any, ciphers: tuple[str, ...], highest: str, can: bool
) -> None:
    """Protects accepted cells: an old pyOpenSSL offers all of TLSv1.3, whatever is named."""
    assert (
        offer.explain_impossible_offer(
            make_job(*ciphers), library, list_versions("TLSv1.2", highest)
        )
        is None
    ) is can


def test_groups_cannot_be_told() -> None:
    """Protects accepted cells: no group is taken for the only one that was offered."""
    assert "groups" in offer.explain_impossible_offer(
        make_job(groups=("X25519",)), NEW, list_versions("TLSv1.3", "TLSv1.3")
    )


def test_only_the_versions_of_the_range_are_left() -> None:
    """Protects pinned cells: every other version is switched off by its option."""
    settings = offer.choose_settings(make_job(), NEW, list_versions("TLSv1.1", "TLSv1.2"))
    off = {name for name, bit in offer.NO.items() if settings.options & bit}
    assert off == {"SSLv3", "TLSv1", "TLSv1.3"}
    assert (settings.ciphers, settings.suites) == ("ALL:COMPLEMENTOFALL:@SECLEVEL=0", None)


@pytest.mark.parametrize(
    ("ciphers", "list_", "suites", "off"),
    [
        ((), "ALL:COMPLEMENTOFALL:@SECLEVEL=0", ":".join(offer.SUITES), set()),
        (("AES128-SHA",), "AES128-SHA:@SECLEVEL=0", ":".join(offer.SUITES), {"TLSv1.3"}),
        (
            ("TLS_AES_128_GCM_SHA256",),
            "ALL:COMPLEMENTOFALL:@SECLEVEL=0",
            "TLS_AES_128_GCM_SHA256",
            {"TLSv1.2"},
        ),
        (
            ("AES128-SHA", "TLS_AES_128_GCM_SHA256"),
            "AES128-SHA:@SECLEVEL=0",
            "TLS_AES_128_GCM_SHA256",
            set(),
        ),
    ],
)
def test_a_version_none_of_whose_ciphers_is_named_is_not_offered(
    ciphers: tuple[str, ...], list_: str, suites: str, off: set[str]
) -> None:
    """Protects cells of one cipher: no other can be negotiated by way of the other kind's list."""
    settings = offer.choose_settings(make_job(*ciphers), NEW, list_versions("TLSv1.2", "TLSv1.3"))
    assert (settings.ciphers, settings.suites) == (list_, suites)
    left = {name for name in ("TLSv1.2", "TLSv1.3") if settings.options & offer.NO[name]}
    assert left == off
