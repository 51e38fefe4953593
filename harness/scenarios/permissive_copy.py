"""Permissive copies of a build: the same Postfix and OpenSSL with every restriction lifted.

If the candidate refuses an offer that the copy accepts, the candidate's settings refuse it; if the
copy refuses it as well, no setting of Postfix can permit it. A copy can keep one thing as the
candidate has it: the certificates and keys, the library's security level
(SSL_CTX_set_security_level(3)), or system-wide files, such as an openssl.cnf. Only a copy that
keeps the keys or such files runs in the candidate's container.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.catalog.versions import Version
from harness.scenarios.scenario import Scenario

#: The release from which a server has several curves (tls_eecdh_auto_curves in postconf(5)).
_AUTO_CURVES_SINCE = Version.parse("3.2")
#: The release that has smtpd_tls_ciphers; before, the grade at level may is export (smtpd.c).
_GRADES_SINCE = Version.parse("2.6")
_KEYS = re.compile(r"smtpd_tls_(?:(?:ec|d)?(?:cert|key)_file|chain_files|dh\d+_param_file)")
#: An RSA and an EC pair, so that there is a key for every cipher.
_BOTH_PAIRS = {
    "smtpd_tls_cert_file": "${config_directory}/open-rsa.pem",
    "smtpd_tls_key_file": "${config_directory}/open-rsa.key",
    "smtpd_tls_eccert_file": "${config_directory}/open-ec.pem",
    "smtpd_tls_eckey_file": "${config_directory}/open-ec.key",
}


class KeptPart(StrEnum):
    """What a permissive copy keeps from the candidate."""

    NOTHING = "nothing"
    KEYS = "keys"
    LEVEL = "level"
    FILES = "files"

    def beside(self, candidate: Scenario) -> bool:
        """Whether a copy that keeps this can run in the candidate's container."""
        return self in (KeptPart.FILES, KeptPart.KEYS) or not candidate.system_files


@dataclass(frozen=True, slots=True)
class BuildLibrary:
    """The versions of a build: Postfix's release, and the output of ``openssl version``."""

    mail_version: str
    openssl: str

    @property
    def has_levels(self) -> bool:
        """Whether a cipher list may contain @SECLEVEL: OpenSSL 1.1.0 and later."""
        return not re.match(r"OpenSSL (?:0\.|1\.0\.)", self.openssl)


def make_permissive_copy(
    candidate: Scenario,
    kept: KeptPart,
    settings: Mapping[str, str],
    groups: tuple[str, ...],
    library: BuildLibrary,
) -> Scenario:
    """The scenario of a permissive copy that keeps ``kept``; equal copies have equal ids.

    ``settings`` are those in effect for the service in question. With ``groups`` the server has
    exactly these: each library would understand a list of all groups in a different way.
    """
    pairs = _BOTH_PAIRS
    if kept is KeptPart.KEYS:
        pairs = {name: value for name, value in settings.items() if _KEYS.fullmatch(name)}
    grade = "export" if Version.parse(library.mail_version) < _GRADES_SINCE else "medium"
    level = ":@SECLEVEL=0" if library.has_levels and kept is not KeptPart.LEVEL else ""
    lines = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_protocols": "",
        "smtpd_tls_ciphers": "medium",
        "smtpd_tls_exclude_ciphers": "",
        f"tls_{grade}_cipherlist": f"ALL:COMPLEMENTOFALL{level}",
        **_curve_settings(groups, library),
        **pairs,
    }
    main_cf = "".join(f"{name} = {value}".rstrip() + "\n" for name, value in lines.items())
    # The candidate's further files may be its keys.
    files = {KeptPart.KEYS: candidate.files, KeptPart.FILES: candidate.system_files}.get(kept, {})
    made = replace(
        candidate,
        id="open",
        title="A permissive copy of the build",
        source="postfix-matrix",
        claim="What the build's Postfix and OpenSSL accept when every restriction is lifted.",
        main_cf=main_cf,
        master_cf="",
        files=files,
        kinds=candidate.kinds if kept is KeptPart.KEYS else {},
        collection=None,
        whole=False,
        as_is=False,
    )
    return replace(made, id=_make_id(made, kept, groups))


def _curve_settings(groups: tuple[str, ...], library: BuildLibrary) -> dict[str, str]:
    if not groups:
        return {}
    if Version.parse(library.mail_version) >= _AUTO_CURVES_SINCE:
        return {"tls_eecdh_auto_curves": " ".join(groups)}
    return {"smtpd_tls_eecdh_grade": "strong", "tls_eecdh_strong_curve": groups[0]}


def _make_id(made: Scenario, kept: KeptPart, groups: tuple[str, ...]) -> str:
    parts = ["open"]
    if kept is not KeptPart.NOTHING:
        parts.append("with-files" if kept is KeptPart.FILES else f"but-{kept}")
    if kept in (KeptPart.KEYS, KeptPart.FILES) or groups:
        parts.append(hashlib.sha256(made.digest.encode()).hexdigest()[:6])
    return "-".join(parts)
