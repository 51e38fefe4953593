"""Which version a source tree says that it is: by the file that its own build reads. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.errors import UsageError

#: Gives the content of a file by its path below the source's root; None where there is none.
Read = Callable[[str], bytes | None]

#: The files that say it, by product, the most telling first.
FILES = {
    "postfix": ("src/global/mail_version.h",),
    "openssl": ("VERSION.dat", "crypto/opensslv.h", "include/openssl/opensslv.h"),
}

_DEFINE = r'^\s*#\s*define\s+{}\s+"([^"]*)"'
_ASSIGNMENT = re.compile(r'^(\w+)[ \t]*=[ \t]*"?([^"\s]*)"?[ \t]*$', re.MULTILINE)


def stated_version(product: str, read: Read) -> str | None:
    """The version, as the product itself would print it; None if the tree does not say.

    Raises:
        UsageError: it is not known how this product says it.
    """
    match product:
        case "postfix":
            return _postfix(read)
        case "openssl":
            return _openssl(read)
    raise UsageError(
        f"a source tree of {product} cannot be asked for its version",
        next_step=f"the products that can: {' '.join(FILES)}",
    )


def _postfix(read: Read) -> str | None:
    """``3.7.11``, ``3.8-20220816``, ``3.8-20220816-nonprod``: put together as in mail_version.h."""
    header = _text(read, *FILES["postfix"])
    number, day = _defined(header, "MAIL_VERSION_NUMBER"), _defined(header, "MAIL_RELEASE_DATE")
    if number is None:
        return None
    # A snapshot's makedefs sets what a release's has commented out.
    flags = _text(read, "makedefs")
    snapshot = f"-{day}" if day and _is_set(flags, "SNAPSHOT") else ""
    return f"{number}{snapshot}{'-nonprod' if _is_set(flags, 'NONPROD') else ''}"


def _openssl(read: Read) -> str | None:
    """``3.0.20``, ``3.6.0-beta1``, ``1.0.2h``: from 3.0 on by VERSION.dat, before by opensslv.h."""
    numbers = dict(_ASSIGNMENT.findall(_text(read, "VERSION.dat")))
    if {"MAJOR", "MINOR", "PATCH"} <= numbers.keys():
        version = f"{numbers['MAJOR']}.{numbers['MINOR']}.{numbers['PATCH']}"
        tag = numbers.get("PRE_RELEASE_TAG")
        return f"{version}-{tag}" if tag else version
    # Before 1.1.0 the header in include/ is a link to the other.
    text = _text(read, *FILES["openssl"][1:])
    words = re.findall(_DEFINE.format("OPENSSL_VERSION_TEXT"), text, re.MULTILINE)
    # 1.0.x has a text for builds with FIPS, and one without.
    found = [match[1] for one in words if (match := re.match(r"OpenSSL (\S+)", one))]
    return next((one for one in found if "-fips" not in one), None)


def _defined(text: str, name: str) -> str | None:
    match = re.search(_DEFINE.format(name), text, re.MULTILINE)
    return match[1] if match else None


def _is_set(makedefs: str, name: str) -> bool:
    return re.search(rf'^\s*CCARGS="\$CCARGS -D{name}"', makedefs, re.MULTILINE) is not None


def _text(read: Read, *names: str) -> str:
    """The first of these files that is there."""
    found = (read(name) for name in names)
    return next((one.decode("utf-8", "replace") for one in found if one is not None), "")
