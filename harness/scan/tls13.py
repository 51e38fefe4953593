"""Reads the encrypted server certificate of TLSv1.3, with as little of a client as that takes.

That is a key of ours, the handshake's keys (RFC 8446 7.1), and the records (5.2) decrypted up to
the Certificate message (4.4.2). Nothing is verified: the certificate is shown, not trusted.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Iterator
from typing import Protocol as Interface

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.scan.choice import Choice
from harness.scan.server_hello import CERTIFICATE, split_messages, split_records

_X25519 = 29
_CURVES: dict[int, ec.EllipticCurve] = {23: ec.SECP256R1(), 24: ec.SECP384R1(), 25: ec.SECP521R1()}
#: The groups in which we can make a key, the fastest first.
GROUPS_OF_KEYS = (_X25519, *_CURVES)
_APPLICATION_DATA, _HANDSHAKE, _ALERT = 23, 22, 21


class _Cipher(Interface):
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...


#: For each suite: the hash, the size of the key in bytes, and the cipher (RFC 8446 B.4).
_SUITES: dict[int, tuple[str, int, Callable[[bytes], _Cipher]]] = {
    0x1301: ("sha256", 16, AESGCM),
    0x1302: ("sha384", 32, AESGCM),
    0x1303: ("sha256", 32, ChaCha20Poly1305),
    0x1304: ("sha256", 16, AESCCM),
    0x1305: ("sha256", 16, lambda key: AESCCM(key, tag_length=8)),
}


class CertificateReader:
    """A key in a group; it decrypts the answer to the ClientHello that has its public part."""

    def __init__(self, group: int) -> None:
        self._key: x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey
        if group == _X25519:
            self._key = x25519.X25519PrivateKey.generate()
            public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            self._key = ec.generate_private_key(_CURVES[group])
            public = self._key.public_key().public_bytes(
                Encoding.X962, PublicFormat.UncompressedPoint
            )
        self.share = (group, public)

    def __call__(
        self, hello_message: bytes, data: bytes, choice: Choice
    ) -> tuple[bytes, ...] | None:
        """The chain, DER; None: more data is needed. ``hello_message`` is the ClientHello message.

        Raises:
            ValueError: a suite or share that we did not offer, or a record cannot be decrypted.
        """
        if choice.cipher not in _SUITES or choice.group != self.share[0]:
            raise ValueError(f"suite {choice.cipher:#06x} with group {choice.group}")
        stream = b"".join(self._decrypt_records(hello_message, data, choice))
        for kind, body in split_messages(stream):
            if kind == CERTIFICATE:
                return _parse_chain(body)
        return None

    def _decrypt_records(
        self, hello_message: bytes, data: bytes, choice: Choice
    ) -> Iterator[bytes]:
        name, size, cipher = _SUITES[choice.cipher]
        transcript = hashlib.new(name, hello_message + choice.message).digest()
        secret = _server_secret(name, self._shared_secret(choice.share), transcript)
        opener = cipher(_expand_label(name, secret, b"key", b"", size))
        iv = int.from_bytes(_expand_label(name, secret, b"iv", b"", 12), "big")
        sealed = (content for kind, content in split_records(data) if kind == _APPLICATION_DATA)
        for number, content in enumerate(sealed):
            header = struct.pack("!BHH", _APPLICATION_DATA, 0x0303, len(content))
            try:
                inner = opener.decrypt((iv ^ number).to_bytes(12, "big"), content, header)
            except Exception as error:
                raise ValueError(f"a record cannot be decrypted: {error!r}") from error
            inner = inner.rstrip(b"\0")
            if inner[-1:] == bytes([_HANDSHAKE]):
                yield inner[:-1]

    def _shared_secret(self, share: bytes) -> bytes:
        if isinstance(self._key, x25519.X25519PrivateKey):
            return self._key.exchange(x25519.X25519PublicKey.from_public_bytes(share))
        point = ec.EllipticCurvePublicKey.from_encoded_point(self._key.curve, share)
        return self._key.exchange(ec.ECDH(), point)


def _server_secret(name: str, shared: bytes, transcript: bytes) -> bytes:
    """The server_handshake_traffic_secret (RFC 8446 7.1)."""
    size = hashlib.new(name).digest_size
    early = hmac.digest(bytes(size), bytes(size), name)
    derived = _expand_label(name, early, b"derived", hashlib.new(name).digest(), size)
    handshake = hmac.digest(derived, shared, name)
    return _expand_label(name, handshake, b"s hs traffic", transcript, size)


def _expand_label(name: str, secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 7.1)."""
    full = b"tls13 " + label
    info = struct.pack("!HB", size, len(full)) + full + bytes([len(context)]) + context
    output, block = b"", b""
    while len(output) < size:
        block = hmac.digest(
            secret, block + info + bytes([len(output) // len(block or b"x") + 1]), name
        )
        output += block
    return output[:size]


def _parse_chain(body: bytes) -> tuple[bytes, ...]:
    """The certificates of a Certificate message (RFC 8446 4.4.2)."""
    certificates, at = [], 1 + body[0] + 3
    while at + 3 <= len(body):
        length = int.from_bytes(body[at : at + 3], "big")
        certificates.append(body[at + 3 : at + 3 + length])
        at += 3 + length
        at += 2 + int.from_bytes(body[at : at + 2], "big")
    return tuple(certificates)
