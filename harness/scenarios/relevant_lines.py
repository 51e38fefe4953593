"""Which lines of a candidate can affect what is measured, and why the others cannot.

Measured is what clients see of services, or what peers see of mail that Postfix sends. A line that
defines where a machine keeps its queue affects neither, so its variants are not measured.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from harness.adaptation.setting_kinds import (
    USER_DEFINED,
    SettingKind,
    rule_of,
)
from harness.postfix_config.master_cf import (
    FIELDS,
    MasterEntry,
    parse_master_cf,
)
from harness.postfix_config.ports import (
    interfaces_of,
    listening_places,
)
from harness.scenarios.scenario import Scenario
from harness.scenarios.variants import (
    Line,
    lines_of,
)
from harness.tls import Service

#: The programs that a client's session passes through (master(5), "command").
_SERVERS = frozenset({"smtpd", "postscreen", "tlsproxy", "dnsblog"})
#: Those that a message passes through on its way out.
_SENDERS = frozenset({"smtp", "lmtp", "tlsproxy", "tlsmgr"})
_CLIENT_NAMES = ("smtp_", "lmtp_")
_SERVER_NAMES = ("smtpd_", "postscreen_")
#: "$name", "${name}" and "$(name)" (postconf(5)).
_REFERENCE = re.compile(r"\$[({]?([A-Za-z0-9_]+)")

#: A candidate with at most so many lines is advice, and all its lines are tried. A server's whole
#: configuration has more.
FEW_LINES = 16
OF_MACHINE = "places on a machine, which no client sees"
OF_SURROUNDINGS = "other systems and tables, for which stand-ins are used"
OF_SENDING = "mail that Postfix sends, which is only measured with -S outbound"
OF_RECEIVING = "mail that Postfix receives, which is not measured"
OF_OTHERS = "entries of services that are not measured"


def left_out(candidate: Scenario, services: Collection[Service]) -> Mapping[int, str]:
    """The numbers of the lines that cannot affect these services, each with the reason.

    None is left out of a candidate with few lines: measurements show that a line has no effect. In
    one that is applied as it is, settings of the machine and its surroundings may have an effect.
    """
    lines = lines_of(candidate)
    if len(lines) <= FEW_LINES:
        return {}
    entries = _entries_by_line(candidate)
    in_question = {number: _is_in_question(*entry, services) for number, entry in entries.items()}
    reasons = {
        line.number: OF_OTHERS
        if not in_question.get(line.number, True)
        else _reason_left_out(line, candidate, services)
        for line in lines
    }
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


def _entries_by_line(candidate: Scenario) -> Mapping[int, tuple[MasterEntry, str]]:
    """For each line that is an option, by number: its entry, and where the entry listens."""
    master = parse_master_cf(candidate.master_cf)
    places = listening_places(master, interfaces_of(candidate.main_cf))
    options = [line.number for line in lines_of(candidate) if line.entry is not None]
    entries = [
        (piece, places[at].name if at in places else "")
        for at, piece in enumerate(master.pieces)
        if isinstance(piece, MasterEntry)
        for argument in piece.arguments
        if argument.name
    ]
    return dict(zip(options, entries, strict=True))


def _reason_left_out(line: Line, candidate: Scenario, services: Collection[Service]) -> str | None:
    sends = Service.OUTBOUND in services
    takes = any(service != Service.OUTBOUND for service in services)
    if line.name.startswith(_CLIENT_NAMES) and not sends:
        return OF_SENDING
    if line.name.startswith(_SERVER_NAMES) and not takes:
        return OF_RECEIVING
    rule = rule_of(line.name)
    if candidate.as_is or rule is USER_DEFINED:
        return None if candidate.as_is else OF_SURROUNDINGS
    return {SettingKind.MACHINE: OF_MACHINE, SettingKind.SURROUNDINGS: OF_SURROUNDINGS}.get(
        rule.kind
    )


def _is_in_question(entry: MasterEntry, place: str, services: Collection[Service]) -> bool:
    program = entry.fields[FIELDS - 1] if len(entry.fields) == FIELDS else ""
    if entry.type == "inet":
        return Service(place) in services
    sends = Service.OUTBOUND in services
    takes = any(service != Service.OUTBOUND for service in services)
    return (takes and program in _SERVERS) or (sends and program in _SENDERS)
