"""The settings that the harness gives to an instance beside the candidate's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from harness.adaptation.base_settings import base_lines_replaced_by
from harness.adaptation.replacement import Replacement
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

#: Where every instance takes mail for; TOKEN@sink.test with TOKEN of small letters and digits.
SINK_DOMAIN = "sink.test"
#: Who logs in, and as whom that client sends: the restrictions of many servers compare the two.
LOG_IN, LOGGED_IN_SENDER = "webshop", f"webshop@{SINK_DOMAIN}"
#: The sender of all other mail, whose domain the run's name server knows.
SENDER_DOMAIN = "webshop.test"
SENDER = f"shop@{SENDER_DOMAIN}"
#: The maildir of all recipients, below <directory>/mail.
MAILDIR = "sink/"
#: The delivery agent of the test's own mail: virtual(8), with settings that no candidate touches.
SINK = "matrixsink"
RECIPIENTS = "recipients"
_SINK_PATTERN = f"/^[a-z0-9]+@{SINK_DOMAIN.replace('.', '[.]')}$/"


class InstancePlace(Protocol):
    """What is known of the place of an instance (``scenarios.instance.InstanceContext``)."""

    @property
    def name(self) -> str:
        """The scenario's id."""

    @property
    def directory(self) -> str:
        """The instance's folder."""

    @property
    def sasl(self) -> str:
        """Dovecot's address, as smtpd_sasl_path takes it."""

    @property
    def resolves(self) -> bool:
        """Whether a name server answers for the test's names."""


@dataclass(frozen=True, slots=True)
class HarnessSetting:
    """A parameter that the harness sets, from the Postfix release that has it on."""

    name: str
    value: str
    since: str = "2.0"

    def __str__(self) -> str:
        return f"{self.name} = {self.value}".rstrip()


@dataclass(frozen=True, slots=True)
class SinkFiles:
    """The harness's own tables, beside the instance's main.cf: regexp_table(5) and cidr_table(5).

    All mail for TOKEN@sink.test goes to the maildir mail/sink/, a file a message, with
    ``Delivered-To: TOKEN@sink.test`` in it (virtual(8) takes no ``$1``, so no file a token).
    """

    directory: str

    def path(self, name: str) -> str:
        """The path of one of them."""
        return f"{self.directory}/etc/{name}"

    def texts(self) -> dict[str, str]:
        """Their texts by path."""
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


#: Lists in which the test's own addresses come first, and the table of them. True: also where the
#: candidate empties the list.
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
_REASON = "the test's own addresses come first"


def with_test_addresses(
    main_cf: str, master: MasterCf, directory: str
) -> tuple[str, tuple[Replacement, ...]]:
    """A main.cf by which the test's mail arrives, whatever its own tables say of other addresses.

    postscreen(8) takes the test's clients for such as have passed its tests before. With it comes
    what was changed for that.
    """
    files = SinkFiles(directory)
    first = {
        name: (element, _FIRST[name][1], _REASON) for name, element in _elements(files).items()
    }
    values = parse_main_cf(main_cf).values
    if any(_is_postscreen(entry) for entry in master.entries):
        values.setdefault("postscreen_access_list", "permit_mynetworks")
        element = f"cidr:{files.path('known-clients')}"
        reason = "the test's clients have passed postscreen's tests before"
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
    """A master.cf whose options know the test's own addresses, as main.cf does.

    An option of an entry counts over main.cf: -o smtpd_sender_login_maps, say.
    """
    elements = _elements(SinkFiles(directory))
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


def _elements(files: SinkFiles) -> dict[str, str]:
    """What comes first in each list of addresses."""
    paths = {path.rpartition("/")[2]: path for path in files.texts()}
    return {name: element.format(**paths) for name, (element, _) in _FIRST.items()}


def _is_postscreen(entry: MasterEntry) -> bool:
    return entry.type == "inet" and len(entry.fields) == FIELDS and entry.fields[-1] == POSTSCREEN


def sink_entry(directory: str) -> MasterEntry:
    """The delivery agent of the test's own mail."""
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


def fitting(settings: Iterable[HarnessSetting], version: Version) -> list[HarnessSetting]:
    """The settings that this Postfix knows; others would only make it warn."""
    return [setting for setting in settings if version >= Version.parse(setting.since)]


def _compatibility_level(version: Version) -> str:
    """The newest level at which this Postfix changed a default, so all that a fresh install has.

    COMPATIBILITY_README has 1, 2 and 3.6; conf/main.cf and Debian's main.cf name that level or
    one between it and the next, to the same effect.
    """
    for since in ("3.11", "3.6"):
        if version >= Version.parse(since):
            return since
    return "2"


def base_settings(own: Collection[str], version: Version) -> list[HarnessSetting]:
    """What stands before a candidate of some lines, without what these lines set themselves.

    The asker's kind of server: a certificate, its key and opportunistic TLS; and the level.
    Upstream's own default for smtpd is no certificate and no TLS (smtpd_tls_security_level is
    empty), with which nothing could be measured. Debian's packages write the same three smtpd lines
    into a new main.cf (main.cf.tls, 11 to 13); every build gets them, from source or not. Nothing
    of it is added to a whole configuration.
    """
    settings = (
        HarnessSetting("compatibility_level", _compatibility_level(version), "3.0"),
        HarnessSetting("smtpd_tls_cert_file", "/etc/ssl/certs/ssl-cert-snakeoil.pem", "2.2"),
        HarnessSetting("smtpd_tls_key_file", "/etc/ssl/private/ssl-cert-snakeoil.key", "2.2"),
        HarnessSetting("smtpd_tls_security_level", "may", "2.3"),
    )
    replaced = base_lines_replaced_by(own)
    return [setting for setting in fitting(settings, version) if setting.name not in replaced]


#: What "postfix upgrade-configuration" adds to an older main.cf (conf/post-install, 2.10): without
#: it, and without a level, smtpd(8) refuses to start.
UPGRADED = HarnessSetting(
    "smtpd_relay_restrictions",
    "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
    "2.10",
)


def soft_settings(place: InstancePlace, undefined: Iterable[str]) -> tuple[HarnessSetting, ...]:
    """What a container needs and a candidate may set otherwise."""
    names = (
        ()
        if place.resolves
        else (
            # There is no resolver: each look-up of a client's name would stall for seconds.
            HarnessSetting("smtpd_peername_lookup", "no", "2.3"),
        )
    )
    return (
        # The container's own name has no domain, which Postfix would make up.
        HarnessSetting("myhostname", f"{place.name}.mx.test"),
        # No local users here: mail goes to the virtual mailboxes below.
        HarnessSetting("mydestination", ""),
        # Else every client on the containers' network might relay without logging in.
        HarnessSetting("mynetworks", "127.0.0.0/8"),
        # Whose log line it is, among the instances of one container.
        HarnessSetting("syslog_name", f"postfix-{place.name}"),
        *names,
        # Joins a log line to the connection that caused it.
        HarnessSetting("smtpd_client_port_logging", "yes", "2.5"),
        # All probes come from a few addresses; their rate must not be counted.
        HarnessSetting("smtpd_client_event_limit_exceptions", "0.0.0.0/0", "2.2"),
        # One line a handshake in the log: protocol and cipher as the server saw them.
        HarnessSetting("smtpd_tls_loglevel", "1", "2.2"),
        # The same in the message's trace header.
        HarnessSetting("smtpd_tls_received_header", "yes", "2.2"),
        # The same of mail that this instance sends.
        HarnessSetting("smtp_tls_loglevel", "1", "2.2"),
        # A session for each message, so that its line stands beside the message's outcome.
        HarnessSetting("smtp_connection_cache_on_demand", "no", "2.2"),
        # Log-in against a real Dovecot outside the container.
        HarnessSetting("smtpd_sasl_type", "dovecot", "2.3"),
        HarnessSetting("smtpd_sasl_path", place.sasl, "2.3"),
        # Somewhere for the probes' messages to go.
        HarnessSetting("virtual_mailbox_domains", SINK_DOMAIN),
        HarnessSetting("virtual_mailbox_maps", f"regexp:{place.directory}/etc/{RECIPIENTS}"),
        HarnessSetting("transport_maps", f"regexp:{place.directory}/etc/transport"),
        # Restrictions that compare a sender with its log-in know the test's own (postconf(5)).
        HarnessSetting("smtpd_sender_login_maps", f"regexp:{place.directory}/etc/log-ins"),
        # No delay that a candidate sets for all deliveries holds the probes' messages up.
        HarnessSetting(f"{SINK}_destination_rate_delay", "0s", "2.5"),
        # The default names a database that nobody made in the container.
        HarnessSetting("alias_maps", ""),
        HarnessSetting("alias_database", ""),
        *(HarnessSetting(name, "") for name in undefined),
    )


def hard_settings(place: InstancePlace) -> tuple[HarnessSetting, ...]:
    """What holds whatever the candidate says: else the instance could not run or be watched."""
    folder = place.directory
    return (
        # Instances of one container must not share a queue, or a TLS session cache.
        HarnessSetting("queue_directory", f"{folder}/queue"),
        HarnessSetting("data_directory", f"{folder}/data", "2.5"),
        # Clients are in other containers, on a network that has IPv4 only.
        HarnessSetting("inet_interfaces", "all"),
        HarnessSetting("inet_protocols", "ipv4", "2.2"),
        # A process that dies of its configuration is started again for the next client, as for the
        # first one; the default, 60 s, would have all others wait (postconf(5)).
        HarnessSetting("service_throttle_time", "1s"),
        # The log goes to syslog on every release, as evidence; a file would get past the harness.
        HarnessSetting("maillog_file", "", "3.4"),
    )
