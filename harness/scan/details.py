"""The details of a scan: groups of the key exchange, sizes of DHE's primes, certificates.

They are measured once the accepted suites are known, in the newest version that has suites of the
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
    ScanPart,
    send_hello,
)
from harness.scan.elimination import VersionSuites
from harness.scan.suites import (
    ANONYMOUS,
    Suite,
    suite_parts,
)
from harness.scan.tls13 import (
    GROUPS_OF_KEYS,
    CertificateReader,
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
    """The results so far. ``certificates``: the server certificates, DER, and their versions."""

    groups: dict[Protocol, list[str]] = field(default_factory=dict)
    dh_bits: dict[str, set[int]] = field(default_factory=dict)
    certificates: dict[bytes, list[Protocol]] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)


def find_groups(details: Details, versions: Sequence[VersionSuites]) -> Iterator[ScanPart]:
    """Find the groups of TLSv1.3, and those of ECDHE in the newest older version that has it."""
    for version in versions:
        if version.protocol is Protocol.TLSv1_3 and version.suites:
            yield _find_version_groups(details, version.protocol, version.suites, whole=False)
    if newest := _find_newest(versions, lambda parts: parts.key_exchange == "ECDHE"):
        yield _find_version_groups(details, *newest, whole=True)


def _find_version_groups(
    details: Details, protocol: Protocol, suites: Sequence[Cipher], *, whole: bool
) -> ScanPart:
    left, codes = list(GROUPS), tuple(cipher.code for cipher in suites)
    names = details.groups.setdefault(protocol, [])
    try:
        while left:
            answer = yield from send_hello(ClientHello(protocol, codes, tuple(left), whole=whole))
            if not isinstance(answer, Choice) or answer.group not in left:
                return
            left.remove(answer.group)
            names.append(GROUPS[answer.group])
    except NotMeasuredError as error:
        details.not_measured[f"{protocol} groups"] = str(error)


def find_primes(details: Details, versions: Sequence[VersionSuites]) -> Iterator[ScanPart]:
    """Find the sizes of DHE's primes by kind of suite; libraries choose them by the cipher."""
    for kind, is_kind in _KINDS.items():
        for strong in (True, False):

            def is_wanted_kind(parts: Suite, strong: bool = strong, is_kind: _Is = is_kind) -> bool:
                return is_kind(parts) and ((parts.bits or 0) >= 256) is strong

            if newest := _find_newest(versions, is_wanted_kind):
                yield _find_prime(details, kind, *newest)


def _find_prime(
    details: Details, kind: str, protocol: Protocol, suites: Sequence[Cipher]
) -> ScanPart:
    codes = tuple(cipher.code for cipher in suites)
    try:
        answer = yield from send_hello(ClientHello(protocol, codes, whole=True))
    except NotMeasuredError as error:
        details.not_measured[f"size of DH of {kind} suites"] = str(error)
        return
    if isinstance(answer, Choice) and answer.dh_bits is not None:
        details.dh_bits.setdefault(kind, set()).add(answer.dh_bits)


def find_certificates(details: Details, versions: Sequence[VersionSuites]) -> Iterator[ScanPart]:
    """Find the server certificate for each kind of key, in the older versions and in TLSv1.3."""
    for kind in ("RSA", "ECDSA", "DSS"):
        if newest := _find_newest(versions, _signed_by(kind)):
            schemes = tuple(scheme for scheme in SCHEMES if scheme not in EDWARDS)
            yield _find_certificate(
                details, kind, ClientHello(*_suite_codes(*newest), schemes=schemes, whole=True)
            )
            if kind == "ECDSA" and newest[0] is Protocol.TLSv1_2:
                # RFC 8422 5.3: EdDSA keys are used with ECDSA's suites.
                hello = ClientHello(*_suite_codes(*newest), schemes=EDWARDS, whole=True)
                yield _find_certificate(details, "EdDSA", hello)
    for version in versions:
        if version.protocol is Protocol.TLSv1_3 and version.suites:
            yield from _find_tls13_certificates(details, version)


def _find_tls13_certificates(details: Details, version: VersionSuites) -> Iterator[ScanPart]:
    """In TLSv1.3 certificates are encrypted, so a key has to be agreed on."""
    known = details.groups.get(version.protocol, [])
    group = next((number for number in GROUPS_OF_KEYS if GROUPS[number] in known), None)
    if group is None:
        details.not_measured["TLSv1.3 certificates"] = "the server has no group that we implement"
        return
    codes = tuple(cipher.code for cipher in version.suites)
    for kind, schemes in SCHEMES_OF_KEYS.items():
        reader = CertificateReader(group)
        # No other group: a server that prefers one would request it first.
        hello = ClientHello(
            version.protocol,
            codes,
            groups=(group,),
            schemes=schemes,
            whole=True,
            share=reader.share,
            read=reader,
        )
        yield _find_certificate(details, kind, hello)


def _find_certificate(details: Details, kind: str, hello: ClientHello) -> ScanPart:
    try:
        answer = yield from send_hello(hello)
    except NotMeasuredError as error:
        details.not_measured[f"{hello.protocol} {kind} certificate"] = str(error)
        return
    if isinstance(answer, Choice) and answer.certificates:
        protocols = details.certificates.setdefault(answer.certificates[0], [])
        if hello.protocol not in protocols:
            protocols.append(hello.protocol)


def _suite_codes(protocol: Protocol, suites: Sequence[Cipher]) -> tuple[Protocol, tuple[int, ...]]:
    return protocol, tuple(cipher.code for cipher in suites)


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


def _find_newest(
    versions: Sequence[VersionSuites], is_wanted_kind: _Is
) -> tuple[Protocol, list[Cipher]] | None:
    """The newest version up to TLSv1.2 that has suites of a kind, and these suites."""
    for version in sorted(versions, key=lambda item: -item.protocol.rank):
        suites = [cipher for cipher in version.suites if is_wanted_kind(suite_parts(cipher))]
        if suites and version.protocol not in (Protocol.SSLv2, Protocol.TLSv1_3):
            return version.protocol, suites
    return None
