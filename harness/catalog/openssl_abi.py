"""OpenSSL's ABI, which decides whether one OpenSSL can take another's place under a program.

The ABI is the version in the name of the shared library (SHLIB_VERSION_NUMBER before 3.0):
libssl.so.1.0.0 is that of 1.0.0 to 1.0.2, libssl.so.1.1 that of 1.1.0 and 1.1.1, and from 3.0 on it
is the first number of the version (OpenSSL's policy "Release Strategy": the ABI changes only in a
major release).
"""

from __future__ import annotations

from harness.catalog.versions import Version

#: Which releases have an ABI, where its name does not say it.
_RELEASES = {"0.9.8": "0.9.8", "1.0.0": "1.0.0 to 1.0.2", "1.1": "1.1.0 or 1.1.1"}


def openssl_abi(version: str) -> str:
    """The ABI of a release: ``1.0.0``, ``1.1``, ``3``.

    >>> openssl_abi("1.0.2h"), openssl_abi("1.1.1w"), openssl_abi("3.5.7")
    ('1.0.0', '1.1', '3')
    """
    parsed = Version.parse(version)
    if parsed >= Version.parse("3.0"):
        return version.partition(".")[0]
    if parsed >= Version.parse("1.1.0"):
        return "1.1"
    return "1.0.0" if parsed >= Version.parse("1.0.0") else "0.9.8"


def describe_abi(abi: str) -> str:
    """The releases that have this ABI: ``1.0.0 to 1.0.2``, ``3.x``."""
    return _RELEASES.get(abi, f"{abi}.x")
