"""The log tag of each service's smtpd, by which a logged death is assigned to a service."""

from __future__ import annotations

from collections.abc import Mapping

from harness.postfix_config.listeners import (
    POSTSCREEN,
    behind_postscreen,
)
from harness.postfix_config.lookup_tables import expand_references
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    MasterEntry,
    parse_master_cf,
)
from harness.tls import Service


def service_tags(
    main_cf: str, master_cf: str, postconf_n: str, ports: Mapping[Service, int]
) -> dict[Service, str]:
    """Each service's log tag: its entry's syslog_name, else the instance's (postconf(5)).

    Behind postscreen(8) it is that of the smtpd entry that gets the clients. ``postconf_n`` has the
    settings as Postfix reads them, but ends early where one cannot be expanded.
    """
    known = dict(line.partition(" = ")[::2] for line in postconf_n.splitlines())
    settings = {**parse_main_cf(main_cf).values, **known}
    common = expand_references(settings.get("syslog_name", "postfix"), settings)
    master = parse_master_cf(master_cf)
    by_port: dict[str, str] = {}
    for entry in master.entries:
        speaker: MasterEntry | None = entry
        if entry.fields[7:8] == (POSTSCREEN,):
            speaker = behind_postscreen(settings, entry, master)
        if entry.type == "inet" and speaker is not None and "syslog_name" in speaker.options:
            port = entry.name.rpartition(":")[2].lstrip("0")
            by_port[port] = expand_references(speaker.options["syslog_name"], settings)
    return {service: f"{by_port.get(str(port), common)}/smtpd" for service, port in ports.items()}
