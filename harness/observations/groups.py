"""The names of key exchange groups: one group has OpenSSL's, NIST's and the TLS registry's."""

from __future__ import annotations

#: OpenSSL's name for each other name (RFC 8446, section 4.2.7; FIPS 186).
_OPENSSL_NAMES = {
    "p-256": "prime256v1",
    "secp256r1": "prime256v1",
    "p-384": "secp384r1",
    "p-521": "secp521r1",
}


def canonical_group(name: str) -> str:
    """A group by OpenSSL's name, in lower case."""
    return _OPENSSL_NAMES.get(name.lower(), name.lower())


def comparable_group(name: str | None) -> str | None:
    """The same; None without a name, and for the unnamed primes of DHE.

    Postfix logs these as ``DHE (2048 bits)``.
    """
    canonical = canonical_group(name) if name else ""
    return canonical if canonical and not canonical.endswith(" bits") else None
