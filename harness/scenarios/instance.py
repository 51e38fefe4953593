"""The configuration of one Postfix instance: base settings, the candidate, the harness's settings.

The candidate is applied as written, except for settings that need a machine or surroundings that
are unavailable (``adaptation.stand_ins``). A base setting, or a soft setting of the harness, that
the candidate sets itself is left out, so that each "overriding earlier entry" warning of Postfix is
caused by the candidate. The releases that have a parameter are from postconf(5): "This feature is
available in Postfix X.Y and later".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from harness.adaptation.content_filters import (
    follow_disabled,
    follow_ports,
)
from harness.adaptation.harness_settings import (
    UPGRADED,
    SinkFiles,
    base_settings,
    hard_settings,
    options_with_test_addresses,
    settings_known_to,
    sink_entry,
    soft_settings,
    with_test_addresses,
)
from harness.adaptation.replacement import Replacement
from harness.adaptation.sasl_bridge import bridge_entries
from harness.adaptation.stand_ins import (
    Adapted,
    StandInContext,
    adapt_configuration,
)
from harness.catalog.versions import Version
from harness.config_input.forms import stands_alone
from harness.postfix_config.key_files import (
    FileKind,
    key_files,
    map_key_files,
)
from harness.postfix_config.listeners import (
    Listener,
    find_listeners,
)
from harness.postfix_config.logical_lines import end_line
from harness.postfix_config.lookup_tables import (
    TYPES,
    GivenTable,
    TableUse,
    expand_references,
)
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    MasterCf,
    parse_master_cf,
)
from harness.postfix_config.master_cf_overlay import (
    Overlay,
    append_entry,
    overlay_entries,
)
from harness.postfix_config.ports import (
    interfaces_of,
    number_ports,
    rewrite_ports,
    unregistered_places,
)
from harness.postfix_config.stock_master_cf import (
    enable_services,
    mua_names,
)
from harness.scenarios.scenario import (
    CONFIG_DIRECTORY,
    Scenario,
)
from harness.tls import INBOUND

__all__ = [
    "FileKind",
    "InstanceConfig",
    "InstanceContext",
    "assemble_instance",
    "candidate_files",
    "has_whole_master",
    "key_paths",
    "places_of",
]


@dataclass(frozen=True, slots=True)
class InstanceContext:
    """The environment of an instance in its container.

    ``name`` is the scenario's id; ``mail_version`` Postfix's release; ``directory`` the instance's
    folder, which has etc/ (the configuration), queue/, data/ and mail/; ``ports`` the TCP port of
    each listening place (:func:`places_of`); ``sasl`` Dovecot's address in the form of
    smtpd_sasl_path ("inet:172.18.0.2:12345"); ``stock_master`` the text of the image's master.cf;
    ``table_types`` those of the build (postconf -m). ``resolves``: a name server answers for the
    test's names.
    """

    name: str
    mail_version: str
    directory: str
    ports: Mapping[str, int]
    sasl: str
    stock_master: str
    table_types: Collection[str] = TYPES
    resolves: bool = False


@dataclass(frozen=True, slots=True)
class InstanceConfig:
    """The files to write below ``directory``, and what was done to the candidate.

    ``base`` has the base settings before a candidate of single lines; ``added`` every line that the
    harness added after it, and every change of a port; ``replaced`` the candidate's settings that
    are not applied as written. ``listeners`` are the services. ``files`` maps each path that
    the effective configuration names for keys, certificates and DH parameters to the kind of file;
    ``texts`` has the further files of candidate and harness by path; ``tables`` are those to
    compile. ``notes`` state how the candidate's text was read; ``digest`` is that of the candidate.
    """

    main_cf: str
    master_cf: str
    base: tuple[str, ...]
    added: tuple[str, ...]
    files: Mapping[str, FileKind]
    digest: str
    texts: Mapping[str, str]
    replaced: tuple[Replacement, ...] = ()
    listeners: tuple[Listener, ...] = ()
    tables: tuple[GivenTable, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _LaidOver:
    """A candidate's master.cf laid over the build's, and what was added for that."""

    master: MasterCf
    candidate: MasterCf
    undefined: tuple[str, ...] = ()
    enabled: tuple[str, ...] = field(default=())


def assemble_instance(scenario: Scenario, context: InstanceContext) -> InstanceConfig:
    """Combine the parts of one instance's configuration.

    Raises:
        FileError: the candidate, or the image's master.cf, cannot be read as logical lines.
        UsageError: ``mail_version`` is not a version.
    """
    laid = _lay_over(scenario, context)
    adapted = _adapt_candidate(scenario, context, laid)
    base, added, main_cf = _build_main_cf(scenario, context, adapted, laid)
    values = parse_main_cf(main_cf).values
    interfaces = interfaces_of(scenario.main_cf)
    services = find_listeners(values, adapted.master, interfaces)
    master, rewrites = rewrite_ports(
        adapted.master, context.ports, interfaces=interfaces, keep_hosts=scenario.as_is
    )
    main_cf, disabled = follow_disabled(main_cf, rewrites)
    main_cf, followed = follow_ports(main_cf, rewrites)
    master_text, followed_in_master = follow_ports(master.text, rewrites)
    master = parse_master_cf(master_text)
    for entry in (
        sink_entry(context.directory),
        *bridge_entries(context.sasl, context.mail_version),
    ):
        master = append_entry(master, entry)
    texts = {_target_path(path, context): text for path, text in scenario.files.items()}
    texts |= _library_settings(values, texts, context)
    files = key_files(values, master.entries, context.directory)
    for table in adapted.tables.given.values():
        if table.is_of_files:
            files |= map_key_files(texts.get(table.path, ""))
    files |= {_target_path(path, context): kind for path, kind in scenario.kinds.items()}
    return InstanceConfig(
        main_cf=main_cf,
        master_cf=master.text,
        base=base,
        added=(
            *added,
            *laid.enabled,
            *(f"master.cf: {r.before} inet → {r.after} inet" for r in rewrites),
            *(f"main.cf: {change}" for change in (*disabled, *followed)),
            *(f"master.cf: {change}" for change in followed_in_master),
        ),
        files=MappingProxyType({path: kind for path, kind in files.items() if path not in texts}),
        digest=scenario.digest,
        texts=MappingProxyType({**SinkFiles(context.directory).texts(), **texts}),
        replaced=tuple(c for c in adapted.replaced if not _is_in_effect(c, values)),
        listeners=services,
        tables=tuple(adapted.tables.given.values()),
        notes=scenario.reading,
    )


def places_of(scenario: Scenario, stock_master: str, mail_version: str) -> tuple[str, ...]:
    """The listening places other than the registered services, by name (``postfix_config.ports``).

    Raises:
        FileError: one of the two master.cf files cannot be read.
    """
    context = InstanceContext(scenario.id, mail_version, "/", {}, "", stock_master)
    master = _lay_over(scenario, context).master
    return unregistered_places(master, interfaces_of(scenario.main_cf))


def candidate_files(scenario: Scenario) -> Mapping[str, FileKind]:
    """The files that a candidate names for keys, without a build to apply it to.

    They are those of :func:`assemble_instance`, without the ones that an image's master.cf may
    name. Paths below the instance's folder differ between scenarios here, too.
    """
    registered = {str(service): service.port for service in INBOUND}
    ports = number_ports(registered, places_of(scenario, "", "3.10"))
    nowhere = InstanceContext(scenario.id, "3.10", f"/{scenario.id}", ports, "inet:sasl:1", "")
    return assemble_instance(scenario, nowhere).files


def _is_in_effect(change: Replacement, in_effect: Mapping[str, str]) -> bool:
    """Whether the value in effect is the candidate's, so that nothing was replaced."""
    own_line = change.where == "main.cf" and not change.instead
    return own_line and in_effect.get(change.setting) == change.value


def _library_settings(
    values: Mapping[str, str], given: Collection[str], context: InstanceContext
) -> dict[str, str]:
    """An empty file where tls_config_file names one that was not given (Postfix 3.9)."""
    known = {CONFIG_DIRECTORY: f"{context.directory}/etc", **values}
    path = expand_references(values.get("tls_config_file", ""), known)
    return {path: ""} if path.startswith("/") and "$" not in path and path not in given else {}


def has_whole_master(scenario: Scenario) -> bool:
    """Whether a candidate's master.cf is complete, so that no entry of the build is added."""
    return scenario.whole and stands_alone(scenario.master_cf)


def key_paths(scenario: Scenario) -> frozenset[str]:
    """The paths that a candidate names for keys and certificates, in the form of Scenario.files."""
    folder = f"/{scenario.id}/etc/"
    return frozenset(
        f"{CONFIG_DIRECTORY}/{path.removeprefix(folder)}" if path.startswith(folder) else path
        for path, kind in candidate_files(scenario).items()
        if not kind.value.startswith("DH parameters")
    )


def _target_path(path: str, context: InstanceContext) -> str:
    beside_main = path.removeprefix(f"{CONFIG_DIRECTORY}/")
    return path if beside_main == path else f"{context.directory}/etc/{beside_main}"


def _adapt_candidate(scenario: Scenario, context: InstanceContext, laid: _LaidOver) -> Adapted:
    """The candidate with stand-ins, or unchanged if it is applied as it is."""
    if scenario.as_is:
        return Adapted(scenario.main_cf, laid.master, (), TableUse())
    stand_in_context = StandInContext(
        mail_version=context.mail_version,
        directory=context.directory,
        types=context.table_types,
        files=scenario.files,
        whole=has_whole_master(scenario),
    )
    adapted = adapt_configuration(scenario.main_cf, laid.master, laid.candidate, stand_in_context)
    main_cf, more = with_test_addresses(adapted.main_cf, adapted.master, context.directory)
    master, options = options_with_test_addresses(adapted.master, context.directory)
    replaced = (*adapted.replaced, *more, *options)
    return replace(adapted, main_cf=main_cf, master=master, replaced=replaced)


def _build_main_cf(
    scenario: Scenario, context: InstanceContext, adapted: Adapted, laid: _LaidOver
) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """The base settings, the lines after the candidate, and the whole file."""
    candidate_values = parse_main_cf(adapted.main_cf).values
    version = Version.parse(context.mail_version)
    base = (
        []
        if scenario.whole
        else [str(setting) for setting in base_settings(candidate_values, version)]
    )
    settings = soft_settings(context, laid.undefined)
    settings += (UPGRADED,) if scenario.whole and not scenario.as_is else ()
    soft = [setting for setting in settings if setting.name not in candidate_values]
    # If a candidate with stand-ins still sets one of these, Postfix cannot read its value.
    hard = [s for s in hard_settings(context) if scenario.as_is or s.name not in candidate_values]
    known = settings_known_to((*soft, *hard), version)
    added = [str(setting) for setting in known]
    sections = [
        "# base: a server before it follows advice (certificate, key, opportunistic TLS), as\n"
        "# Debian's packages configure it; upstream's default for smtpd is no TLS at all\n",
        _format_lines(base),
    ]
    sections = sections if base else []
    sections += [
        f"\n# candidate: {scenario.id}\n",
        end_line(adapted.main_cf),
        "\n# added by postfix-matrix, for a container\n",
        _format_lines(added),
    ]
    return tuple(base), tuple(added), "".join(sections)


def _format_lines(lines: Collection[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _lay_over(scenario: Scenario, context: InstanceContext) -> _LaidOver:
    """Lay the candidate's entries over the build's, unless its master.cf is complete.

    A candidate that replaces a service on one address only (``127.0.0.1:submission``) gets no
    further entry of that service: the two could not bind the same port. If a whole configuration
    has entries, no further services are enabled.
    """
    candidate = parse_master_cf(scenario.master_cf)
    if has_whole_master(scenario):
        return _LaidOver(candidate, candidate)
    stock = parse_master_cf(context.stock_master)
    if scenario.whole and candidate.entries:
        return _LaidOver(overlay_entries(stock, candidate, scenario.overlay), candidate)
    present = {entry.service for entry in stock.entries if entry.service}
    if scenario.overlay is Overlay.REPLACE:
        present |= {entry.service for entry in candidate.entries if entry.service}
    base, enabled = enable_services(stock, present, Version.parse(context.mail_version))
    laid = overlay_entries(base, candidate, scenario.overlay)
    # Undefined names are empty too, but postconf(1) warns of them. Names to which the candidate
    # itself refers are left to it.
    undefined = (mua_names(base) & mua_names(laid)) - mua_names(candidate)
    return _LaidOver(laid, candidate, tuple(sorted(undefined)), tuple(map(str, enabled)))
