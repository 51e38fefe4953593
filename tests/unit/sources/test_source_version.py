"""The version that a source tree states in Postfix's and OpenSSL's own files."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.sources.source_version import stated_version

_MAIL_VERSION = """
#define MAIL_RELEASE_DATE\t"20220501"
#define MAIL_VERSION_NUMBER\t"{}"

#ifdef SNAPSHOT
#define MAIL_VERSION_DATE\t"-" MAIL_RELEASE_DATE
#endif
"""
_MAKEDEFS = """
# Snapshot only.
{}CCARGS="$CCARGS -DSNAPSHOT"

# Non-production
{}CCARGS="$CCARGS -DNONPROD"
"""
_OPENSSL_H = """
# ifdef OPENSSL_FIPS
#  define OPENSSL_VERSION_TEXT    "OpenSSL 1.0.2h-fips  3 May 2016"
# else
#  define OPENSSL_VERSION_TEXT    "OpenSSL 1.0.2h  3 May 2016"
# endif
# define OPENSSL_VERSION_PTEXT   " part of " OPENSSL_VERSION_TEXT
"""


def _stated_version(product: str, files: dict[str, str]) -> str | None:
    read = {name: text.encode() for name, text in files.items()}
    return stated_version(product, read.get)


@pytest.mark.parametrize(
    ("number", "marks", "version"),
    [
        ("3.7.11", ("#", "#"), "3.7.11"),
        ("3.6.0-RC1", ("#", "#"), "3.6.0-RC1"),
        ("3.8", ("", "#"), "3.8-20220501"),
        ("3.8", ("", ""), "3.8-20220501-nonprod"),
    ],
)
def test_postfix(number: str, marks: tuple[str, str], version: str) -> None:
    """Releases, candidates, and snapshots, whose makedefs adds the date to the number."""
    files = {
        "src/global/mail_version.h": _MAIL_VERSION.format(number),
        "makedefs": _MAKEDEFS.format(*marks),
    }
    assert _stated_version("postfix", files) == version


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"VERSION.dat": "MAJOR=3\nMINOR=0\nPATCH=20\nPRE_RELEASE_TAG=\n"}, "3.0.20"),
        ({"VERSION.dat": 'MAJOR=4\nMINOR=0\nPATCH=0\nPRE_RELEASE_TAG="beta1"\n'}, "4.0.0-beta1"),
        (
            {"include/openssl/opensslv.h": '# define OPENSSL_VERSION_TEXT  "OpenSSL 1.1.1w  2023"'},
            "1.1.1w",
        ),
        ({"crypto/opensslv.h": _OPENSSL_H}, "1.0.2h"),
        # Since 1.1.0 a built tree of 3.0 has a header, too; VERSION.dat is what it was made from.
        (
            {
                "VERSION.dat": "MAJOR=3\nMINOR=5\nPATCH=7\n",
                "include/openssl/opensslv.h": _OPENSSL_H,
            },
            "3.5.7",
        ),
    ],
)
def test_openssl(files: dict[str, str], version: str) -> None:
    """Three eras: VERSION.dat, a header in include/, a header in crypto/ that has FIPS too."""
    assert _stated_version("openssl", files) == version


@pytest.mark.parametrize("product", ["postfix", "openssl"])
@pytest.mark.parametrize("files", [{}, {"VERSION.dat": "x", "src/global/mail_version.h": "x"}])
def test_what_says_nothing(product: str, files: dict[str, str]) -> None:
    """Some other folder is not taken for a release."""
    assert _stated_version(product, files) is None


def test_a_product_without_a_known_version_file() -> None:
    """Rather than None, which would be read as a fault of the tree."""
    with pytest.raises(UsageError, match="stunnel"):
        _stated_version("stunnel", {})
