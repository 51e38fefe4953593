"""The image's own master.cf with submission and submissions enabled. Pure.

Postfix ships its master.cf with both as comments: a service line, below it its options, prose
between them. Whoever follows advice removes these comment signs first, and so does this.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from harness.catalog.versions import Version
from harness.postfix_config.logical_lines import (
    WHITESPACE,
    ignored,
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
#: What the comments leave to the administrator to define in main.cf (3.5 refers to three of them).
_MUA = re.compile(r"\$[({]?(mua_\w+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Enabled:
    """A service that was enabled; ``shipped`` where the image had it as a comment, else ours."""

    name: str
    shipped: bool

    def __str__(self) -> str:
        if self.shipped:
            return f"master.cf: {self.name} inet, uncommented as the image's own master.cf has it"
        return f"master.cf: {self.name} inet, ours: the image's master.cf has none to uncomment"


def enable_services(
    stock: MasterCf, present: Collection[Service], version: Version
) -> tuple[MasterCf, tuple[Enabled, ...]]:
    """The image's master.cf with those of submission and submissions that are not ``present``."""
    master, enabled = stock, []
    chroot = next((e.fields[4] for e in stock.entries if _is_smtp(e)), "-")
    for service, text in _own_entries(version, chroot).items():
        if service in present:
            continue
        found = _uncommented(master, service)
        entry = parse_entry(text)
        master, name = found or (append_entry(master, entry), entry.name)
        enabled.append(Enabled(name, shipped=found is not None))
    return master, tuple(enabled)


def mua_names(master: MasterCf) -> frozenset[str]:
    """The ``mua_…`` names that a master.cf's options refer to."""
    values = (value for entry in master.entries for value in entry.options.values())
    return frozenset(name for value in values for name in _MUA.findall(value))


def _uncommented(master: MasterCf, service: Service) -> tuple[MasterCf, str] | None:
    """The file with the service's comment as an entry, and its name; None where it has none."""
    for at, piece in enumerate(master.pieces):
        if isinstance(piece, MasterEntry):
            continue
        lines = physical_lines(piece)
        for number, line in enumerate(lines):
            entry = _commented(line)
            if entry is not None and entry.service is service:
                below = _options(lines[number + 1 :])
                block = [*lines[:number], line[1:], *below, *lines[number + 1 + len(below) :]]
                pieces = (*master.pieces[:at], "".join(block), *master.pieces[at + 1 :])
                return parse_master_cf(MasterCf(pieces).text), entry.name
    return None


def _commented(line: str) -> MasterEntry | None:
    """The smtpd on every address that a comment line has; None for prose and all others."""
    text = line[1:]
    if ignored(text) or text[0] in WHITESPACE:
        return None
    entry = parse_entry(text)
    whole = len(entry.fields) == FIELDS and entry.fields[-1] == "smtpd"
    return entry if whole and not entry.host else None


def _options(lines: Iterable[str]) -> list[str]:
    """The comment lines up to the next entry's, with the options among them uncommented."""
    found = []
    for line in lines:
        if not line.startswith("#") or line[1:2] not in (" ", "\t"):
            break
        found.append(line[1:] if _OPTION.match(line) else line)
    return found


def _is_smtp(entry: MasterEntry) -> bool:
    return len(entry.fields) > 4 and entry.fields[:2] == ("smtp", "inet")


def _own_entries(version: Version, chroot: str) -> dict[Service, str]:
    """Both entries, reduced to the level, the log-in and who may send.

    ``smtps`` became ``submissions`` in 3.6; smtpd_relay_restrictions came with 2.10.
    """
    implicit = "submissions" if version >= Version.parse("3.6") else "smtps"
    rule = "relay" if version >= Version.parse("2.10") else "client"
    log_in = (
        "smtpd_sasl_auth_enable=yes",
        f"smtpd_{rule}_restrictions=permit_sasl_authenticated,reject",
    )
    return {
        Service.SUBMISSION: _entry(
            "submission", chroot, ("smtpd_tls_security_level=encrypt", *log_in)
        ),
        Service.SUBMISSIONS: _entry(implicit, chroot, ("smtpd_tls_wrappermode=yes", *log_in)),
    }


def _entry(name: str, chroot: str, options: Iterable[str]) -> str:
    settings = (f"syslog_name=postfix/{name}", *options)
    return f"{name} inet n - {chroot} - - smtpd\n" + "".join(f"  -o {s}\n" for s in settings)
