"""Which of the base settings a candidate's settings replace.

The base settings are added where single lines are given (``harness_settings.base_settings``). One
that the candidate replaces, under the same name or another, must be left out: with both, Postfix
would log a warning and use the wrong one. The rules are postconf(5)'s.
"""

from __future__ import annotations

from collections.abc import Collection

#: For some settings, the base settings of other names that they replace.
_REPLACES: dict[str, frozenset[str]] = {
    # "smtpd_tls_chain_files ... this obviates the need for separate key and certificate files"; if
    # both are set it wins, with a warning (src/smtpd/smtpd.c, Postfix 3.4 and later).
    "smtpd_tls_chain_files": frozenset({"smtpd_tls_cert_file", "smtpd_tls_key_file"}),
    # The key's default is $smtpd_tls_cert_file.
    "smtpd_tls_cert_file": frozenset({"smtpd_tls_key_file"}),
    # "smtpd_tls_security_level ... overrides the obsolete parameters smtpd_use_tls and
    # smtpd_enforce_tls": they act only where no level is set.
    "smtpd_use_tls": frozenset({"smtpd_tls_security_level"}),
    "smtpd_enforce_tls": frozenset({"smtpd_tls_security_level"}),
}


def base_lines_replaced_by(names: Collection[str]) -> frozenset[str]:
    """The base settings that are left out if a candidate sets these names."""
    replaced = set(names)
    for name in names:
        replaced |= _REPLACES.get(name, frozenset())
    return frozenset(replaced)
