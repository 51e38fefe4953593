"""The lookup tables that a setting names, and the stand-ins for those that are unavailable.

DATABASE_README lists the types. A table is named ``type:name``; lists of restrictions, tables and
domains separate their elements by whitespace and commas, and braces enclose one element
(postconf(5), SMTPD_ACCESS_README).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: Types whose content is in the configuration itself or is present on every machine.
_SELF_CONTAINED = frozenset(
    {"environ", "fail", "inline", "internal", "randmap", "static", "unix", "debug"}
)
#: Types that postmap(1) makes from a text file, in the order in which one replaces another.
_INDEXED = ("hash", "btree", "lmdb", "cdb", "dbm", "sdbm")
#: Types that Postfix reads as text.
_TEXT = ("texthash", "regexp", "pcre", "cidr")
_COMBINED = ("pipemap", "unionmap")
_NEEDING_A_SERVER = (
    *("ldap", "memcache", "mongodb", "mysql", "netinfo", "nis", "nisplus", "pgsql"),
    *("redis", "socketmap", "sqlite", "tcp"),
)
TYPES = frozenset({*_SELF_CONTAINED, *_INDEXED, *_TEXT, *_COMBINED, *_NEEDING_A_SERVER, "proxy"})
#: Types of the databases that Postfix writes, the preferred first.
_WRITABLE = ("btree", "lmdb", "hash", "sdbm", "dbm")
#: Parameters in which "/path" names a file of elements (postconf(5): "/file/name" patterns).
_LISTS_OF_FILES = frozenset(
    {
        *("authorized_flush_users", "authorized_mailq_users", "authorized_submit_users"),
        *("debug_peer_list", "fast_flush_domains", "local_header_rewrite_clients"),
        *("masquerade_domains", "mydestination", "mynetworks", "myorigin"),
        *("permit_mx_backup_networks", "postscreen_access_list", "proxy_interfaces"),
        *("qmqpd_authorized_clients", "relay_domains", "smtpd_authorized_verp_clients"),
        *("smtpd_authorized_xclient_hosts", "smtpd_authorized_xforward_hosts"),
        *("smtpd_client_event_limit_exceptions", "smtpd_sasl_exceptions_networks"),
        *("smtpd_sasl_mechanism_filter", "smtp_sasl_mechanism_filter"),
        *("virtual_alias_domains", "virtual_mailbox_domains"),
    }
)
#: Restrictions that query another system: the next element names it, or there is no such element.
_POLICY_SERVICE = "check_policy_service"
_VERIFICATION = frozenset({"reject_unverified_recipient", "reject_unverified_sender"})

_TABLE = re.compile(r"(?P<type>[a-z]+):(?P<name>.*)", re.DOTALL)
_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))", re.ASCII)
_WHOLE_REFERENCE = re.compile(r"\$(?:\w+|\{\w+\}|\(\w+\))", re.ASCII)
#: What mac_parse(3) reports as an error: a ``$`` that no name follows.
_BROKEN_MACRO = re.compile(r"\$(?![\w{($])", re.ASCII)
_CONFIG_DIRECTORY = "config_directory"
_TABLE_OF_FILES = "tls_server_sni_maps"
_MOST_EXPANSIONS = 10
#: In characters: a value that refers to itself in others grows without end.
_MOST_EXPANDED_CHARACTERS = 1 << 16


class Compiler(StrEnum):
    """The command that makes an indexed table from a text; postmap -F for tables of files."""

    POSTMAP = "postmap"
    POSTMAP_FILES = "postmap -F"
    POSTALIAS = "postalias"


@dataclass(frozen=True, slots=True)
class GivenTable:
    """A table that came with the configuration: its type in the container, its path, its compiler.

    ``is_of_files``: its values are paths of certificates and keys.
    """

    type: str
    path: str
    compiler: Compiler | None
    is_of_files: bool = False

    @property
    def name(self) -> str:
        """As main.cf names it: ``hash:/etc/postfix/virtual``."""
        return f"{self.type}:{self.path}"


@dataclass(frozen=True, slots=True)
class TableContext:
    """What the replacement of tables depends on.

    ``types`` are those that the build has (postconf -m); ``files`` the paths that came with the
    configuration, ``config_directory/NAME`` for those in its folder; ``main`` main.cf's settings,
    for ``$name``; ``directory`` the instance's folder of main.cf.
    """

    types: Collection[str]
    files: Collection[str]
    main: Mapping[str, str]
    directory: str

    @property
    def empty_table(self) -> str:
        """A table that every release can read, and that has no entries."""
        return f"regexp:{self.directory}/empty"

    @property
    def undecided_restriction(self) -> str:
        """A restriction that decides nothing, like a policy service that answers "dunno"."""
        return f"check_client_access,{self.empty_table}"


@dataclass(slots=True)
class TableUse:
    """The given tables that an instance's settings name, by path; filled as they are read."""

    given: dict[str, GivenTable] = field(default_factory=dict)


def replace_tables(name: str, value: str, context: TableContext, use: TableUse) -> str:
    """A setting's value with stand-ins for the tables, files and services that were not given.

    Everything else stays as written. A value that Postfix's macro parser refuses is not changed at
    all, since Postfix's error is the result.
    """
    if _BROKEN_MACRO.search(value) or not _has_balanced_braces(value):
        return value
    edits: list[tuple[int, int, str]] = []
    elements = list(scan_elements(value))
    position = 0
    while position < len(elements):
        start, end = elements[position]
        text = value[start:end]
        if text == _POLICY_SERVICE and position + 1 < len(elements):
            position += 1
            edits.append((start, elements[position][1], context.undecided_restriction))
        elif text in _VERIFICATION:
            edits.append((start, end, context.undecided_restriction))
        else:
            replaced = _replace_element(name, text, context, use)
            if replaced != text:
                edits.append((start, end, replaced))
        position += 1
    for start, end, text in reversed(edits):
        value = value[:start] + text + value[end:]
    return value


def replace_database(value: str, types: Collection[str]) -> str:
    """A database that Postfix writes, of a type that the build has, in the data directory.

    A ``proxy:`` prefix stays: several postscreen(8) can share a cache only through proxymap(8).
    """
    table = value.removeprefix("proxy:")
    proxy = value[: len(value) - len(table)]
    type_, _, path = table.partition(":")
    if not path or type_ not in TYPES:
        return value
    if type_ not in types or type_ not in _WRITABLE:
        type_ = next((known for known in _WRITABLE if known in types), "")
    if not type_:
        return ""
    if re.match(r"\$(?:data_directory|\{data_directory\}|\(data_directory\))/", path):
        return f"{proxy}{type_}:{path}"
    return f"{proxy}{type_}:${{data_directory}}/{path.rpartition('/')[2]}"


def scan_elements(value: str) -> Iterator[tuple[int, int]]:
    """The start and end of each element of a list; braces enclose one element (mystrtokq(3))."""
    position = 0
    while position < len(value):
        if value[position] in " \t\r\n,":
            position += 1
            continue
        start, depth = position, 0
        while position < len(value) and (depth or value[position] not in " \t\r\n,"):
            depth += {"{": 1, "}": -1}.get(value[position], 0)
            position += 1
        yield start, position


def expand_references(value: str, settings: Mapping[str, str]) -> str:
    """A value with ``$name``, ``${name}`` and ``$(name)`` expanded; unknown names stay.

    References whose expansion would exceed a sensible size stay as well.
    """
    for _ in range(_MOST_EXPANSIONS):
        names = (match[1] or match[2] or match[3] for match in _REFERENCE.finditer(value))
        if (
            len(value) + sum(len(settings.get(name, "")) for name in names)
            > _MOST_EXPANDED_CHARACTERS
        ):
            break
        expanded = _REFERENCE.sub(lambda m: settings.get(m[1] or m[2] or m[3], m[0]), value)
        if expanded == value:
            break
        value = expanded
    return value


def _has_balanced_braces(value: str) -> bool:
    return value.count("{") == value.count("}") and value.count("(") == value.count(")")


def _replace_element(name: str, text: str, context: TableContext, use: TableUse) -> str:
    if _WHOLE_REFERENCE.fullmatch(text):
        # The setting that it refers to is replaced by itself.
        return text
    macros = {key: value for key, value in context.main.items() if key != _CONFIG_DIRECTORY}
    expanded = expand_references(text, macros) if "$" in text else text
    match = _TABLE.fullmatch(expanded)
    if match is not None and match["type"] in TYPES:
        return _replace_table(name, text, expanded, context, use)
    bare = expanded.lstrip("!")
    if name in _LISTS_OF_FILES and bare.startswith(("/", "$config_", "${config_", "$(config_")):
        return text if find_given(bare, context) else ""
    return text


def _replace_table(
    name: str, text: str, expanded: str, context: TableContext, use: TableUse
) -> str:
    """The table to use in the container: as written, the given file, or an empty table."""
    type_, _, path = expanded.partition(":")
    if type_ == "proxy":
        inner = _replace_table(name, path, path, context, use)
        return text if inner == path and _needs_nothing(path) else inner
    if _needs_nothing(expanded) or (path.startswith("{") and type_ in context.types):
        # The setting itself has the content: cidr:{{192.0.2.0/24 permit}} (since Postfix 3.7).
        return text
    if type_ in _COMBINED:
        return context.empty_table
    given = find_given(path, context)
    if given is None or type_ in _NEEDING_A_SERVER:
        return context.empty_table
    usable = _usable_type(type_, context.types)
    if usable is None:
        return context.empty_table
    use.given[given] = GivenTable(
        usable, given, _choose_compiler(name, usable), name == _TABLE_OF_FILES
    )
    here = expand_references(path, {_CONFIG_DIRECTORY: context.directory})
    return text if (usable, given) == (type_, here) else f"{usable}:{given}"


def _needs_nothing(table: str) -> bool:
    return table.partition(":")[0] in _SELF_CONTAINED


def find_given(path: str, context: TableContext) -> str | None:
    """The path, in the container, of a file that came with the configuration; None: it did not.

    Files in the folder of the user's main.cf are in the folder of the instance's main.cf.
    """
    inside = None
    for start in ("$config_directory/", "${config_directory}/", "$(config_directory)/"):
        if path.startswith(start):
            inside = path.removeprefix(start)
    config_directory = context.main.get(_CONFIG_DIRECTORY) or "/etc/postfix"
    if inside is None and path.startswith(f"{config_directory}/"):
        inside = path.removeprefix(f"{config_directory}/")
    if inside is not None and f"{_CONFIG_DIRECTORY}/{inside}" in context.files:
        return f"{context.directory}/{inside}"
    absolute = f"{config_directory}/{inside}" if inside is not None else path
    return absolute if absolute in context.files else None


def _usable_type(type_: str, types: Collection[str]) -> str | None:
    """The type as which the build reads a text file of that type; None: it has no such type.

    An indexed type that the build does not have is read as text, which has the same form; Perl
    expressions have no alternative type.
    """
    if type_ in types:
        return type_
    if type_ in _INDEXED:
        return next((known for known in ("texthash", *_INDEXED) if known in types), None)
    return None


def _choose_compiler(name: str, type_: str) -> Compiler | None:
    if type_ not in _INDEXED:
        return None
    if name == _TABLE_OF_FILES:
        return Compiler.POSTMAP_FILES
    return Compiler.POSTALIAS if name.startswith("alias_") else Compiler.POSTMAP
