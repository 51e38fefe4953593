"""The image's stock master.cf with submission and submissions enabled.

Postfix ships its master.cf with both as comments: a service line, below it its options, prose
between them. An administrator who follows advice first removes these comment signs; so does this
module.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from harness.catalog.versions import Version
from harness.postfix_config.logical_lines import (
    WHITESPACE,
    is_skipped,
    physical_lines,
)
from harness.postfix_config.master_cf import (
    FIELDS,
    MasterCf,
    MasterEntry,
    parse_entry,
    parse_master_cf,
)
from harness.postfix_config.master_cf_overlay import append_entry
from harness.tls import Service

_OPTION = re.compile(r"#[ \t]+-o[ \t]")
#: Parameters that the administrator has to define in main.cf (3.5's comments refer to three).
_MUA = re.compile(r"\$[({]?(mua_\w+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Enabled:
    """A service that was enabled; ``shipped``: the image has it as a comment, else we wrote it."""

    name: str
    shipped: bool

    def __str__(self) -> str:
        if self.shipped:
            return f"master.cf: {self.name} inet, uncommented as the image's own master.cf has it"
        return f"master.cf: {self.name} inet, added: the image's master.cf has none to uncomment"


def enable_services(
    stock: MasterCf, present: Collection[Service], version: Version
) -> tuple[MasterCf, tuple[Enabled, ...]]:
    """The image's master.cf with submission and submissions added unless they are ``present``."""
    master, enabled = stock, []
    chroot = next((e.fields[4] for e in stock.entries if _is_smtp(e)), "-")
    for service, text in _minimal_entries(version, chroot).items():
        if service in present:
            continue
        uncommented = _uncomment_service(master, service)
        entry = parse_entry(text)
        master, name = uncommented or (append_entry(master, entry), entry.name)
        enabled.append(Enabled(name, shipped=uncommented is not None))
    return master, tuple(enabled)


def mua_names(master: MasterCf) -> frozenset[str]:
    """The ``mua_…`` names that a master.cf's options refer to."""
    values = (value for entry in master.entries for value in entry.options.values())
    return frozenset(name for value in values for name in _MUA.findall(value))


def _uncomment_service(master: MasterCf, service: Service) -> tuple[MasterCf, str] | None:
    """The file with the service's comment as an entry, and the entry's name; None without one."""
    for at, piece in enumerate(master.pieces):
        if isinstance(piece, MasterEntry):
            continue
        lines = physical_lines(piece)
        for number, line in enumerate(lines):
            entry = _parse_comment(line)
            if entry is not None and entry.service is service:
                below = _uncomment_options(lines[number + 1 :])
                block = [*lines[:number], line[1:], *below, *lines[number + 1 + len(below) :]]
                pieces = (*master.pieces[:at], "".join(block), *master.pieces[at + 1 :])
                return parse_master_cf(MasterCf(pieces).text), entry.name
    return None


def _parse_comment(line: str) -> MasterEntry | None:
    """The entry in a comment line, if it is an smtpd on every address; None for any other line."""
    text = line[1:]
    if is_skipped(text) or text[0] in WHITESPACE:
        return None
    entry = parse_entry(text)
    is_complete = len(entry.fields) == FIELDS and entry.fields[-1] == "smtpd"
    return entry if is_complete and not entry.host else None


def _uncomment_options(lines: Iterable[str]) -> list[str]:
    """The comment lines up to the next entry, with the options among them uncommented."""
    uncommented = []
    for line in lines:
        if not line.startswith("#") or line[1:2] not in (" ", "\t"):
            break
        uncommented.append(line[1:] if _OPTION.match(line) else line)
    return uncommented


def _is_smtp(entry: MasterEntry) -> bool:
    return len(entry.fields) > 4 and entry.fields[:2] == ("smtp", "inet")


def _minimal_entries(version: Version, chroot: str) -> dict[Service, str]:
    """Both entries, reduced to the TLS level, authentication and who may send.

    ``smtps`` became ``submissions`` in 3.6; smtpd_relay_restrictions came with 2.10.
    """
    implicit = "submissions" if version >= Version.parse("3.6") else "smtps"
    rule = "relay" if version >= Version.parse("2.10") else "client"
    log_in = (
        "smtpd_sasl_auth_enable=yes",
        f"smtpd_{rule}_restrictions=permit_sasl_authenticated,reject",
    )
    return {
        Service.SUBMISSION: _format_entry(
            "submission", chroot, ("smtpd_tls_security_level=encrypt", *log_in)
        ),
        Service.SUBMISSIONS: _format_entry(
            implicit, chroot, ("smtpd_tls_wrappermode=yes", *log_in)
        ),
    }


def _format_entry(name: str, chroot: str, options: Iterable[str]) -> str:
    settings = (f"syslog_name=postfix/{name}", *options)
    return f"{name} inet n - {chroot} - - smtpd\n" + "".join(f"  -o {s}\n" for s in settings)
