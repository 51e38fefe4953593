"""Which lines of a candidate can bear on what is asked, and why the others cannot. Pure.

Asked is what clients see of services, or what peers see of mail that Postfix sends. A line that
says where a machine keeps its queue changes neither, so its variants are not measured.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from harness.config.mastercf import FIELDS, Entry, parse_master_cf
from harness.config.scenario import Scenario
from harness.config.setting_kinds import USERS_OWN, SettingKind, rule_of
from harness.config.variants import Line, lines_of
from harness.tls import Service

#: The programs that a client's session passes through (master(5), "command").
_SERVERS = frozenset({"smtpd", "postscreen", "tlsproxy", "dnsblog"})
#: Those that a message passes through on its way out.
_SENDERS = frozenset({"smtp", "lmtp", "tlsproxy", "tlsmgr"})
_CLIENT_NAMES = ("smtp_", "lmtp_")
_SERVER_NAMES = ("smtpd_", "postscreen_")
#: "$name", "${name}" and "$(name)" (postconf(5)).
_REFERENCE = re.compile(r"\$[({]?([A-Za-z0-9_]+)")

OF_MACHINE = "they say where things are on a machine, which no client sees"
OF_SURROUNDINGS = "they are about other systems and tables, for which stand-ins are used"
OF_SENDING = "they are about mail that Postfix sends, and no such mail is measured (-S outbound)"
OF_RECEIVING = "they are about mail that Postfix takes, and only mail that it sends is measured"
OF_OTHERS = "they stand under entries that are not asked about"


def left_out(candidate: Scenario, services: Collection[Service]) -> Mapping[int, str]:
    """The numbers of the lines that cannot bear on these services, each with why.

    Of a candidate that is applied as it is, settings of the machine and its surroundings may.
    """
    lines = lines_of(candidate)
    entries = _entries(candidate)
    reasons = {line.number: _why(line, candidate, entries, services) for line in lines}
    referred = {
        name
        for line in lines
        if reasons[line.number] is None
        for name in _REFERENCE.findall(line.value)
    }
    return {
        line.number: reason
        for line in lines
        if (reason := reasons[line.number]) is not None
        and not (line.entry is None and line.name in referred)
    }


def _entries(candidate: Scenario) -> Mapping[int, Entry]:
    """The entry of each line that is an option, by the line's number (see ``lines_of``)."""
    options = [line.number for line in lines_of(candidate) if line.entry is not None]
    entries = [
        entry
        for entry in parse_master_cf(candidate.master_cf).entries
        for argument in entry.arguments
        if argument.name
    ]
    return dict(zip(options, entries, strict=True))


def _why(
    line: Line, candidate: Scenario, entries: Mapping[int, Entry], services: Collection[Service]
) -> str | None:
    entry = entries.get(line.number)
    if entry is not None and not _is_asked(entry, services):
        return OF_OTHERS
    sends = Service.OUTBOUND in services
    takes = any(service != Service.OUTBOUND for service in services)
    if line.name.startswith(_CLIENT_NAMES) and not sends:
        return OF_SENDING
    if line.name.startswith(_SERVER_NAMES) and not takes:
        return OF_RECEIVING
    rule = rule_of(line.name)
    if candidate.as_is or rule is USERS_OWN:
        return None if candidate.as_is else OF_SURROUNDINGS
    return {SettingKind.MACHINE: OF_MACHINE, SettingKind.SURROUNDINGS: OF_SURROUNDINGS}.get(
        rule.kind
    )


def _is_asked(entry: Entry, services: Collection[Service]) -> bool:
    program = entry.fields[FIELDS - 1] if len(entry.fields) == FIELDS else ""
    if entry.type == "inet":
        return entry.service is None or entry.service in services
    sends = Service.OUTBOUND in services
    takes = any(service != Service.OUTBOUND for service in services)
    return (takes and program in _SERVERS) or (sends and program in _SENDERS)
