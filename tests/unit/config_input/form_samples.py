"""Reading a text on standard input, and two settings to read."""

from __future__ import annotations

from pathlib import Path

from harness.config_input.forms import (
    Configuration,
    read_configuration,
)
from harness.config_input.text import (
    STDIN,
)
from harness.postfix_config.main_cf import parse_main_cf
from harness.tls import Service

MAIN = Path("main.cf")


def pasted(text: str, service: Service | None = None) -> Configuration:
    """What is read of a text on standard input."""
    return read_configuration({STDIN: text}, service)


def values(text: str) -> dict[str, str]:
    """The settings of a text on standard input."""
    return parse_main_cf(pasted(text).main_cf).values


TWO = {"smtpd_tls_security_level": "may", "smtpd_tls_protocols": "!SSLv2, !SSLv3"}


LINES = "smtpd_tls_security_level = may\nsmtpd_tls_protocols = !SSLv2, !SSLv3\n"

MASTER = (
    "submission inet n - y - - smtpd\n  -o syslog_name=postfix/submission\n"
    "  -o smtpd_tls_security_level=encrypt\n"
)
