"""One Postfix instance's configuration: base, then the candidate to the letter, then ours. Pure.

A parameter of the base, or a soft one of ours, that the candidate sets itself is left out, so each
"overriding earlier entry" warning of Postfix is the candidate's own doing. What appeared when is
from postconf(5)'s "This feature is available in Postfix X.Y and later".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.catalog.versions import Version
from harness.config.base_settings import base_lines_replaced_by
from harness.config.keyfiles import FileKind, key_files
from harness.config.logical import ended
from harness.config.maincf import parse_main_cf
from harness.config.mastercf import MasterCf, parse_master_cf
from harness.config.overlay import Overlay, overlay
from harness.config.ports import rewrite_ports
from harness.config.scenario import OWN, Scenario
from harness.config.stock import enable_services, mua_names
from harness.tls import INBOUND, Service

__all__ = ["FileKind", "InstanceConfig", "Surroundings", "assemble", "candidate_files"]

#: Where every instance takes mail for; TOKEN@sink.test with TOKEN of small letters and digits.
SINK_DOMAIN = "sink.test"
#: The maildir of all of them, below <directory>/mail.
MAILDIR = "sink/"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an instance finds in its container.

    ``name`` is the scenario's id; ``mail_version`` Postfix's own; ``directory`` the instance's
    folder, with etc/ (the configuration), queue/, data/ and mail/ in it; ``ports`` the TCP port of
    each service; ``sasl`` Dovecot's address as smtpd_sasl_path takes it ("inet:172.18.0.2:12345");
    ``stock_master`` the text of the image's own master.cf.
    """

    name: str
    mail_version: str
    directory: str
    ports: Mapping[Service, int]
    sasl: str
    stock_master: str


@dataclass(frozen=True, slots=True)
class InstanceConfig:
    """What to write below ``directory``, and what to say about it.

    ``added`` has every line that the harness added to the candidate, and every change of a port.
    ``files`` maps each path that the effective configuration names for keys, certificates and DH
    parameters to what must lie there. ``recipients_map`` is the text of etc/recipients, a
    regexp_table(5): all mail for TOKEN@sink.test goes to the maildir mail/sink/, a file a message,
    with ``Delivered-To: TOKEN@sink.test`` in it (virtual(8) takes no ``$1``, so no file a token).
    ``digest`` is over the candidate alone, ``texts`` are the candidate's further files by path.
    """

    main_cf: str
    master_cf: str
    added: tuple[str, ...]
    files: Mapping[str, FileKind]
    recipients_map: str
    digest: str
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Line:
    """A parameter that we set, from the Postfix release that has it on."""

    name: str
    value: str
    since: str = "2.0"

    def __str__(self) -> str:
        return f"{self.name} = {self.value}".rstrip()


def assemble(scenario: Scenario, surroundings: Surroundings) -> InstanceConfig:
    """Put one instance's configuration together.

    Raises:
        FileError: the candidate, or the image's master.cf, cannot be read as logical lines, or both
            together listen on more ports than an instance has.
        UsageError: ``mail_version`` is no version.
    """
    master, undefined, changes = _master_cf(scenario, surroundings)
    main_cf, added = _main_cf(scenario, surroundings, undefined)
    return InstanceConfig(
        main_cf=main_cf,
        master_cf=master.text,
        added=(*added, *changes),
        files=MappingProxyType(
            {
                **key_files(parse_main_cf(main_cf).values, master.entries, surroundings.directory),
                **{
                    _placed(path, surroundings.directory): kind
                    for path, kind in scenario.kinds.items()
                },
            }
        ),
        recipients_map=f"/^[a-z0-9]+@{SINK_DOMAIN.replace('.', '[.]')}$/ {MAILDIR}\n",
        digest=scenario.digest,
        texts=MappingProxyType(
            {_placed(path, surroundings.directory): text for path, text in scenario.files.items()}
        ),
    )


def _placed(path: str, directory: str) -> str:
    own = path.removeprefix(f"{OWN}/")
    return path if own == path else f"{directory}/etc/{own}"


def candidate_files(scenario: Scenario) -> Mapping[str, FileKind]:
    """The files that a candidate names for keys, known before there is a build to apply it to.

    Those of :func:`assemble`, but for what an image's own master.cf may name besides; paths below
    the instance's folder are of the scenario's own here too.
    """
    ports = {service: service.port for service in INBOUND}
    nowhere = Surroundings(scenario.id, "3.10", f"/{scenario.id}", ports, "inet:sasl:1", "")
    return assemble(scenario, nowhere).files


def _main_cf(
    scenario: Scenario, surroundings: Surroundings, undefined: Iterable[str]
) -> tuple[str, tuple[str, ...]]:
    own = parse_main_cf(scenario.main_cf).values
    version = Version.parse(surroundings.mail_version)
    replaced = base_lines_replaced_by(own.keys())
    base = [line for line in _fit(_base(version), version) if line.name not in replaced]
    ours = (*_soft(surroundings), *(_Line(name, "") for name in undefined))
    soft = [line for line in _fit(ours, version) if line.name not in own]
    added = [str(line) for line in (*soft, *_fit(_hard(surroundings), version))]
    sections = (
        "# base: the asker's kind of server before advice (certificate, key, opportunistic TLS),\n"
        "# as Debian's packages set it up; upstream's own default for smtpd is no TLS at all\n",
        _lines(str(line) for line in base),
        f"\n# candidate: {scenario.id}, to the letter\n",
        ended(scenario.main_cf),
        "\n# added by postfix-matrix, for a container\n",
        _lines(added),
    )
    return "".join(sections), tuple(added)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _fit(lines: Iterable[_Line], version: Version) -> list[_Line]:
    """The lines whose parameter this Postfix knows; others would only make it warn."""
    return [line for line in lines if version >= Version.parse(line.since)]


def _compatibility_level(version: Version) -> str:
    """The newest level at which this Postfix changed a default, so all that a fresh install has.

    COMPATIBILITY_README has 1, 2 and 3.6; conf/main.cf and Debian's main.cf name that level or
    one between it and the next, to the same effect.
    """
    for since in ("3.11", "3.6"):
        if version >= Version.parse(since):
            return since
    return "2"


def _base(version: Version) -> tuple[_Line, ...]:
    """The asker's kind of server: a certificate, its key and opportunistic TLS; and the level.

    Upstream's own default for smtpd is no certificate and no TLS (smtpd_tls_security_level is
    empty), with which nothing could be measured. Debian's packages write the same three smtpd lines
    into a new main.cf (main.cf.tls, 11 to 13); every build gets them, from source or not.
    """
    return (
        _Line("compatibility_level", _compatibility_level(version), "3.0"),
        _Line("smtpd_tls_cert_file", "/etc/ssl/certs/ssl-cert-snakeoil.pem", "2.2"),
        _Line("smtpd_tls_key_file", "/etc/ssl/private/ssl-cert-snakeoil.key", "2.2"),
        _Line("smtpd_tls_security_level", "may", "2.3"),
    )


def _soft(surroundings: Surroundings) -> tuple[_Line, ...]:
    """What a container needs and a candidate may set otherwise."""
    folder = surroundings.directory
    return (
        # The container's own name has no domain, which Postfix would make up.
        _Line("myhostname", f"{surroundings.name}.mx.test"),
        # No local users here: mail goes to the virtual mailboxes below.
        _Line("mydestination", ""),
        # Else every client on the containers' network might relay without logging in.
        _Line("mynetworks", "127.0.0.0/8"),
        # Whose log line it is, among the instances of one container.
        _Line("syslog_name", f"postfix-{surroundings.name}"),
        # There is no resolver: each look-up of a client's name would stall for seconds.
        _Line("smtpd_peername_lookup", "no", "2.3"),
        # Joins a log line to the connection that caused it.
        _Line("smtpd_client_port_logging", "yes", "2.5"),
        # All probes come from a few addresses; their rate must not be counted.
        _Line("smtpd_client_event_limit_exceptions", "0.0.0.0/0", "2.2"),
        # One line a handshake in the log: protocol and cipher as the server saw them.
        _Line("smtpd_tls_loglevel", "1", "2.2"),
        # The same in the message's trace header.
        _Line("smtpd_tls_received_header", "yes", "2.2"),
        # The same of mail that this instance sends.
        _Line("smtp_tls_loglevel", "1", "2.2"),
        # A session for each message, so that its line stands beside the message's outcome.
        _Line("smtp_connection_cache_on_demand", "no", "2.2"),
        # Log-in against a real Dovecot outside the container.
        _Line("smtpd_sasl_type", "dovecot", "2.3"),
        _Line("smtpd_sasl_path", surroundings.sasl, "2.3"),
        # Somewhere for the probes' messages to go.
        _Line("virtual_mailbox_domains", SINK_DOMAIN),
        _Line("virtual_mailbox_base", f"{folder}/mail"),
        _Line("virtual_mailbox_maps", f"regexp:{folder}/etc/recipients"),
        _Line("virtual_uid_maps", "static:65534"),
        _Line("virtual_gid_maps", "static:65534"),
        _Line("virtual_minimum_uid", "100"),
        # The default names a database that nobody made in the container.
        _Line("alias_maps", ""),
        _Line("alias_database", ""),
    )


def _hard(surroundings: Surroundings) -> tuple[_Line, ...]:
    """What holds whatever the candidate says: else the instance could not run or be watched."""
    folder = surroundings.directory
    return (
        # Instances of one container must not share a queue, or a TLS session cache.
        _Line("queue_directory", f"{folder}/queue"),
        _Line("data_directory", f"{folder}/data", "2.5"),
        # Clients are in other containers, on a network that has IPv4 only.
        _Line("inet_interfaces", "all"),
        _Line("inet_protocols", "ipv4", "2.2"),
        # A process that dies of its configuration is started again for the next client, as for the
        # first one; the default, 60 s, would have all others wait (postconf(5)).
        _Line("service_throttle_time", "1s"),
        # The log goes to syslog on every release, as evidence; a file would get past the harness.
        _Line("maillog_file", "", "3.4"),
    )


def _master_cf(
    scenario: Scenario, surroundings: Surroundings
) -> tuple[MasterCf, tuple[str, ...], tuple[str, ...]]:
    """The effective master.cf, the names that main.cf must define for it, and what was changed.

    A candidate that replaces a service on one address only (``127.0.0.1:submission``) gets no other
    entry beside its own: the two could not bind the same port.
    """
    candidate = parse_master_cf(scenario.master_cf)
    stock = parse_master_cf(surroundings.stock_master)
    present = {entry.service for entry in stock.entries if entry.service}
    if scenario.overlay is Overlay.REPLACE:
        present |= {entry.service for entry in candidate.entries if entry.service}
    base, enabled = enable_services(stock, present, Version.parse(surroundings.mail_version))
    laid = overlay(base, candidate, scenario.overlay)
    master, rewrites = rewrite_ports(laid, surroundings.ports)
    # Undefined they are empty too, but postconf(1) warns; what the candidate refers to is its own.
    undefined = (mua_names(base) & mua_names(laid)) - mua_names(candidate)
    changes = [str(one) for one in enabled]
    changes += [f"master.cf: {r.before} inet → {r.after} inet" for r in rewrites]
    return master, tuple(sorted(undefined)), tuple(changes)
