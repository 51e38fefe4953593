"""Which lines of the base a candidate's own settings make void. Pure.

The base is added where single lines are given (``instance._base``). A line of it that the candidate
replaces, under the same name or another, must not stand beside the candidate's: Postfix would warn
of both, and go by the wrong one. The rules are postconf(5)'s.
"""

from __future__ import annotations

from collections.abc import Collection

#: Each setting, and the settings of the base that it replaces beside its own name.
_REPLACES: dict[str, frozenset[str]] = {
    # "smtpd_tls_chain_files ... this obviates the need for separate key and certificate files"; set
    # beside them it wins, with a warning (src/smtpd/smtpd.c, Postfix 3.4 and later).
    "smtpd_tls_chain_files": frozenset({"smtpd_tls_cert_file", "smtpd_tls_key_file"}),
    # The key's default is $smtpd_tls_cert_file.
    "smtpd_tls_cert_file": frozenset({"smtpd_tls_key_file"}),
    # "smtpd_tls_security_level ... overrides the obsolete parameters smtpd_use_tls and
    # smtpd_enforce_tls": they act only where no level is set.
    "smtpd_use_tls": frozenset({"smtpd_tls_security_level"}),
    "smtpd_enforce_tls": frozenset({"smtpd_tls_security_level"}),
}


def base_lines_replaced_by(names: Collection[str]) -> frozenset[str]:
    """The settings of the base that a candidate with settings of these names does without."""
    replaced = set(names)
    for name in names:
        replaced |= _REPLACES.get(name, frozenset())
    return frozenset(replaced)
