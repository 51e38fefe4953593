"""The services of a configuration: its inet entries that accept mail, and how each does TLS.

postconf(5): an entry's -o options override main.cf's settings; master(5): the entry's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.postfix_config.lookup_tables import expand_references
from harness.postfix_config.master_cf import (
    FIELDS,
    MasterCf,
    MasterEntry,
)
from harness.postfix_config.ports import (
    ListeningPlace,
    listening_places,
)
from harness.postfix_config.tls_levels import (
    IMPLICIT,
    service_level,
)
from harness.tls import Service

#: Programs that a client can talk SMTP with (smtpd(8), postscreen(8)).
SMTPD, POSTSCREEN = "smtpd", "postscreen"
_PROXY_PROTOCOL = {
    SMTPD: "smtpd_upstream_proxy_protocol",
    POSTSCREEN: "postscreen_upstream_proxy_protocol",
}


@dataclass(frozen=True, slots=True)
class Listener:
    """A service and its entry in master.cf.

    ``entry`` is the entry's name as written. ``settings`` are those in effect for it, with
    ``$name`` expanded. ``implicit_tls``: its clients begin with TLS (RFC 8314). ``authenticates``:
    its clients log in before they send. ``proxied``: it expects HAProxy's protocol before the SMTP
    dialogue.
    """

    service: Service
    entry: str
    program: str
    settings: Mapping[str, str]
    implicit_tls: bool
    authenticates: bool
    proxied: bool = False

    @property
    def level(self) -> str:
        """The TLS level that its settings give: none, may, encrypt or implicit TLS."""
        return service_level(self.settings)

    def to_dict(self) -> dict[str, str]:
        """The listener as JSON values, for an instance's evidence (key ``services``)."""
        return {
            "service": str(self.service),
            "entry": self.entry,
            "program": self.program,
            "level": self.level,
            "speaks": "implicit TLS" if self.implicit_tls else "STARTTLS",
            **({"proxy_protocol": "haproxy"} if self.proxied else {}),
        }


def find_listeners(
    main: Mapping[str, str], master: MasterCf, interfaces: str = ""
) -> tuple[Listener, ...]:
    """The services of a configuration, in the order of master.cf; the last of two on one port.

    Args:
        main: main.cf's settings in effect.
        master: the entries, with their names as written.
        interfaces: the candidate's inet_interfaces.
    """
    result: dict[str, Listener] = {}
    for at, place in listening_places(master, interfaces).items():
        entry = master.pieces[at]
        assert isinstance(entry, MasterEntry)
        program = entry.fields[-1] if len(entry.fields) == FIELDS else ""
        if program == SMTPD:
            result[place.name] = _make_listener(place, entry, {**main, **entry.options})
        elif program == POSTSCREEN and (behind := behind_postscreen(main, entry, master)):
            # Once postscreen has handed the connection over, smtpd holds the dialogue.
            settings = {**main, **entry.options, **behind.options}
            result[place.name] = _make_listener(place, entry, settings)
    return tuple(result.values())


def behind_postscreen(
    main: Mapping[str, str], entry: MasterEntry, master: MasterCf
) -> MasterEntry | None:
    """The smtpd(8) entry to which a postscreen(8) hands its clients; None without any.

    postconf(5): smtpd_service_name, by default "smtpd".
    """
    name = {**main, **entry.options}.get("smtpd_service_name", SMTPD)
    candidates = [
        candidate
        for candidate in master.entries
        if candidate.type == "pass" and candidate.fields[7:8] == (SMTPD,)
    ]
    return next(
        (candidate for candidate in candidates if candidate.name == name),
        next(iter(candidates), None),
    )


def _make_listener(
    place: ListeningPlace, entry: MasterEntry, settings: Mapping[str, str]
) -> Listener:
    service, program = Service(place.name), entry.fields[-1]
    settings = {name: expand_references(value, settings) for name, value in settings.items()}
    offers_log_in = _is_on(settings, "smtpd_sasl_auth_enable") and not place.loopback
    log_in = service.authenticates or (offers_log_in and not service.is_registered)
    implicit = service_level(settings) == IMPLICIT
    return Listener(
        service=service,
        entry=entry.name,
        program=program,
        settings=settings,
        implicit_tls=service.implicit_tls if service.is_registered else implicit,
        authenticates=log_in,
        proxied=bool(settings.get(_PROXY_PROTOCOL[program])),
    )


def _is_on(settings: Mapping[str, str], name: str) -> bool:
    return settings.get(name, "no").strip().lower() == "yes"
