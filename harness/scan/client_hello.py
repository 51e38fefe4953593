"""The first flight of a handshake as bytes: the ClientHello.

No key is needed here, so no library limits what can be offered. Messages: RFC
8446 4.1 (TLSv1.3), RFC 5246 7.4 (before), RFC 6101 (SSLv3), and for SSLv2
draft-hickman-netscape-ssl-00. The answer is parsed in ``server_hello.py``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.scan.choice import Choice
from harness.tls import Protocol

VERSIONS = {
    Protocol.SSLv3: 0x0300,
    Protocol.TLSv1: 0x0301,
    Protocol.TLSv1_1: 0x0302,
    Protocol.TLSv1_2: 0x0303,
    Protocol.TLSv1_3: 0x0304,
}
#: Groups to offer (RFC 8422, RFC 7919, draft-ietf-tls-ecdhe-mlkem), by the registry's numbers
#: ("TLS Supported Groups"): all that OpenSSL ever had, ML-KEM and its hybrids.
GROUPS = {
    29: "X25519",
    23: "secp256r1",
    24: "secp384r1",
    25: "secp521r1",
    30: "X448",
    **{4587: "SecP256r1MLKEM768", 4588: "X25519MLKEM768", 4589: "SecP384r1MLKEM1024"},
    **{512: "MLKEM512", 513: "MLKEM768", 514: "MLKEM1024"},
    **{256: "ffdhe2048", 257: "ffdhe3072", 258: "ffdhe4096", 259: "ffdhe6144", 260: "ffdhe8192"},
    **{31: "brainpoolP256r1tls13", 32: "brainpoolP384r1tls13", 33: "brainpoolP512r1tls13"},
    **{26: "brainpoolP256r1", 27: "brainpoolP384r1", 28: "brainpoolP512r1"},
    **{1: "sect163k1", 2: "sect163r1", 3: "sect163r2", 4: "sect193r1", 5: "sect193r2"},
    **{6: "sect233k1", 7: "sect233r1", 8: "sect239k1", 9: "sect283k1", 10: "sect283r1"},
    **{11: "sect409k1", 12: "sect409r1", 13: "sect571k1", 14: "sect571r1"},
    **{15: "secp160k1", 16: "secp160r1", 17: "secp160r2", 18: "secp192k1", 19: "secp192r1"},
    **{20: "secp224k1", 21: "secp224r1", 22: "secp256k1", 41: "curveSM2"},
}
#: Signature schemes to offer (RFC 8446 4.2.3, and RFC 5246's with SHA-1, SHA-224, MD5 and DSA).
SCHEMES = (
    *(0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0403, 0x0503, 0x0603, 0x0401, 0x0501),
    *(0x0601, 0x0807, 0x0808, 0x0301, 0x0303, 0x0201, 0x0203, 0x0402, 0x0202, 0x0101),
)
RECORD_HANDSHAKE = 22
CLIENT_HELLO = 1
SERVER_NAME, SUPPORTED_GROUPS, POINTS, SIGNATURES = 0, 10, 11, 13
SUPPORTED_VERSIONS, PSK_MODES, KEY_SHARE = 43, 45, 51
#: Secure renegotiation is announced by a suite of its own (RFC 5746 3.3).
_RENEGOTIATION = 0x00FF
RANDOM = bytes(range(32))


#: Given our ClientHello message, all received bytes and the server's choice, gives the certificate
#: chain; None: more bytes are needed.
Read = Callable[[bytes, bytes, Choice], tuple[bytes, ...] | None]


@dataclass(frozen=True, slots=True)
class ClientHello:
    """One version, and suites, groups and signature schemes by their numbers.

    ``whole``: read the answer beyond the ServerHello, up to the server's key exchange. ``share``:
    a group and our public key of it, in TLSv1.3; without one the server can only name the group
    that it requires (HelloRetryRequest). ``read`` decrypts the messages that follow.
    """

    protocol: Protocol
    ciphers: tuple[int, ...]
    groups: tuple[int, ...] = tuple(GROUPS)
    schemes: tuple[int, ...] = SCHEMES
    whole: bool = False
    share: tuple[int, bytes] | None = None
    read: Read | None = field(default=None, compare=False)


def encode_client_hello(hello: ClientHello, server_name: str) -> bytes:
    """The ClientHello in its record (SSLv2: in SSLv2's framing)."""
    protocol, ciphers = hello.protocol, hello.ciphers
    if protocol is Protocol.SSLv2:
        return _encode_ssl2_hello(ciphers)
    version = VERSIONS[protocol]
    is_new = protocol is Protocol.TLSv1_3
    suites = ciphers if is_new else (*ciphers, _RENEGOTIATION)
    body = struct.pack("!H", min(version, VERSIONS[Protocol.TLSv1_2])) + RANDOM
    # For middleboxes, a ClientHello of TLSv1.3 has a session id (RFC 8446 D.4).
    body += encode_vector(1, RANDOM if is_new else b"")
    body += encode_vector(2, encode_numbers(suites)) + b"\x01\x00"
    if protocol is not Protocol.SSLv3:
        body += encode_vector(2, _encode_extensions(hello, server_name))
    message = struct.pack("!B", CLIENT_HELLO) + encode_vector(3, body)
    record = min(version, VERSIONS[Protocol.TLSv1])
    return struct.pack("!BH", RECORD_HANDSHAKE, record) + encode_vector(2, message)


def _encode_extensions(hello: ClientHello, server_name: str) -> bytes:
    protocol = hello.protocol
    extensions = []
    if server_name and not server_name.replace(".", "").isdigit() and ":" not in server_name:
        # An address is not allowed as a server name (RFC 6066 3).
        name = server_name.encode("idna")
        extensions.append((SERVER_NAME, encode_vector(2, b"\x00" + encode_vector(2, name))))
    if hello.groups:
        extensions.append((SUPPORTED_GROUPS, encode_vector(2, encode_numbers(hello.groups))))
        extensions.append((POINTS, encode_vector(1, b"\x00")))
    if protocol in (Protocol.TLSv1_2, Protocol.TLSv1_3):
        extensions.append((SIGNATURES, encode_vector(2, encode_numbers(hello.schemes))))
    if protocol is Protocol.TLSv1_3:
        share = b""
        if hello.share is not None:
            share = struct.pack("!H", hello.share[0]) + encode_vector(2, hello.share[1])
        extensions += [
            (SUPPORTED_VERSIONS, encode_vector(1, struct.pack("!H", VERSIONS[protocol]))),
            (PSK_MODES, encode_vector(1, b"\x01")),
            (KEY_SHARE, encode_vector(2, share)),
        ]
    return b"".join(struct.pack("!H", kind) + encode_vector(2, value) for kind, value in extensions)


def _encode_ssl2_hello(ciphers: Sequence[int]) -> bytes:
    specs = b"".join(struct.pack("!I", cipher)[1:] for cipher in ciphers)
    body = struct.pack("!BHHHH", CLIENT_HELLO, 2, len(specs), 0, 16) + specs + RANDOM[:16]
    return struct.pack("!H", 0x8000 | len(body)) + body


def encode_numbers(values: Sequence[int]) -> bytes:
    """Numbers of two bytes each, in network byte order."""
    return struct.pack(f"!{len(values)}H", *values)


def encode_vector(size: int, data: bytes) -> bytes:
    """Bytes after their length, which has ``size`` bytes (RFC 8446 3.4)."""
    return len(data).to_bytes(size, "big") + data
