"""How smtpd reaches the run's Dovecot where its ``smtpd_sasl_path`` can be no TCP address.

Postfix 2.3 to 2.5 connect to a UNIX-domain socket only (src/xsasl/xsasl_dovecot_server.c). There a
service of spawn(8) listens on such a socket, and its command passes the stream on to Dovecot.
"""

from __future__ import annotations

from harness.catalog.versions import Version
from harness.postfix_config.master_cf import MasterEntry, parse_entry

#: The release whose smtpd_sasl_path may be ``inet:HOST:PORT``.
_INET_SINCE = Version.parse("2.6")
BRIDGE = "matrixsasl"


def sasl_path(sasl: str, mail_version: str) -> str:
    """The value of smtpd_sasl_path; ``sasl`` is Dovecot's address, ``inet:HOST:PORT``."""
    return sasl if _knows_inet(mail_version) else f"private/{BRIDGE}"


def bridge_entries(sasl: str, mail_version: str) -> tuple[MasterEntry, ...]:
    """The entry of master.cf that stands between smtpd and Dovecot, where one is needed."""
    if _knows_inet(mail_version):
        return ()
    host, _, port = sasl.removeprefix("inet:").rpartition(":")
    command = f"spawn user=nobody argv=busybox nc {host} {port}"
    return (parse_entry(f"{BRIDGE} unix - n n - 0 {command}\n"),)


def _knows_inet(mail_version: str) -> bool:
    return Version.parse(mail_version) >= _INET_SINCE
