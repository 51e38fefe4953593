"""Replace the host names, domain names and IP addresses of a configuration by reserved ones.

Each name always gets the same substitute, so that references remain valid. Localhost and loopback
addresses, names that RFC 2606 reserves, and everything that decides TLS are kept. A name in a
file's path (``/etc/letsencrypt/live/mail.example.net/``) is replaced, too.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.postfix_config.logical_lines import split_chunks
from harness.postfix_config.master_cf import (
    MasterEntry,
    parse_master_cf,
)
from harness.scenarios.scenario import Scenario

_NAME = re.compile(r"(?<![\w$-])(?<!\$\{)(?<!\$\()[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
_IPV4 = re.compile(r"(?<![\w.-])((?:\d{1,3}\.){3}\d{1,3})(?![\w-])(?!\.\d)(?:/(\d{1,2}))?")
_IPV6 = re.compile(
    r"(?<![\w:.])((?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,39})(?![\w:])(?:(\]?)/(\d{1,3}))?"
)
_LABEL = re.compile(r"(?<![\w.$\[{}():/@-])\.?([A-Za-z0-9][A-Za-z0-9-]*)(?![\w.:/@-])")
_BRACKETED = re.compile(r"(?<=\[)([A-Za-z][A-Za-z0-9-]*)(?=\])|(?<=\binet:)([A-Za-z][\w-]*)(?=:)")
_STATIC = re.compile(r"\bstatic:(?:\{[^}]*\}|[^\s,]+)")

#: Settings that decide TLS or AUTH and only contain keywords of Postfix, no host name.
_UNTOUCHED = re.compile(
    r".*_(?:protocols|ciphers|exclude_ciphers|cipherlist|level|grade|curves?|groups|options|digest|"
    r"loglevel|mechanism_filter|security_options)"
)
#: Settings that contain host or domain names, including names of a single label.
_OF_HOSTS = frozenset(
    {
        *("myhostname", "mydomain", "myorigin", "mydestination", "relay_domains", "relayhost"),
        *("virtual_alias_domains", "virtual_mailbox_domains", "masquerade_domains"),
        *("smtp_helo_name", "lmtp_lhlo_name", "fallback_relay", "smtp_fallback_relay"),
        *("inet_interfaces", "proxy_interfaces"),
    }
)
_KEPT_LABELS = frozenset(
    {
        *("all", "loopback-only", "localhost", "localdomain", "mail", "smtp", "mx", "imap", "pop"),
        *("www", "relay", "submission", "no", "yes", "hash", "static", "inet", "unix", "smtps"),
    }
)
_KEPT_NAMES = frozenset(
    {"localhost.localdomain", "passwd.byname", "aliases.byname", "main.cf", "master.cf"}
)
_RESERVED = re.compile(r"(?:.*\.)?(?:example\.(?:com|net|org)|test|example|invalid|localhost)")
#: File name suffixes, including those that are also the top-level domain of a country.
_ENDINGS = frozenset(
    {
        *(
            "pem",
            "crt",
            "key",
            "cert",
            "cer",
            "ca",
            "csr",
            "pfx",
            "db",
            "lmdb",
            "cdb",
            "cf",
            "conf",
        ),
        *(
            "cnf",
            "pcre",
            "regexp",
            "re",
            "cidr",
            "map",
            "maps",
            "txt",
            "sock",
            "socket",
            "sh",
            "pl",
        ),
        *("py", "so", "d", "bak", "dbm", "dir", "pag", "access", "lua", "md", "cgi", "gz", "log"),
        *("local", "byname", "sql", "list", "tab", "pid", "proto", "dist", "old", "orig", "new"),
    }
)
#: Top-level domains that mark a part of a path as a domain name, as does any of two letters.
_TOP_LEVEL = frozenset(
    {
        *("com", "net", "org", "edu", "gov", "mil", "info", "biz", "name", "arpa", "lan", "local"),
        *("internal", "intern", "home", "corp", "cloud", "online", "site", "dev", "app", "email"),
        *("host", "systems", "services", "network", "tech", "xyz", "club", "shop", "berlin"),
    }
)
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "gov", "edu", "ac", "or", "ne", "go"})
_NETWORKS_V4 = ("192.0.2.0", "198.51.100.0", "203.0.113.0")
#: RFC 2544 reserves 198.18.0.0/15 for measurements; it comes after RFC 5737's three of 254 each.
_MORE_V4 = int(ipaddress.IPv4Address("198.18.0.0"))
#: RFC 3849.
_FIRST_V6 = int(ipaddress.IPv6Address("2001:db8::"))
#: With more names than this, names inside other words are not searched for.
_MOST_NAMES = 500


def redact_scenario(scenario: Scenario) -> Scenario:
    """The scenario with main.cf, master.cf, further files and notes redacted."""
    redactor = Redactor()
    main_cf = redactor.redact_main_cf(scenario.main_cf)
    master_cf = redactor.redact_master_cf(scenario.master_cf)
    # A second pass: by now every name is known, so it is also found inside other words.
    main_cf, master_cf = (
        redactor.redact_known_names(main_cf),
        redactor.redact_known_names(master_cf),
    )
    files = {
        redactor.redact_known_names(redactor.redact_text(path)): redactor.redact_known_names(
            redactor.redact_text(text)
        )
        for path, text in scenario.files.items()
    }
    notes = tuple(
        redactor.redact_known_names(redactor.redact_text(note)) for note in scenario.reading
    )
    count = len(redactor.names) + len(redactor.addresses)
    count_note = f"{count} host names, domains and addresses were replaced (--redact)"
    return replace(
        scenario,
        source="a redacted configuration",
        main_cf=main_cf,
        master_cf=master_cf,
        files=files,
        reading=(*notes, count_note),
    )


@dataclass(slots=True)
class Redactor:
    """Replaces names and addresses, and remembers the substitute of each."""

    names: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    domains: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)

    def redact_main_cf(self, text: str) -> str:
        """Redact a main.cf."""
        done: list[str] = []
        for chunk in split_chunks(text, Path("main.cf")):
            name, equals, value = chunk.text.partition("=")
            if chunk.logical and equals and len(name.split()) == 1:
                done += [name, equals, self.redact_setting(name.strip(), value)]
            else:
                done.append(self.redact_text(chunk.text))
        return "".join(done)

    def redact_master_cf(self, text: str) -> str:
        """Redact a master.cf."""
        pieces = parse_master_cf(text).pieces
        return "".join(
            self._redact_entry(piece) if isinstance(piece, MasterEntry) else self.redact_text(piece)
            for piece in pieces
        )

    def _redact_entry(self, entry: MasterEntry) -> str:
        done: list[str] = []
        at = 0
        for argument in entry.arguments:
            done.append(self.redact_text(entry.text[at : argument.start]))
            text = entry.text[argument.start : argument.end]
            head, equals, value = text.partition("=")
            if argument.name and equals:
                done += [head, equals, self.redact_setting(argument.name, value)]
            else:
                done.append(self.redact_text(text))
            at = argument.end
        return "".join([*done, self.redact_text(entry.text[at:])])

    def redact_setting(self, name: str, value: str) -> str:
        """Redact the value of a parameter."""
        if _UNTOUCHED.fullmatch(name):
            return value
        if name.endswith("_password_maps"):
            value = _STATIC.sub("static:user:password", value)
        if name in _OF_HOSTS:
            value = _LABEL.sub(self._replace_single_label, value)
        return self.redact_text(value)

    def redact_text(self, text: str) -> str:
        """Redact any text: names of two labels and more, names in brackets, and addresses."""
        text = _BRACKETED.sub(self._replace_single_label, text)
        text = _NAME.sub(self._replace_name, text)
        text = _IPV4.sub(self._replace_ipv4, text)
        return _IPV6.sub(self._replace_ipv6, text)

    def redact_known_names(self, text: str) -> str:
        """Redact known names inside other words of a text that is already redacted."""
        if not self.names or len(self.names) > _MOST_NAMES:
            return text
        longest = sorted(self.names, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, longest)), re.IGNORECASE)
        return pattern.sub(lambda match: self.names[match[0].lower()], text)

    def _replace_single_label(self, match: re.Match[str]) -> str:
        """The substitute for a name of one label."""
        group = next(n for n in range(1, (match.lastindex or 1) + 1) if match[n] is not None)
        label = match[group]
        if label.lower() in _KEPT_LABELS or label.isdigit():
            return match[0]
        begin = match.start(group) - match.start()
        return match[0][:begin] + self._substitute_label(label)

    def _substitute_label(self, label: str) -> str:
        if label.lower() in _KEPT_LABELS or label in self.made:
            return label
        new = self.labels.setdefault(label.lower(), f"host{len(self.labels) + 1}")
        self.made.add(new)
        return new

    def _replace_name(self, match: re.Match[str]) -> str:
        text = match[0]
        start = match.start()
        in_path = _in_path(match.string, start)
        after_type = match.string[start - 1 : start] == ":" and not in_path
        labels = text.split(".")
        kept: list[str] = []
        if in_path or after_type or labels[-1].lower() in {"pem", "crt", "key", "cf", "db"}:
            while len(labels) > 1 and labels[-1].lower() in _ENDINGS:
                kept.insert(0, labels.pop())
        name = ".".join(labels)
        if not _is_name(labels, in_path=in_path):
            return text
        return ".".join([self._substitute_name(name), *kept])

    def _substitute_name(self, name: str) -> str:
        key = name.lower()
        if key not in self.names:
            labels = key.split(".")
            size = (
                3 if len(labels) > 2 and labels[-2] in _SECOND_LEVEL and len(labels[-1]) == 2 else 2
            )
            base = ".".join(labels[-size:])
            domain = self.domains.setdefault(base, f"example{len(self.domains) + 1}.test")
            self.names[key] = ".".join(
                [*(self._substitute_label(label) for label in labels[:-size]), domain]
            )
        return self.names[key]

    def _replace_ipv4(self, match: re.Match[str]) -> str:
        try:
            address = ipaddress.IPv4Address(match[1])
            width = int(match[2]) if match[2] else 32
            network = ipaddress.IPv4Network((int(address), width), strict=False)
        except ValueError:
            return match[0]
        if address.is_loopback or width == 0 or match[1] in ("0.0.0.0", "255.255.255.255"):
            return match[0]
        if str(address) not in self.addresses:
            count = len(self.addresses)
            place, last = divmod(count, 254)
            if place < len(_NETWORKS_V4):
                new = int(ipaddress.IPv4Address(_NETWORKS_V4[place])) + last + 1
            else:
                new = _MORE_V4 + count
            self.addresses[str(address)] = str(ipaddress.IPv4Address(new))
        taken = int(ipaddress.IPv4Address(self.addresses[str(address)]))
        if address == network.network_address:
            # Postfix refuses a network with host bits set ("non-null host address bits").
            taken &= int(network.netmask)
        return str(ipaddress.IPv4Address(taken)) + (f"/{match[2]}" if match[2] else "")

    def _replace_ipv6(self, match: re.Match[str]) -> str:
        try:
            address = ipaddress.IPv6Address(match[1])
            width = int(match[3]) if match[3] else 128
            network = ipaddress.IPv6Network((int(address), width), strict=False)
        except ValueError:
            return match[0]
        mapped = address.ipv4_mapped
        if address.is_loopback or address.is_unspecified or (mapped and mapped.is_loopback):
            return match[0]
        if str(address) not in self.addresses:
            new = _FIRST_V6 + ((len(self.addresses) + 1) << 80) + 1
            self.addresses[str(address)] = str(ipaddress.IPv6Address(new))
        taken = int(ipaddress.IPv6Address(self.addresses[str(address)]))
        if address == network.network_address:
            taken &= int(network.netmask)
        return str(ipaddress.IPv6Address(taken)) + (f"{match[2]}/{match[3]}" if match[3] else "")


def _in_path(text: str, start: int) -> bool:
    """Whether the text at ``start`` is part of a path: its word has a slash before it."""
    before = text[max(0, start - 200) : start]
    word = re.split(r"[\s,={}]", before)[-1]
    return "/" in word


def _is_name(labels: list[str], *, in_path: bool) -> bool:
    """Whether labels form a real host or domain name, which must be redacted."""
    top = labels[-1].lower()
    name = ".".join(labels).lower()
    if len(labels) < 2 or not ((top.isalpha() and len(top) > 1) or top.startswith("xn--")):
        return False
    if name in _KEPT_NAMES or _RESERVED.fullmatch(name):
        return False
    return not in_path or len(top) == 2 or top in _TOP_LEVEL
