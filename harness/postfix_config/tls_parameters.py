"""Which parameters of smtpd(8) decide what a server refuses, by what they are about.

Names are postconf(5)'s. What is in effect depends on the TLS level: opportunistic and mandatory TLS
have a grade, exclusions and a protocol list of their own each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.postfix_config.protocol_lists import MANDATORY, OPPORTUNISTIC
from harness.postfix_config.tls_levels import service_level

_GRADES = ("null", "export", "low", "medium", "high")
#: Where smtpd(8) finds its certificates, keys and DH parameters.
KEYS = (
    "smtpd_tls_chain_files",
    "smtpd_tls_cert_file", "smtpd_tls_key_file",
    "smtpd_tls_eccert_file", "smtpd_tls_eckey_file",
    "smtpd_tls_dcert_file", "smtpd_tls_dkey_file",
    "smtpd_tls_dh1024_param_file", "smtpd_tls_dh512_param_file",
)  # fmt: skip
#: What decides whether a service has TLS, requires it, and offers a login.
SWITCHES = (
    "smtpd_tls_security_level", "smtpd_use_tls", "smtpd_enforce_tls", "smtpd_tls_wrappermode",
    "smtpd_tls_auth_only", "smtpd_sasl_auth_enable",
)  # fmt: skip
#: What decides which certificates of clients are requested, required and trusted.
CLIENT_CERTIFICATES = (
    "smtpd_tls_ask_ccert", "smtpd_tls_req_ccert", "smtpd_tls_CAfile", "smtpd_tls_CApath",
)  # fmt: skip
#: What decides whose mail is taken (SMTPD_ACCESS_README).
RESTRICTIONS = (
    "smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions",
    "smtpd_relay_restrictions", "smtpd_recipient_restrictions",
)  # fmt: skip
#: Which part of an openssl.cnf Postfix reads, from 3.9 on.
LIBRARY_FILES = ("tls_config_file", "tls_config_name")
_CIPHERS = (
    "smtpd_tls_ciphers", "smtpd_tls_mandatory_ciphers", "smtpd_tls_exclude_ciphers",
    "smtpd_tls_mandatory_exclude_ciphers", "smtpd_tls_cipherlist",
    *(f"tls_{grade}_cipherlist" for grade in _GRADES),
)  # fmt: skip
_GROUPS = (
    "smtpd_tls_eecdh_grade", "tls_eecdh_auto_curves", "tls_eecdh_strong_curve",
    "tls_eecdh_ultra_curve", "tls_ffdhe_auto_groups",
)  # fmt: skip
#: All parameters above; an instance's evidence has their values for each of its services.
PARAMETERS = (
    OPPORTUNISTIC, MANDATORY, *_CIPHERS, *_GROUPS, *KEYS, *SWITCHES, *CLIENT_CERTIFICATES,
    *RESTRICTIONS, *LIBRARY_FILES,
)  # fmt: skip


def effective_parameters(
    settings: Mapping[str, str], defaults: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """The values in effect of all :data:`PARAMETERS` that a release has: set, or its defaults.

    Args:
        settings: a service's settings, with ``$name`` expanded.
        defaults: the release's own (``postconf -d``), for those of :data:`PARAMETERS` that it has.
    """
    return {
        "settings": {name: settings[name] for name in PARAMETERS if name in settings},
        "defaults": {
            name: defaults[name] for name in PARAMETERS if name in defaults and name not in settings
        },
    }


def cipher_parameters(values: Mapping[str, str]) -> Iterator[str]:
    """The parameters that decide a service's ciphers and groups, given the values in effect.

    A release before 2.3 has one list, smtpd_tls_cipherlist, and no grades.
    """
    if "smtpd_tls_ciphers" not in values and "smtpd_tls_mandatory_ciphers" not in values:
        yield "smtpd_tls_cipherlist"
    is_mandatory = service_level(values) != "may"
    grade = "smtpd_tls_mandatory_ciphers" if is_mandatory else "smtpd_tls_ciphers"
    yield grade
    # Where the grade is not known, any of the lists may be the one in effect.
    grades = (values[grade].lower(),) if grade in values else _GRADES
    yield from (f"tls_{name}_cipherlist" for name in grades)
    yield "smtpd_tls_exclude_ciphers"
    if is_mandatory:
        yield "smtpd_tls_mandatory_exclude_ciphers"
    yield "smtpd_tls_eecdh_grade"
    curves = {"strong": "tls_eecdh_strong_curve", "ultra": "tls_eecdh_ultra_curve"}
    yield curves.get(values.get("smtpd_tls_eecdh_grade", ""), "tls_eecdh_auto_curves")
    yield "tls_ffdhe_auto_groups"
