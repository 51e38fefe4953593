"""Groups, sizes of DH and certificates: of a real OpenSSL, and of servers known for sure."""

from __future__ import annotations

import contextlib
import datetime
import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.ciphers import all_ciphers
from harness.scan import certificates
from harness.scan.choice import Choice
from harness.scan.client_hello import (
    GROUPS,
    ClientHello,
    encode_client_hello,
)
from harness.scan.coroutines import (
    NotMeasuredError,
    run_parts,
)
from harness.scan.details import (
    Details,
    find_certificates,
    find_groups,
    find_primes,
)
from harness.scan.elimination import (
    VersionSuites,
    find_suites,
)
from harness.scan.server_hello import Alert, Answer, parse_answer
from harness.targets.dh_groups import dh_parameters
from harness.targets.pki import Pki
from harness.tls import Protocol

NEW, OLD = Protocol.TLSv1_3, Protocol.TLSv1_2
BY_NAME = {cipher.name: cipher for cipher in all_ciphers()}
#: A suite of each kind that is asked for by itself.
RSA_SUITES = ["ECDHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "AES128-SHA"]


@cache
def pki() -> Pki:
    """One for all tests: keys take their time."""
    return Pki()


def context(folder: Path, *algorithms: str) -> ssl.SSLContext:
    """A real OpenSSL's server of TLSv1.2 and TLSv1.3 with a key of each kind."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    for algorithm in algorithms:
        pair = pki().pair(algorithm)
        (folder / "c.pem").write_text(pair.certificate)
        (folder / "k.pem").write_text(pair.key)
        made.load_cert_chain(folder / "c.pem", folder / "k.pem")
    (folder / "dh.pem").write_text(dh_parameters(2048))
    made.load_dh_params(str(folder / "dh.pem"))
    made.set_ciphers("ALL:@SECLEVEL=0")
    return made


def of(server: ssl.SSLContext) -> Callable[[ClientHello], Answer]:
    """What a real server says; a close where it says nothing."""

    def ask(question: ClientHello) -> Answer:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        end = server.wrap_bio(incoming, outgoing, server_side=True)
        hello = encode_client_hello(question, "mx.test")
        incoming.write(hello)
        with contextlib.suppress(ssl.SSLError):
            end.do_handshake()
        return parse_answer(outgoing.read(), question, hello) or Alert(-1)

    return ask


def scanned(server: Callable[[ClientHello], Answer]) -> Details:
    """All details of a server of the two newest versions."""
    versions, details = [VersionSuites(OLD), VersionSuites(NEW)], Details()
    run_parts((find_suites(version) for version in versions), server)
    run_parts([*find_groups(details, versions), *find_primes(details, versions)], server)
    run_parts(find_certificates(details, versions), server)
    return details


def keys(details: Details) -> dict[str, tuple[Protocol, ...]]:
    """By key, the versions in which a certificate was seen."""
    read = [
        certificates.read_certificate(der, versions)
        for der, versions in details.certificates.items()
    ]
    return {f"{certificate.key} {certificate.bits}": certificate.seen for certificate in read}


def test_a_real_servers_certificates_are_seen_in_both_versions(tmp_path: Path) -> None:
    """Protects the certificates: one of each key, TLSv1.3's own too, which comes encrypted."""
    details = scanned(of(context(tmp_path, "RSA", "EC")))
    assert keys(details) == {"RSA 2048": (OLD, NEW), "EC secp256r1 256": (OLD, NEW)}
    assert details.not_measured == {}


def test_a_server_of_one_key_and_one_version_has_one_certificate(tmp_path: Path) -> None:
    """Protects from keys that are not there; TLSv1.3 alone is enough to see a certificate."""
    server = context(tmp_path, "EC")
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    assert keys(scanned(of(server))) == {"EC secp256r1 256": (NEW,)}


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                   "TLS_CHACHA20_POLY1305_SHA256"])  # fmt: skip
@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1", "secp521r1", "X25519"])
def test_every_cipher_and_curve_of_tls13_opens_the_certificate(
    tmp_path: Path, suite: str, curve: str
) -> None:
    """Protects TLSv1.3: whatever a server has of these, its certificate is read."""
    server = context(tmp_path, "RSA")
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    server.set_ecdh_curve(curve)
    version, details = VersionSuites(NEW, [BY_NAME[suite]]), Details()
    run_parts(find_groups(details, [version]), of(server))
    run_parts(find_certificates(details, [version]), of(server))
    assert keys(details) == {"RSA 2048": (NEW,)}


def test_a_real_servers_groups_and_prime_are_found(tmp_path: Path) -> None:
    """Protects groups: what set_ecdh_curve leaves is what both versions tell; DH has its size."""
    server = context(tmp_path, "RSA")
    server.set_ecdh_curve("secp384r1")
    details = scanned(of(server))
    assert details.groups == {NEW: ["secp384r1"], OLD: ["secp384r1"]}
    assert details.dh_bits["DHE"] == {2048}


@given(chosen=st.lists(st.sampled_from(list(GROUPS)), unique=True), prefers=st.booleans())
def test_groups_are_found_by_elimination(chosen: list[int], prefers: bool) -> None:
    """Protects truth: whatever groups a server has, in whatever order, these and no more."""

    def ask(question: ClientHello) -> Answer:
        common = [group for group in question.groups if group in chosen]
        if not common:
            return Alert(40)
        best = min(common, key=chosen.index) if prefers else common[0]
        return Choice(question.protocol, question.ciphers[0], group=best)

    versions = [
        VersionSuites(OLD, [BY_NAME[RSA_SUITES[0]]]),
        VersionSuites(NEW, [BY_NAME["TLS_AES_128_GCM_SHA256"]]),
    ]
    details = Details()
    count = run_parts(find_groups(details, versions), ask)
    for names in details.groups.values():
        assert sorted(names) == sorted(GROUPS[group] for group in chosen)
        if prefers:
            assert names == [GROUPS[group] for group in chosen]
    assert count <= 2 * (len(chosen) + 1)


@given(suites=st.sets(st.sampled_from(RSA_SUITES)))
def test_a_kind_without_suites_is_not_asked_for(suites: set[str]) -> None:
    """Protects the server's time: no question about what it is known not to have."""
    versions = [VersionSuites(OLD, [BY_NAME[name] for name in suites])]

    def ask(question: ClientHello) -> Answer:
        assert {BY_NAME[name].code for name in suites} >= set(question.ciphers)
        return Alert(40)

    details = Details()
    count = run_parts([*find_groups(details, versions), *find_primes(details, versions)], ask)
    count += run_parts(find_certificates(details, versions), ask)
    assert count == ("ECDHE" in str(suites)) + ("'DHE" in str(suites)) + bool(suites)


def test_what_came_to_nothing_is_told_by_name() -> None:
    """Protects from a page that looks whole: each question without an answer is not measured."""

    def ask(_: ClientHello) -> Answer:
        raise NotMeasuredError("no answer in 5 s")

    versions = [VersionSuites(OLD, [BY_NAME[name] for name in RSA_SUITES])]
    details = Details()
    run_parts([*find_groups(details, versions), *find_primes(details, versions)], ask)
    run_parts(find_certificates(details, versions), ask)
    assert set(details.not_measured) == {
        "TLSv1.2 groups",
        "size of DH of DHE suites",
        "TLSv1.2 RSA certificate",
    }


PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | dsa.DSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
SHA = hashes.SHA256()


def signed(key: PrivateKey) -> bytes:
    """A certificate of a key, signed by itself, DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.test\x1b[31m")])
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else SHA
    now = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now)
        .sign(key, digest)
        .public_bytes(serialization.Encoding.DER)
    )


@pytest.mark.parametrize(
    ("key", "named", "bits", "signature"),
    [
        (rsa.generate_private_key(65537, 1024), "RSA", 1024, "rsa-with-sha256"),
        (ec.generate_private_key(ec.SECP384R1()), "EC secp384r1", 384, "ecdsa-with-sha256"),
        (dsa.generate_private_key(1024), "DSA", 1024, "dsa-with-sha256"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519", 256, "ed25519"),
        (ed448.Ed448PrivateKey.generate(), "Ed448", 456, "ed448"),
    ],
)
def test_a_certificates_key_and_signature_are_told(
    key: PrivateKey, named: str, bits: int, signature: str
) -> None:
    """Protects the facts of each kind of key; a stranger's name cannot drive the terminal."""
    certificate = certificates.read_certificate(signed(key), [NEW, OLD])
    assert (certificate.key, certificate.bits, certificate.signature) == (named, bits, signature)
    assert certificate.expires == "2026-01-02"
    assert certificate.seen == (OLD, NEW)
    assert "\x1b" not in certificate.subject


def test_what_is_no_certificate_is_an_error_that_is_caught() -> None:
    """Protects the scan of strangers: rubbish in the place of a certificate is a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        certificates.read_certificate(b"\x30\x03abc", [])


def test_records_that_do_not_open_are_no_answer(tmp_path: Path) -> None:
    """Protects from half a truth: a flight that was changed on its way gives no certificate."""
    server = context(tmp_path, "RSA")
    broken: list[NotMeasuredError] = []

    def ask(question: ClientHello) -> Answer:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        end = server.wrap_bio(incoming, outgoing, server_side=True)
        hello = encode_client_hello(question, "mx.test")
        incoming.write(hello)
        with contextlib.suppress(ssl.SSLError):
            end.do_handshake()
        data = bytearray(outgoing.read())
        if len(data) > 200:
            data[-1] ^= 1
            data[200] ^= 1
        try:
            return parse_answer(bytes(data), question, hello) or Alert(-1)
        except ValueError as error:
            broken.append(NotMeasuredError(str(error)))
            raise broken[-1] from error

    version, details = VersionSuites(NEW, [BY_NAME["TLS_AES_128_GCM_SHA256"]]), Details()
    details.groups[NEW] = ["X25519"]
    run_parts(find_certificates(details, [version]), ask)
    assert details.certificates == {}
    assert broken
    assert "cannot be decrypted" in details.not_measured["TLSv1.3 RSA certificate"]
