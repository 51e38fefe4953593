"""One instance's configuration on master.cf files as distributions have them."""

from __future__ import annotations

from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    MasterEntry,
    parse_master_cf,
)
from harness.postfix_config.master_cf_overlay import Overlay
from harness.postfix_config.ports import number_ports
from harness.scenarios.instance import (
    InstanceConfig,
    InstanceContext,
    assemble_instance,
    places_of,
)
from harness.scenarios.scenario import Scenario

PORTS = {"smtp": 20010, "submission": 20011, "submissions": 20012}


#: The services that matter, as Debian has them (chrooted) and as upstream has them since 3.0.
DEBIAN = """\
smtp      inet  n       -       y       -       -       smtpd
#submission inet n       -       y       -       -       smtpd
pickup    unix  n       -       y       60      1       pickup
smtp      unix  -       -       y       -       -       smtp
"""


def config(
    main: str = "",
    master: str = "",
    mode: Overlay = Overlay.REPLACE,
    *,
    version: str = "3.7.11",
    stock: str = DEBIAN,
) -> InstanceConfig:
    """The instance of a candidate."""
    scenario = Scenario("some", "T", "S", "C", main_cf=main, master_cf=master, overlay=mode)
    ports = number_ports(PORTS, places_of(scenario, stock, version))
    around = InstanceContext("some", version, "/srv/some", ports, "inet:192.0.2.1:12345", stock)
    return assemble_instance(scenario, around)


def inet(built: InstanceConfig) -> dict[str, MasterEntry]:
    """The inet entries by port."""
    return {e.name: e for e in parse_master_cf(built.master_cf).entries if e.type == "inet"}


def names(text: str) -> list[str]:
    """The names that a main.cf sets, in order."""
    return [setting.name for setting in parse_main_cf(text).settings]


#: As releases have them: 3.7's comments, with prose between the options and a choice of two.
SHIPPED = """\
smtp      inet  n       -       y       -       -       smtpd
#smtp      inet  n       -       y       -       1       postscreen
# Choose one: for this host's own clients only, or for any client.
#127.0.0.1:submission inet n -   y       -       -       smtpd
#submission inet n       -       y       -       -       smtpd
#  -o syslog_name=postfix/submission
#  -o smtpd_tls_security_level=encrypt
#  -o smtpd_tls_auth_only=yes
#     Prose about the next option,
#     in two lines with <xxx> in it.
#  -o smtpd_relay_restrictions=
#  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
# Choose one: for this host's own clients only, or for any client.
#127.0.0.1:submissions inet n  -       y       -       -       smtpd
#submissions     inet  n       -       y       -       -       smtpd
#  -o smtpd_tls_wrappermode=yes
#628       inet  n       -       y       -       -       qmqpd
#  -o never=there
pickup    unix  n       -       y       60      1       pickup
"""
