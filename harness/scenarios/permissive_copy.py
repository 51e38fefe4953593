"""A build's own controls: the same Postfix and OpenSSL with everything open. Pure.

What a candidate refuses and this grants, the candidate's settings refuse; what this refuses as
well, no setting of Postfix's can bring about. Three things can be left as the candidate has them:
the certificates and keys, the library's security level (SSL_CTX_set_security_level(3)), and files
that it brings for the whole system, such as an openssl.cnf. Only a copy that keeps these, or the
keys, is started where they lie.
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
_KEYS = re.compile(r"smtpd_tls_(?:(?:ec|d)?(?:cert|key)_file|chain_files|dh\d+_param_file)")
#: An RSA and an EC pair, so that no cipher lacks its kind of key.
_BOTH_PAIRS = {
    "smtpd_tls_cert_file": "${config_directory}/open-rsa.pem",
    "smtpd_tls_key_file": "${config_directory}/open-rsa.key",
    "smtpd_tls_eccert_file": "${config_directory}/open-ec.pem",
    "smtpd_tls_eckey_file": "${config_directory}/open-ec.key",
}


class Kept(StrEnum):
    """What is not opened."""

    NOTHING = "nothing"
    KEYS = "keys"
    LEVEL = "level"
    FILES = "files"

    def beside(self, candidate: Scenario) -> bool:
        """Whether a copy that keeps this must run in the candidate's own container."""
        return self in (Kept.FILES, Kept.KEYS) or not candidate.system_files


@dataclass(frozen=True, slots=True)
class Library:
    """What opening must know of a build: Postfix's release, and what ``openssl version`` says."""

    mail_version: str
    openssl: str

    @property
    def has_levels(self) -> bool:
        """Whether a cipher list may say @SECLEVEL: OpenSSL 1.1.0 and later."""
        return not re.match(r"OpenSSL (?:0\.|1\.0\.)", self.openssl)


def opened(
    candidate: Scenario,
    kept: Kept,
    settings: Mapping[str, str],
    groups: tuple[str, ...],
    library: Library,
) -> Scenario:
    """A scenario that opens all but what is ``kept``; equal needs give equal ids.

    ``settings`` are those in effect for the service in question. With ``groups`` exactly these are
    the server's: a list of all that exist would be another thing to each library.
    """
    pairs = _BOTH_PAIRS
    if kept is Kept.KEYS:
        pairs = {name: value for name, value in settings.items() if _KEYS.fullmatch(name)}
    level = ":@SECLEVEL=0" if library.has_levels and kept is not Kept.LEVEL else ""
    lines = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_protocols": "",
        "smtpd_tls_ciphers": "medium",
        "smtpd_tls_exclude_ciphers": "",
        "tls_medium_cipherlist": f"ALL:COMPLEMENTOFALL{level}",
        **_curves(groups, library),
        **pairs,
    }
    main_cf = "".join(f"{name} = {value}".rstrip() + "\n" for name, value in lines.items())
    # The candidate's further files may be its keys.
    files = {Kept.KEYS: candidate.files, Kept.FILES: candidate.system_files}.get(kept, {})
    made = replace(
        candidate,
        id="open",
        title="The same build with everything open",
        source="postfix-matrix",
        claim="What the build's Postfix and OpenSSL can be brought to accept.",
        main_cf=main_cf,
        master_cf="",
        files=files,
        kinds=candidate.kinds if kept is Kept.KEYS else {},
        collection=None,
        whole=False,
        as_is=False,
    )
    return replace(made, id=_name(made, kept, groups))


def _curves(groups: tuple[str, ...], library: Library) -> dict[str, str]:
    if not groups:
        return {}
    if Version.parse(library.mail_version) >= _AUTO_CURVES_SINCE:
        return {"tls_eecdh_auto_curves": " ".join(groups)}
    return {"smtpd_tls_eecdh_grade": "strong", "tls_eecdh_strong_curve": groups[0]}


def _name(made: Scenario, kept: Kept, groups: tuple[str, ...]) -> str:
    words = ["open"]
    if kept is not Kept.NOTHING:
        words.append("with-files" if kept is Kept.FILES else f"but-{kept}")
    if kept in (Kept.KEYS, Kept.FILES) or groups:
        words.append(hashlib.sha256(made.digest.encode()).hexdigest()[:6])
    return "-".join(words)
