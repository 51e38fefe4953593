"""The settings that the harness adds to those of a candidate."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from harness.adaptation.base_settings import base_lines_replaced_by
from harness.adaptation.replacement import Replacement
from harness.adaptation.sasl_bridge import sasl_path
from harness.adaptation.setting_kinds import SettingKind
from harness.adaptation.stand_ins import (
    set_last,
    set_option,
)
from harness.catalog.versions import Version
from harness.postfix_config.listeners import POSTSCREEN
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    FIELDS,
    MasterCf,
    MasterEntry,
    parse_entry,
)

#: The domain of all recipients: TOKEN@sink.test, where TOKEN has lower-case letters and digits.
SINK_DOMAIN = "sink.test"
#: The login of clients, and the sender they use with it: many servers' restrictions compare both.
LOG_IN, LOGGED_IN_SENDER = "webshop", f"webshop@{SINK_DOMAIN}"
#: The sender of all other mail; the run's name server knows its domain.
SENDER_DOMAIN = "webshop.test"
SENDER = f"shop@{SENDER_DOMAIN}"
#: The maildir of all recipients, below <directory>/mail.
MAILDIR = "sink/"
#: The delivery agent of the test mail: virtual(8), with settings that no candidate changes.
SINK = "matrixsink"
RECIPIENTS = "recipients"
_SINK_PATTERN = f"/^[a-z0-9]+@{SINK_DOMAIN.replace('.', '[.]')}$/"


class InstancePlace(Protocol):
    """The environment of an instance (``scenarios.instance.InstanceContext``)."""

    @property
    def name(self) -> str:
        """The scenario's id."""

    @property
    def directory(self) -> str:
        """The instance's folder."""

    @property
    def mail_version(self) -> str:
        """Postfix's release."""

    @property
    def sasl(self) -> str:
        """Dovecot's address, in the form of smtpd_sasl_path."""

    @property
    def resolves(self) -> bool:
        """Whether a name server answers for the test's names."""


@dataclass(frozen=True, slots=True)
class HarnessSetting:
    """A parameter that the harness sets, on the Postfix releases that have it."""

    name: str
    value: str
    since: str = "2.0"

    def __str__(self) -> str:
        return f"{self.name} = {self.value}".rstrip()


@dataclass(frozen=True, slots=True)
class SinkFiles:
    """The harness's tables, in the folder of the instance's main.cf (regexp_table, cidr_table(5)).

    All mail for TOKEN@sink.test goes to the maildir mail/sink/, one file per message, which has
    ``Delivered-To: TOKEN@sink.test`` (virtual(8) accepts no ``$1``, so not one file per token).
    """

    directory: str

    def path(self, name: str) -> str:
        """The path of one table."""
        return f"{self.directory}/etc/{name}"

    def texts(self) -> dict[str, str]:
        """The tables' texts by path."""
        address = _SINK_PATTERN.replace("[a-z0-9]+", "([a-z0-9]+").replace("$/", ")$/")
        texts = {
            RECIPIENTS: f"{_SINK_PATTERN} {MAILDIR}\n",
            "recipients-as-written": f"{address} $1\n",
            "transport": f"{_SINK_PATTERN} {SINK}:\n",
            "log-ins": f"/^{LOGGED_IN_SENDER.replace('.', '[.]')}$/ {LOG_IN}\n",
            "known-clients": "0.0.0.0/0 permit\n",
            "empty": "",
        }
        return {self.path(name): text for name, text in texts.items()}


#: The lists in which the test addresses come first, and the table of these addresses. True: also
#: where the candidate sets the list to nothing.
_FIRST: Mapping[str, tuple[str, bool]] = {
    "transport_maps": ("regexp:{transport}", True),
    "virtual_mailbox_domains": (SINK_DOMAIN, True),
    "virtual_mailbox_maps": ("regexp:{recipients}", True),
    "virtual_alias_maps": ("regexp:{recipients-as-written}", False),
    "canonical_maps": ("regexp:{recipients-as-written}", False),
    "recipient_canonical_maps": ("regexp:{recipients-as-written}", False),
    "sender_canonical_maps": ("regexp:{recipients-as-written}", False),
    "smtpd_sender_login_maps": ("regexp:{log-ins}", False),
}
_REASON = "the test addresses come first"


def with_test_addresses(
    main_cf: str, master: MasterCf, directory: str
) -> tuple[str, tuple[Replacement, ...]]:
    """A main.cf with which the test mail arrives, whatever its tables define for other addresses.

    postscreen(8) treats the test clients as ones that have passed its tests before. Also returns
    what was changed for that.
    """
    files = SinkFiles(directory)
    first = {
        name: (element, _FIRST[name][1], _REASON)
        for name, element in _first_elements(files).items()
    }
    values = parse_main_cf(main_cf).values
    if any(_is_postscreen(entry) for entry in master.entries):
        values.setdefault("postscreen_access_list", "permit_mynetworks")
        element = f"cidr:{files.path('known-clients')}"
        reason = "the test clients have passed postscreen's tests before"
        first["postscreen_access_list"] = (element, True, reason)
    changes = []
    for name, (element, needed, reason) in first.items():
        before = values.get(name)
        if before or (needed and before is not None):
            after = f"{element}, {before}" if before else element
            main_cf = set_last(main_cf, name, after)
            change = Replacement("main.cf", name, before, after, SettingKind.SURROUNDINGS, reason)
            changes.append(change)
    return main_cf, tuple(changes)


def options_with_test_addresses(
    master: MasterCf, directory: str
) -> tuple[MasterCf, tuple[Replacement, ...]]:
    """A master.cf whose options include the test addresses, as main.cf does.

    An option of an entry, such as -o smtpd_sender_login_maps, overrides main.cf.
    """
    elements = _first_elements(SinkFiles(directory))
    pieces: list[MasterEntry | str] = []
    changes = []
    for piece in master.pieces:
        changed = piece
        for argument in reversed(piece.arguments) if isinstance(piece, MasterEntry) else ():
            if argument.name in elements and argument.value and isinstance(changed, MasterEntry):
                after = f"{elements[argument.name]},{argument.value}"
                changed = set_option(changed, argument, after)
                where, name, before = f"master.cf: {changed.name}", argument.name, argument.value
                kind = SettingKind.SURROUNDINGS
                changes.append(Replacement(where, name, before, after, kind, _REASON))
        pieces.append(changed)
    return MasterCf(tuple(pieces)), tuple(changes)


def _first_elements(files: SinkFiles) -> dict[str, str]:
    """The element that comes first in each list of addresses."""
    paths = {path.rpartition("/")[2]: path for path in files.texts()}
    return {name: element.format(**paths) for name, (element, _) in _FIRST.items()}


def _is_postscreen(entry: MasterEntry) -> bool:
    return entry.type == "inet" and len(entry.fields) == FIELDS and entry.fields[-1] == POSTSCREEN


def sink_entry(directory: str) -> MasterEntry:
    """The entry of the delivery agent of the test mail."""
    options = {
        "virtual_mailbox_base": f"{directory}/mail",
        "virtual_mailbox_maps": f"regexp:{directory}/etc/{RECIPIENTS}",
        "virtual_uid_maps": "static:65534",
        "virtual_gid_maps": "static:65534",
        "virtual_minimum_uid": "100",
        "virtual_mailbox_limit": "0",
    }
    lines = "".join(f"  -o {name}={value}\n" for name, value in options.items())
    return parse_entry(f"{SINK} unix - n n - - virtual\n{lines}")


def settings_known_to(settings: Iterable[HarnessSetting], version: Version) -> list[HarnessSetting]:
    """The settings that this release of Postfix knows; for others it would only log a warning."""
    return [setting for setting in settings if version >= Version.parse(setting.since)]


def _compatibility_level(version: Version) -> str:
    """The newest level at which this release changed a default: that of a fresh installation.

    COMPATIBILITY_README has 1, 2 and 3.6; conf/main.cf and Debian's main.cf have that level or
    one between it and the next, with the same effect.
    """
    for since in ("3.11", "3.6"):
        if version >= Version.parse(since):
            return since
    return "2"


def base_settings(candidate_names: Collection[str], version: Version) -> list[HarnessSetting]:
    """The settings before a candidate of single lines, without those that the lines replace.

    They make a server with a certificate, its key and opportunistic TLS, and set the compatibility
    level. Upstream's default for smtpd is no certificate and no TLS (smtpd_tls_security_level is
    empty), with which nothing could be measured. Debian's packages write the same three smtpd lines
    into a new main.cf (main.cf.tls, 11 to 13); every build gets them, from source or not. None
    of them is added to a whole configuration.
    """
    settings = (
        HarnessSetting("compatibility_level", _compatibility_level(version), "3.0"),
        HarnessSetting("smtpd_tls_cert_file", "/etc/ssl/certs/ssl-cert-snakeoil.pem", "2.2"),
        HarnessSetting("smtpd_tls_key_file", "/etc/ssl/private/ssl-cert-snakeoil.key", "2.2"),
        HarnessSetting("smtpd_tls_security_level", "may", "2.3"),
    )
    replaced = base_lines_replaced_by(candidate_names)
    return [
        setting for setting in settings_known_to(settings, version) if setting.name not in replaced
    ]


#: The setting that "postfix upgrade-configuration" adds to an older main.cf (conf/post-install,
#: 2.10): without it, and without a compatibility level, smtpd(8) refuses to start.
UPGRADED = HarnessSetting(
    "smtpd_relay_restrictions",
    "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
    "2.10",
)


def soft_settings(place: InstancePlace, undefined: Iterable[str]) -> tuple[HarnessSetting, ...]:
    """The settings that a container needs, but that a candidate may override."""
    names = (
        ()
        if place.resolves
        else (
            # There is no resolver: each lookup of a client's name would stall for seconds.
            HarnessSetting("smtpd_peername_lookup", "no", "2.3"),
        )
    )
    return (
        # The container's host name has no domain, so Postfix would invent one.
        HarnessSetting("myhostname", f"{place.name}.mx.test"),
        # There are no local users: mail goes to the virtual mailboxes below.
        HarnessSetting("mydestination", ""),
        # Else every client on the containers' network might relay without logging in.
        HarnessSetting("mynetworks", "127.0.0.0/8"),
        # Shows which of a container's instances wrote a log line.
        HarnessSetting("syslog_name", f"postfix-{place.name}"),
        *names,
        # Links a log line to the connection that caused it.
        HarnessSetting("smtpd_client_port_logging", "yes", "2.5"),
        # All probes come from a few addresses, so their rate must not be limited.
        HarnessSetting("smtpd_client_event_limit_exceptions", "0.0.0.0/0", "2.2"),
        # One log line per handshake: protocol and cipher as the server saw them.
        HarnessSetting("smtpd_tls_loglevel", "1", "2.2"),
        # The same in the message's trace header.
        HarnessSetting("smtpd_tls_received_header", "yes", "2.2"),
        # The same for mail that this instance sends.
        HarnessSetting("smtp_tls_loglevel", "1", "2.2"),
        # One session per message, so that its log line belongs to that message.
        HarnessSetting("smtp_connection_cache_on_demand", "no", "2.2"),
        # Authentication by a real Dovecot outside the container.
        HarnessSetting("smtpd_sasl_type", "dovecot", "2.3"),
        HarnessSetting("smtpd_sasl_path", sasl_path(place.sasl, place.mail_version), "2.3"),
        # A destination for the probes' messages.
        HarnessSetting("virtual_mailbox_domains", SINK_DOMAIN),
        HarnessSetting("virtual_mailbox_maps", f"regexp:{place.directory}/etc/{RECIPIENTS}"),
        HarnessSetting("transport_maps", f"regexp:{place.directory}/etc/transport"),
        # Restrictions that compare sender and login have to know the test login (postconf(5)).
        HarnessSetting("smtpd_sender_login_maps", f"regexp:{place.directory}/etc/log-ins"),
        # A delay that a candidate sets for all deliveries must not delay the probes' messages.
        HarnessSetting(f"{SINK}_destination_rate_delay", "0s", "2.5"),
        # The default names a database that does not exist in the container.
        HarnessSetting("alias_maps", ""),
        HarnessSetting("alias_database", ""),
        *(HarnessSetting(name, "") for name in undefined),
    )


def hard_settings(place: InstancePlace) -> tuple[HarnessSetting, ...]:
    """The settings that override the candidate, since the harness could not run it without them."""
    folder = place.directory
    return (
        # Instances of one container must not share a queue, or a TLS session cache.
        HarnessSetting("queue_directory", f"{folder}/queue"),
        HarnessSetting("data_directory", f"{folder}/data", "2.5"),
        # Clients are in other containers, on a network that has IPv4 only.
        HarnessSetting("inet_interfaces", "all"),
        HarnessSetting("inet_protocols", "ipv4", "2.2"),
        # A process that its configuration kills is restarted for the next client without delay;
        # with the default of 60 s all others would have to wait (postconf(5)).
        HarnessSetting("service_throttle_time", "1s"),
        # The log goes to syslog on every release, as evidence; the harness would not see a file.
        HarnessSetting("maillog_file", "", "3.4"),
    )
