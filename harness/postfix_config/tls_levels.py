"""The TLS level of each service of an instance: may, encrypt, or implicit TLS.

postconf(5): smtpd_tls_security_level and smtpd_tls_wrappermode; an entry's -o options override
main.cf. The entries of an instance listen on rewritten ports; the list of what the harness added
has the original names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    SERVICE_NAMES,
    parse_master_cf,
)
from harness.tls import Service

#: ``master.cf: submission inet → 20011 inet`` (scenarios.instance).
_REWRITTEN = re.compile(r"master\.cf: (?P<before>\S+) inet → (?P<after>\S+) inet")
IMPLICIT = "implicit TLS"


def service_levels(main_cf: str, master_cf: str, added: Iterable[str]) -> dict[Service, str]:
    """Each service's TLS level, as far as the effective files show it.

    Args:
        main_cf: the instance's effective main.cf.
        master_cf: the instance's effective master.cf.
        added: the harness's list of what it added, which includes the rewritten ports.
    """
    main = parse_main_cf(main_cf).values
    return {
        service: service_level({**main, **options})
        for service, options in entries_of(master_cf, added).items()
    }


def entries_of(master_cf: str, added: Iterable[str]) -> dict[Service, Mapping[str, str]]:
    """The -o options of each service's entry, as an instance's effective files have them.

    Arguments are those of :func:`service_levels`.
    """
    matches = (_REWRITTEN.fullmatch(line) for line in added)
    before = {match["after"]: match["before"] for match in matches if match}
    options: dict[Service, Mapping[str, str]] = {}
    for entry in parse_master_cf(master_cf).entries:
        name = before.get(entry.name, entry.name).rpartition(":")[2]
        service = SERVICE_NAMES.get(name) if entry.type == "inet" else None
        if service is not None:
            options[service] = entry.options
    return options


def service_level(settings: Mapping[str, str]) -> str:
    """The level that results from a service's settings: none, may, encrypt or implicit TLS.

    Without smtpd_tls_security_level the two older switches decide (postconf(5)).
    """
    if settings.get("smtpd_tls_wrappermode", "no").lower() == "yes":
        return IMPLICIT
    if level := settings.get("smtpd_tls_security_level"):
        return level
    if settings.get("smtpd_enforce_tls", "no").lower() == "yes":
        return "encrypt"
    return "may" if settings.get("smtpd_use_tls", "no").lower() == "yes" else "none"
