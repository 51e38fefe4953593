"""What goes with the suites: groups of key exchange, sizes of DHE's primes, certificates.

Asked for once it is known which suites a server accepts, of the newest version that has suites of a
kind. Groups are found by elimination as well: up to TLSv1.2 by the curve of the server's key
exchange, in TLSv1.3 by the group that a HelloRetryRequest names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.catalog.ciphers import Cipher
from harness.scan.choice import Choice
from harness.scan.client_hello import (
    GROUPS,
    SCHEMES,
    ClientHello,
)
from harness.scan.coroutines import (
    NotMeasuredError,
    Part,
    ask,
)
from harness.scan.elimination import VersionSuites
from harness.scan.suites import (
    ANONYMOUS,
    Suite,
    suite,
)
from harness.scan.tls13 import (
    GROUPS_OF_KEYS,
    Reading,
)
from harness.tls import Protocol

EDWARDS = (0x0807, 0x0808)
#: By kind of key, the signature schemes that TLSv1.3 takes it for (RFC 8446 4.2.3).
SCHEMES_OF_KEYS = {
    "RSA": (0x0804, 0x0805, 0x0806),
    "RSA-PSS": (0x0809, 0x080A, 0x080B),
    "ECDSA": (0x0403, 0x0503, 0x0603),
    "Ed25519": EDWARDS[:1],
    "Ed448": EDWARDS[1:],
}


@dataclass(slots=True)
class Details:
    """What was found so far. ``certificates``: DER of the server's own, and in which versions."""

    groups: dict[Protocol, list[str]] = field(default_factory=dict)
    dh_bits: dict[str, set[int]] = field(default_factory=dict)
    certificates: dict[bytes, list[Protocol]] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)


def groups(details: Details, versions: Sequence[VersionSuites]) -> Iterator[Part]:
    """The groups of TLSv1.3, and those of ECDHE in the newest older version that has it."""
    for version in versions:
        if version.protocol is Protocol.TLSv1_3 and version.suites:
            yield _groups(details, version.protocol, version.suites, whole=False)
    if found := _newest(versions, lambda parts: parts.key_exchange == "ECDHE"):
        yield _groups(details, *found, whole=True)


def _groups(details: Details, protocol: Protocol, suites: Sequence[Cipher], *, whole: bool) -> Part:
    left, codes = list(GROUPS), tuple(one.code for one in suites)
    found = details.groups.setdefault(protocol, [])
    try:
        while left:
            got = yield from ask(ClientHello(protocol, codes, tuple(left), whole=whole))
            if not isinstance(got, Choice) or got.group not in left:
                return
            left.remove(got.group)
            found.append(GROUPS[got.group])
    except NotMeasuredError as error:
        details.not_measured[f"{protocol} groups"] = str(error)


def primes(details: Details, versions: Sequence[VersionSuites]) -> Iterator[Part]:
    """The sizes of DHE's primes, by kind of suite: libraries choose them by the cipher's bits."""
    for kind, is_kind in _KINDS.items():
        for strong in (True, False):

            def fits(parts: Suite, strong: bool = strong, is_kind: _Is = is_kind) -> bool:
                return is_kind(parts) and ((parts.bits or 0) >= 256) is strong

            if found := _newest(versions, fits):
                yield _prime(details, kind, *found)


def _prime(details: Details, kind: str, protocol: Protocol, suites: Sequence[Cipher]) -> Part:
    codes = tuple(one.code for one in suites)
    try:
        got = yield from ask(ClientHello(protocol, codes, whole=True))
    except NotMeasuredError as error:
        details.not_measured[f"size of DH of {kind} suites"] = str(error)
        return
    if isinstance(got, Choice) and got.dh_bits is not None:
        details.dh_bits.setdefault(kind, set()).add(got.dh_bits)


def certificates(details: Details, versions: Sequence[VersionSuites]) -> Iterator[Part]:
    """The server's own certificate for each kind of key, of the older versions and of TLSv1.3."""
    for kind in ("RSA", "ECDSA", "DSS"):
        if found := _newest(versions, _signed_by(kind)):
            schemes = tuple(one for one in SCHEMES if one not in EDWARDS)
            yield _certificate(
                details, kind, ClientHello(*_codes(*found), schemes=schemes, whole=True)
            )
            if kind == "ECDSA" and found[0] is Protocol.TLSv1_2:
                # RFC 8422 5.3: EdDSA's keys go by ECDSA's suites.
                question = ClientHello(*_codes(*found), schemes=EDWARDS, whole=True)
                yield _certificate(details, "EdDSA", question)
    for version in versions:
        if version.protocol is Protocol.TLSv1_3 and version.suites:
            yield from _newest_certificates(details, version)


def _newest_certificates(details: Details, version: VersionSuites) -> Iterator[Part]:
    """Of TLSv1.3 they are encrypted, so that a key has to be agreed on."""
    known = details.groups.get(version.protocol, [])
    group = next((one for one in GROUPS_OF_KEYS if GROUPS[one] in known), None)
    if group is None:
        details.not_measured["TLSv1.3 certificates"] = "the server has no group that we compute"
        return
    codes = tuple(one.code for one in version.suites)
    for kind, schemes in SCHEMES_OF_KEYS.items():
        reading = Reading(group)
        # No other group: a server that likes one better would ask for it first.
        question = ClientHello(
            version.protocol,
            codes,
            groups=(group,),
            schemes=schemes,
            whole=True,
            share=reading.share,
            read=reading,
        )
        yield _certificate(details, kind, question)


def _certificate(details: Details, kind: str, question: ClientHello) -> Part:
    try:
        got = yield from ask(question)
    except NotMeasuredError as error:
        details.not_measured[f"{question.protocol} {kind} certificate"] = str(error)
        return
    if isinstance(got, Choice) and got.certificates:
        seen = details.certificates.setdefault(got.certificates[0], [])
        if question.protocol not in seen:
            seen.append(question.protocol)


def _codes(protocol: Protocol, suites: Sequence[Cipher]) -> tuple[Protocol, tuple[int, ...]]:
    return protocol, tuple(one.code for one in suites)


_Is = Callable[[Suite], bool]
_KINDS: dict[str, _Is] = {
    "export": lambda parts: _has_prime(parts) and parts.export,
    "anonymous": lambda parts: (
        _has_prime(parts) and not parts.export and parts.authentication == ANONYMOUS
    ),
    "DHE": lambda parts: (
        _has_prime(parts) and not parts.export and parts.authentication in ("RSA", "DSS")
    ),
}


def _signed_by(kind: str) -> _Is:
    return lambda parts: parts.authentication == kind


def _has_prime(parts: Suite) -> bool:
    return parts.key_exchange == "DHE"


def _newest(versions: Sequence[VersionSuites], fits: _Is) -> tuple[Protocol, list[Cipher]] | None:
    """The newest version up to TLSv1.2 that has suites of a kind, and these."""
    for version in sorted(versions, key=lambda one: -one.protocol.rank):
        suites = [one for one in version.suites if fits(suite(one))]
        if suites and version.protocol not in (Protocol.SSLv2, Protocol.TLSv1_3):
            return version.protocol, suites
    return None
