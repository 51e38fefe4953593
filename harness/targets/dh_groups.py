"""Diffie-Hellman parameters in the format that every OpenSSL reads.

The encoding is done here since the cryptography package writes known groups as X9.42 ("BEGIN X9.42
DH PARAMETERS"), which Postfix's PEM_read_DHparams does not accept on OpenSSL 3 and later.
"""

from __future__ import annotations

import base64
import textwrap

#: RFC 2409 6.2 and RFC 3526 3 to 5: bits, and the k of p = 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130)
#: pi] + k).
_MODP = {1024: 129093, 2048: 124476, 3072: 1690314, 4096: 240904}
#: No standard has a group of 512 bits; this was made with ``openssl dhparam -2 512``.
_OWN_512 = int(
    "a9aa1f93aa39c7ded5c68bbbdb3a5d07fabd7cfc2b13b4a09dad3bd34233e9d"
    "0e6c80c27f5c28b67b84b79e8cbe5d8ea4cff67961c4005cfd77ef3a2a5410857",
    16,
)
SIZES = (512, *_MODP)
_GENERATOR = 2


def dh_parameters(bits: int) -> str:
    """PKCS#3 DHParameter (RFC 2631's predecessor: SEQUENCE of prime and base) as PEM.

    Raises:
        KeyError: there is no group of that size.
    """
    body = _encode_integer(prime(bits)) + _encode_integer(_GENERATOR)
    text = base64.b64encode(_encode_element(0x30, body)).decode()
    lines = "\n".join(textwrap.wrap(text, 64))
    return f"-----BEGIN DH PARAMETERS-----\n{lines}\n-----END DH PARAMETERS-----\n"


def prime(bits: int) -> int:
    """The group's prime; (prime - 1) / 2 is prime too.

    Raises:
        KeyError: there is no group of that size.
    """
    if bits == 512:
        return _OWN_512
    k = _MODP[bits]
    return (1 << bits) - (1 << (bits - 64)) - 1 + ((_scaled_pi(bits - 130) + k) << 64)


def _scaled_pi(bits: int) -> int:
    """The integral part of 2^bits * pi, by Machin's formula."""
    spare = 64
    unit = 1 << (bits + spare)
    return 4 * (4 * _scaled_arctan(5, unit) - _scaled_arctan(239, unit)) >> spare


def _scaled_arctan(inverse: int, unit: int) -> int:
    """The arctangent of 1 / inverse, in units of 1 / unit."""
    term = total = unit // inverse
    divisor, sign = 3, -1
    while term:
        term //= inverse * inverse
        total += sign * (term // divisor)
        divisor, sign = divisor + 2, -sign
    return total


def _encode_integer(value: int) -> bytes:
    """Encode an integer in DER, with room for the sign bit, so that it stays positive."""
    return _encode_element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _encode_element(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    long = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(long)]) + long + body
