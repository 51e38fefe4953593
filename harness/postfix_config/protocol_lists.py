"""Which protocols Postfix's protocol lists exclude: smtpd_tls_protocols and its counterparts.

The rules are postconf(5)'s: a name is included, a name after "!" is excluded, and a list that
includes any excludes all others; from Postfix 3.6 on ``>=TLSv1.2`` and ``<=TLSv1.3`` set bounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.catalog.versions import Constraint, Version
from harness.postfix_config.tls_levels import service_level
from harness.tls import Protocol

OPPORTUNISTIC, MANDATORY = "smtpd_tls_protocols", "smtpd_tls_mandatory_protocols"
#: The release whose lists have bounds (RELEASE_NOTES of 3.6).
_BOUNDS_SINCE = Version.parse("3.6")
#: Older releases do not know TLSv1.3. Ubuntu 18.04's 3.3.0 on OpenSSL 1.1.1 negotiates it
#: whatever the list says (measured: deb-sury-985, bokysan-mail-station).
_TLS13_SINCE = Version.parse("3.3.2")
#: The releases whose lists know TLSv1.1 and TLSv1.2, by branch (src/tls/tls.h of each tag).
_TLS12_IN = tuple(
    map(Constraint.parse, (">=2.6.15,<2.7", ">=2.7.9,<2.8", ">=2.8.10,<2.9", ">=2.9.2"))
)
#: The release whose lists can exclude. An older one takes a list with a name that it does not know,
#: such as ``!SSLv2``, for no list at all (name_mask(3); measured with 2.3.19).
_EXCLUDES_SINCE = Version.parse("2.5")
_NAMES = {protocol.value.lower(): protocol for protocol in Protocol}
#: SSLv3 is 0x0300, TLSv1 0x0301 (RFC 8446 4.1.2, D).
_NUMBERS = {0x0300 + number: protocol for number, protocol in enumerate(list(Protocol)[1:])}


@dataclass(frozen=True, slots=True)
class ProtocolList:
    """The protocol list of a service: its parameter, and the value in effect."""

    parameter: str
    value: str

    def __str__(self) -> str:
        return f"{self.parameter} = {self.value}".rstrip()


def excluded_protocols(text: str, mail_version: str, *, ssl2: bool) -> frozenset[Protocol] | None:
    """The protocols that a list excludes; None if this release of Postfix cannot read the list.

    An empty list excludes nothing, and no list excludes what is newer than the release. A
    ``$name`` that was not expanded cannot be read either.

    Args:
        text: the list.
        mail_version: Postfix's release.
        ssl2: its OpenSSL is older than 1.1.0. In later ones the name SSLv2 has no effect, so a
            list that includes it excludes nothing else (measured: oefenweb-pr116-missing-bang).
    """
    bounds = Version.parse(mail_version) >= _BOUNDS_SINCE
    newer = _newer_protocols(mail_version)
    unreadable = None if Version.parse(mail_version) >= _EXCLUDES_SINCE else frozenset[Protocol]()
    allowed: set[Protocol] = set()
    out: set[Protocol] = set()
    for word in re.split(r"[\s,:]+", text.strip()):
        if not word:
            continue
        sign, name = _split_sign(word, bounds=bounds)
        protocol = _find_protocol(name, bounds=bounds)
        if protocol in newer - {Protocol.TLSv1_3} or (sign == "!" and unreadable is not None):
            return unreadable
        if protocol is None and not (sign in (">=", "<=") and not name):
            return unreadable
        if protocol is None:
            # A bound without a name, as in ">= TLSv1.2", has no effect (observed in 3.6 to 3.11).
            continue
        match sign:
            case "!":
                out.add(protocol)
            case ">=":
                out |= {other for other in Protocol if other.rank < protocol.rank}
            case "<=":
                out |= {other for other in Protocol if other.rank > protocol.rank}
            case _ if ssl2 or protocol is not Protocol.SSLv2:
                allowed.add(protocol)
    if allowed:
        out |= set(Protocol) - allowed
    return frozenset(out - newer)


def _newer_protocols(mail_version: str) -> frozenset[Protocol]:
    """The protocols that the lists of a release do not know, and so never exclude."""
    newer: set[Protocol] = set()
    if Version.parse(mail_version) < _TLS13_SINCE:
        newer.add(Protocol.TLSv1_3)
    if not any(releases.allows(mail_version) for releases in _TLS12_IN):
        newer |= {Protocol.TLSv1_1, Protocol.TLSv1_2}
    return frozenset(newer)


def _find_protocol(name: str, *, bounds: bool) -> Protocol | None:
    """A protocol by its name or, where there are bounds, by its number on the wire: 0x0303."""
    if bounds and re.fullmatch(r"0x[0-9a-fA-F]+", name):
        return _NUMBERS.get(int(name, 16))
    return _NAMES.get(name.lower())


def find_protocol_list(settings: Mapping[str, str]) -> ProtocolList | None:
    """The protocol list in effect for a service, given all its settings; None: it does no TLS.

    At level may it is smtpd_tls_protocols, at any other and with implicit TLS
    smtpd_tls_mandatory_protocols (postconf(5)); a release that has no such parameter has no list.
    """
    level = service_level(settings)
    parameter = OPPORTUNISTIC if level == "may" else MANDATORY
    if level == "none" or parameter not in settings:
        return None
    return ProtocolList(parameter, _follow_references(settings[parameter], settings))


def _split_sign(word: str, *, bounds: bool) -> tuple[str, str]:
    for sign in (">=", "<=", "!") if bounds else ("!",):
        if word.startswith(sign):
            return sign, word.removeprefix(sign)
    return "", word


def _follow_references(value: str, settings: Mapping[str, str]) -> str:
    """A value with ``$name`` and ``${name}`` expanded once; nested references stay."""
    return re.sub(
        r"\$(?:(\w+)|\{(\w+)\})", lambda match: settings.get(match[1] or match[2], match[0]), value
    )
