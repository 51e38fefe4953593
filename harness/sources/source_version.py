"""The version that a source tree states, read from the file that its own build reads."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.errors import UsageError

#: Returns the content of a file by its path below the source's root; None if it does not exist.
ReadFile = Callable[[str], bytes | None]

#: The files that state the version, by product, the most reliable first.
FILES = {
    "postfix": ("src/global/mail_version.h",),
    "openssl": ("VERSION.dat", "crypto/opensslv.h", "include/openssl/opensslv.h"),
}

_DEFINE = r'^\s*#\s*define\s+{}\s+"([^"]*)"'
_ASSIGNMENT = re.compile(r'^(\w+)[ \t]*=[ \t]*"?([^"\s]*)"?[ \t]*$', re.MULTILINE)


def stated_version(product: str, read: ReadFile) -> str | None:
    """The version, as the product itself would print it; None if the tree does not state it.

    Raises:
        UsageError: it is not known where this product states its version.
    """
    match product:
        case "postfix":
            return _postfix_version(read)
        case "openssl":
            return _openssl_version(read)
    raise UsageError(
        f"the version of a source tree of {product} cannot be read",
        next_step=f"the products that can: {' '.join(FILES)}",
    )


def _postfix_version(read: ReadFile) -> str | None:
    """``3.7.11``, ``3.8-20220816``, ``3.8-20220816-nonprod``: composed as in mail_version.h."""
    header = _read_first(read, *FILES["postfix"])
    number, day = (
        _read_define(header, "MAIL_VERSION_NUMBER"),
        _read_define(header, "MAIL_RELEASE_DATE"),
    )
    if number is None:
        return None
    # The makedefs of a snapshot sets flags that a release's makedefs has commented out.
    flags = _read_first(read, "makedefs")
    snapshot = f"-{day}" if day and _is_set(flags, "SNAPSHOT") else ""
    return f"{number}{snapshot}{'-nonprod' if _is_set(flags, 'NONPROD') else ''}"


def _openssl_version(read: ReadFile) -> str | None:
    """``3.0.20``, ``3.6.0-beta1``, ``1.0.2h``: VERSION.dat has it since 3.0, before opensslv.h."""
    numbers = dict(_ASSIGNMENT.findall(_read_first(read, "VERSION.dat")))
    if {"MAJOR", "MINOR", "PATCH"} <= numbers.keys():
        version = f"{numbers['MAJOR']}.{numbers['MINOR']}.{numbers['PATCH']}"
        tag = numbers.get("PRE_RELEASE_TAG")
        return f"{version}-{tag}" if tag else version
    # Before 1.1.0 the header in include/ is a link to the other.
    text = _read_first(read, *FILES["openssl"][1:])
    texts = re.findall(_DEFINE.format("OPENSSL_VERSION_TEXT"), text, re.MULTILINE)
    # 1.0.x has a text for builds with FIPS, and another for builds without.
    versions = [match[1] for text in texts if (match := re.match(r"OpenSSL (\S+)", text))]
    return next((version for version in versions if "-fips" not in version), None)


def _read_define(text: str, name: str) -> str | None:
    match = re.search(_DEFINE.format(name), text, re.MULTILINE)
    return match[1] if match else None


def _is_set(makedefs: str, name: str) -> bool:
    return re.search(rf'^\s*CCARGS="\$CCARGS -D{name}"', makedefs, re.MULTILINE) is not None


def _read_first(read: ReadFile, *names: str) -> str:
    """The first of these files that exists, decoded; "" if none does."""
    contents = (read(name) for name in names)
    existing = (content for content in contents if content is not None)
    return next(existing, b"").decode("utf-8", "replace")
