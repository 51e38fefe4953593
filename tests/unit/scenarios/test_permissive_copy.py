"""Permissive copies of a build: what is lifted, and what is kept."""

from __future__ import annotations

import pytest

from harness.postfix_config.main_cf import parse_main_cf
from harness.scenarios.permissive_copy import (
    BuildLibrary,
    KeptPart,
    make_permissive_copy,
)
from harness.scenarios.scenario import Scenario

CANDIDATE = Scenario(
    id="c",
    title="t",
    source="s",
    claim="c",
    main_cf="smtpd_tls_mandatory_protocols = TLSv1.2\n",
    master_cf="submission inet n - n - - smtpd\n",
    files={"/etc/key.pem": "a key"},
    collection="corpus",
)
SETTINGS = {
    "smtpd_tls_cert_file": "/etc/key.pem",
    "smtpd_tls_key_file": "$smtpd_tls_cert_file",
    "smtpd_tls_dh1024_param_file": "/etc/dh.pem",
    "smtpd_tls_CAfile": "/etc/ca.pem",
    "smtpd_tls_mandatory_protocols": "TLSv1.2",
    "smtp_tls_cert_file": "/etc/other.pem",
}
OLD = BuildLibrary("3.1.0", "OpenSSL 1.0.2g  1 Mar 2016")
NEW = BuildLibrary("3.10.13", "OpenSSL 3.5.9 29 Sep 2026 (Library: OpenSSL 3.5.9 29 Sep 2026)")


def values(
    kept: KeptPart, library: BuildLibrary = NEW, groups: tuple[str, ...] = ()
) -> dict[str, str]:
    """The settings of a permissive copy."""
    return dict(
        parse_main_cf(
            make_permissive_copy(CANDIDATE, kept, SETTINGS, groups, library).main_cf
        ).values
    )


def test_every_restriction_is_lifted_and_nothing_of_the_candidate_is_kept() -> None:
    """Protects the proof: what this refuses, no setting can bring about."""
    made = make_permissive_copy(CANDIDATE, KeptPart.NOTHING, SETTINGS, (), NEW)
    assert (made.id, made.master_cf, made.collection, dict(made.files)) == ("open", "", None, {})
    settings = values(KeptPart.NOTHING)
    assert settings["smtpd_tls_protocols"] == settings["smtpd_tls_exclude_ciphers"] == ""
    assert settings["tls_medium_cipherlist"] == "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
    assert "smtpd_tls_eccert_file" in settings
    assert "smtpd_tls_mandatory_protocols" not in settings


def test_the_grade_that_a_release_uses_is_the_one_that_is_lifted() -> None:
    """Protects the copies of Postfix 2.3 to 2.5, which have no smtpd_tls_ciphers."""
    settings = values(KeptPart.NOTHING, BuildLibrary("2.5.17", "OpenSSL 1.0.1e 11 Feb 2013"))
    assert settings["tls_export_cipherlist"] == "ALL:COMPLEMENTOFALL"
    assert "tls_medium_cipherlist" not in settings


@pytest.mark.parametrize(("library", "ends"), [(OLD, "ALL"), (NEW, "@SECLEVEL=0")])
def test_only_a_library_with_levels_is_told_one(library: BuildLibrary, ends: str) -> None:
    """Protects OpenSSL 1.0: it takes @SECLEVEL for an error, and would have no cipher at all."""
    assert values(KeptPart.NOTHING, library)["tls_medium_cipherlist"].endswith(ends)
    assert values(KeptPart.LEVEL, library)["tls_medium_cipherlist"] == "ALL:COMPLEMENTOFALL"


def test_the_candidates_keys_are_kept_and_nothing_else() -> None:
    """Protects the obstacle keys: certificates, keys and DH parameters are the candidate's."""
    settings = values(KeptPart.KEYS)
    kept = {name: value for name, value in SETTINGS.items() if settings.get(name) == value}
    assert set(kept) == {
        "smtpd_tls_cert_file",
        "smtpd_tls_key_file",
        "smtpd_tls_dh1024_param_file",
    }
    assert "smtpd_tls_eccert_file" not in settings
    assert (
        make_permissive_copy(CANDIDATE, KeptPart.KEYS, SETTINGS, (), NEW).files == CANDIDATE.files
    )


def test_groups_are_those_of_the_offer() -> None:
    """Protects offers of groups: before 3.2 a server has one curve (tls_eecdh_strong_curve)."""
    groups = ("X25519", "secp384r1")
    assert values(KeptPart.NOTHING, NEW, groups)["tls_eecdh_auto_curves"] == "X25519 secp384r1"
    assert values(KeptPart.NOTHING, OLD, groups)["tls_eecdh_strong_curve"] == "X25519"


def test_what_differs_has_another_name() -> None:
    """Protects sharing: cells share a control where it is the same, and nowhere else."""
    other = {**SETTINGS, "smtpd_tls_cert_file": "/etc/other.pem"}
    made = [
        make_permissive_copy(CANDIDATE, KeptPart.NOTHING, SETTINGS, (), NEW),
        make_permissive_copy(CANDIDATE, KeptPart.NOTHING, SETTINGS, ("X25519",), NEW),
        make_permissive_copy(CANDIDATE, KeptPart.LEVEL, SETTINGS, (), NEW),
        make_permissive_copy(CANDIDATE, KeptPart.KEYS, SETTINGS, (), NEW),
        make_permissive_copy(CANDIDATE, KeptPart.KEYS, other, (), NEW),
    ]
    assert len({copy.id for copy in made}) == len(made)
    assert make_permissive_copy(CANDIDATE, KeptPart.NOTHING, other, (), NEW).id == made[0].id
