"""Fresh public keys for the key shares of a recorded ClientHello (RFC 8446 4.2.8).

Only the public half is made: the handshake is never completed.
"""

from __future__ import annotations

from collections.abc import Callable

_P256, _P384, _P521, _X25519, _X448 = 23, 24, 25, 29, 30
#: Hybrids (draft-ietf-tls-ecdhe-mlkem; 25497: draft-tls-westerbaan-xyber768d00), with the group of
#: their classical key, and whether that comes first.
_HYBRIDS = {4587: (_P256, True), 4588: (_X25519, False), 25497: (_X25519, True)}
#: ML-KEM-768: its prime, and the coefficients of a public key (FIPS 203, table 2).
_MLKEM_PRIME, _MLKEM_COEFFICIENTS, _MLKEM_SEED = 3329, 3 * 256, 32


def make_key_share(group: int, recorded: bytes, random_bytes: Callable[[int], bytes]) -> bytes:
    """A fresh public key of a group; of a group that is not known here, the ``recorded`` one."""
    if group in (_X25519, _X448):
        # Each string of that length is a public key (RFC 7748 5).
        return random_bytes(32 if group == _X25519 else 56)
    if group in (_P256, _P384, _P521):
        return _make_point(group)
    if group in _HYBRIDS:
        classical_group, is_first = _HYBRIDS[group]
        classical = make_key_share(classical_group, b"", random_bytes)
        lattice = _make_mlkem_key(random_bytes)
        return classical + lattice if is_first else lattice + classical
    return recorded


def _make_point(group: int) -> bytes:
    """The public key of a fresh key of a NIST curve, uncompressed."""
    # Loaded when the first such hello is sent: most commands need none of it.
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    curves = {_P256: ec.SECP256R1(), _P384: ec.SECP384R1(), _P521: ec.SECP521R1()}
    key = ec.generate_private_key(curves[group]).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _make_mlkem_key(random_bytes: Callable[[int], bytes]) -> bytes:
    """A public key of ML-KEM-768 that passes a server's check (FIPS 203, 7.2).

    Coefficients below the prime, twelve bits each, the low ones first, and a seed. A secret key for
    it is not known, which nothing here needs.
    """
    numbers = random_bytes(4 * _MLKEM_COEFFICIENTS)
    total = 0
    for place in range(_MLKEM_COEFFICIENTS):
        number = int.from_bytes(numbers[4 * place : 4 * place + 4], "big")
        total |= (number % _MLKEM_PRIME) << (12 * place)
    return total.to_bytes(_MLKEM_COEFFICIENTS * 12 // 8, "little") + random_bytes(_MLKEM_SEED)
