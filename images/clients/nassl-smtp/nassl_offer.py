"""What nassl is told for an offer, and what neither of its OpenSSLs can be told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

#: By library: its versions, oldest first.
VERSIONS = {
    "legacy": ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"),
    "modern": ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
}
#: SSL_OP_NO_* of ssl.h, the same in 1.0.2 and 1.1.1 (which has no SSLv2 to switch off).
NO = {
    "SSLv2": 0x01000000,
    "SSLv3": 0x02000000,
    "TLSv1": 0x04000000,
    "TLSv1.1": 0x10000000,
    "TLSv1.2": 0x08000000,
    "TLSv1.3": 0x20000000,
}
#: Groups by their numbers in obj_mac.h, as nassl wants them.
GROUPS = {
    "prime256v1": 415,
    "secp224r1": 713,
    "secp384r1": 715,
    "secp521r1": 716,
    "X25519": 1034,
    "X448": 1035,
}
ALL_CIPHERS = "ALL:COMPLEMENTOFALL"
#: All suites of TLSv1.3 (RFC 8446 B.4).
SUITES = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
)


class NasslSettings(NamedTuple):
    """What makes an offer. ``suites``, ``groups``: None where they are left as they are.

    ``version`` is the one, by its name in OpenSslVersionEnum; SSLV23 for more than one.
    """

    version: str
    options: int
    ciphers: str
    suites: str | None
    groups: tuple[int, ...] | None


def explain_impossible_offer(
    job: dict[str, Any], library: str, inside: Sequence[str]
) -> str | None:
    """Why no such offer can be made; None where it can. ``inside``: the versions of its range."""
    unavailable = [name for name in inside if name not in VERSIONS[library]]
    if unavailable:
        return f"nassl's {library} OpenSSL never had {unavailable[0]}"
    if "SSLv2" in inside and len(inside) > 1:
        # The hello would be in SSLv2's framing, which has no room for extensions.
        return "nassl cannot be told here to offer SSLv2 beside others"
    if job["groups"] and library == "legacy":
        return "nassl's legacy OpenSSL has no option for groups here"
    unknown = [name for name in job["groups"] if name not in GROUPS]
    return f"nassl has no number for the group {unknown[0]}" if unknown else None


def choose_settings(job: dict[str, Any], library: str, inside: Sequence[str]) -> NasslSettings:
    """What the library is told of an offer that can be made."""
    options = sum(bit for name, bit in NO.items() if name not in inside)
    new = [name for name in job["ciphers"] if name.startswith("TLS_")]
    old = [name for name in job["ciphers"] if name not in new]
    modern = library == "modern"
    # OpenSSL will not have a version without a cipher, so with none it is not offered.
    if modern and new and not old:
        options |= NO["TLSv1"] | NO["TLSv1.1"] | NO["TLSv1.2"]
    if modern and old and not new:
        options |= NO["TLSv1.3"]
    return NasslSettings(
        inside[0].upper().replace(".", "_") if len(inside) == 1 else "SSLV23",
        options,
        # The legacy library has no ciphers of TLSv1.3: it says so itself.
        ":".join((old if modern else job["ciphers"]) or [ALL_CIPHERS])
        + (":@SECLEVEL=0" if modern else ""),
        ":".join(new or SUITES) if modern and "TLSv1.3" in inside else None,
        tuple(GROUPS[name] for name in job["groups"]) or None,
    )


def find_version(data: bytes) -> str:
    """The OpenSSL in a program's bytes, by its own line there; "" if there is none."""
    match = re.search(rb"OpenSSL \d\.\d\.\d[a-z]* +\d+ [A-Z][a-z]{2} \d{4}", data)
    return match.group().decode() if match else ""
