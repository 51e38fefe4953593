"""A recorded client: the shared driver sends its hello, and the limits that it is known to have are
applied to what the server chose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from harness.catalog.client_hello import write_fresh_hello
from harness.catalog.recordings import KeyLimits, Recording
from harness.clients.contract import BY_CLIENT, CONTRACT, ClientResult, Request
from harness.clients.driver import Driver
from harness.scan.certificates import read_certificate
from harness.tls import Protocol

_OLD_SIGNATURES = ("sha1", "md5", "md2")


class RecordedDriver:
    """Speaks for one recorded client; requests and results are those of the client contract."""

    def __init__(self, shared: Driver, recording: Recording) -> None:
        self._shared = shared
        self._recording = recording

    async def ask(self, request: Request) -> ClientResult:
        """Have one dialogue with a fresh copy of the hello."""
        hello = write_fresh_hello(self._recording.hello, request.server_name)
        result = await self._shared.ask(replace(request, hello=hello))
        return apply_limits(result, self._recording.limits)

    async def check_network(self) -> None:
        """Have another container started for the next request if the shared one is cut off."""
        await self._shared.check_network()


def describe_recording(recording: Recording) -> dict[str, Any]:
    """What a recorded client is, in the form of ``driver --describe``."""
    return {
        "contract": CONTRACT,
        "client": recording.client,
        "version": recording.recorded,
        "tls_library": "recorded hello",
        "tls_version": f"the recorded hello of {recording.recorded}",
        "offers": [],
        "sends_mail": False,
        "extras": [],
        "simulated": True,
    }


def apply_limits(result: ClientResult, limits: KeyLimits) -> ClientResult:
    """The result as the client would have it: it may not take what the server chose."""
    if result.outcome != "would-negotiate":
        return result
    objections = "; ".join(list_objections(result, limits))
    if not objections:
        return result
    return replace(
        result, outcome="would-be-refused", stage="handshake", error=f"{BY_CLIENT}{objections}"
    )


def list_objections(result: ClientResult, limits: KeyLimits) -> Iterator[str]:
    """What a client with these limits has against a server's choice.

    The certificate of TLSv1.3 is encrypted, so its key and signature are not judged.
    """
    if limits.lowest is not None and result.protocol is not None:
        chosen = Protocol(result.protocol)
        if chosen.rank < limits.lowest.rank:
            yield f"{chosen} is older than its oldest version, {limits.lowest}"
    yield from _object_to_size("DH prime", result.prime_bits,
                               limits.min_dh_bits, limits.max_dh_bits)  # fmt: skip
    if result.peer_certificate is not None:
        yield from _object_to_certificate(result.peer_certificate, limits)


def _object_to_certificate(pem: str, limits: KeyLimits) -> Iterator[str]:
    try:
        der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
        certificate = read_certificate(der, ())
    except ValueError:
        return
    if certificate.key.startswith("RSA"):
        yield from _object_to_size("RSA key", certificate.bits,
                                   limits.min_rsa_bits, limits.max_rsa_bits)  # fmt: skip
    elif certificate.key.startswith("EC "):
        yield from _object_to_size("ECDSA key", certificate.bits, limits.min_ecdsa_bits, None)
    if limits.requires_sha2 and any(old in certificate.signature for old in _OLD_SIGNATURES):
        yield f"the certificate is signed with {certificate.signature}, and it requires SHA-2"


def _object_to_size(
    what: str, bits: int | None, lowest: int | None, highest: int | None
) -> Iterator[str]:
    if bits is not None and lowest is not None and bits < lowest:
        yield f"{what} of {bits} bits < its smallest, {lowest}"
    if bits is not None and highest is not None and bits > highest:
        yield f"{what} of {bits} bits > its largest, {highest}"
