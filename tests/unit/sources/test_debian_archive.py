"""Why a suite did not give a source: gone files and unreached places are distinguished."""

from __future__ import annotations

import pytest

from harness.catalog.releases import Source, SourceKind
from harness.sources.debian_archive import explain_refusal

_SOURCE = Source(
    SourceKind.DEBIAN,
    "0" * 64,
    0,
    "openssl-3.0.20",
    suite="bookworm",
    package="openssl",
    file="openssl_3.0.20.orig.tar.gz",
)
_UNREACHED = "W: Failed to fetch http://mirror.example/InRelease  Temporary failure resolving\n"
_404 = "E: Failed to fetch http://mirror.example/pool/x  404  Not Found [IP: 192.0.2.1 80]\n"


@pytest.mark.parametrize(
    ("listed", "output", "expected", "final"),
    [
        (
            "3.0.22-1~deb12u2 no\n",
            "",
            "Debian bookworm has openssl 3.0.22-1~deb12u2 now, not 3.0.20: "
            "its source package is gone",
            True,
        ),
        (
            "3.0.22-1~deb12u2 no\n",
            _UNREACHED,
            "its source package is gone (a part was not reached: W: Failed to fetch",
            False,
        ),
        ("", "", "Debian bookworm has no source package openssl", True),
        (
            "3.0.22-1 no\n3.0.20-1 yes\n",
            _404,
            "Debian bookworm lists openssl 3.0.20-1, but its mirror answers 404: "
            "openssl_3.0.20.orig.tar.gz has left it",
            True,
        ),
        (
            "3.0.20-1 yes\n",
            "E: Failed to fetch http://mirror.example/x  Connection timed out\n",
            "lists openssl 3.0.20-1, but did not give openssl_3.0.20.orig.tar.gz: E: Failed",
            False,
        ),
    ],
    ids=["gone", "perhaps-gone", "no-package", "left-the-mirror", "broken"],
)
def test_each_reason_has_its_own_message(
    listed: str, output: str, expected: str, final: bool
) -> None:
    """A removed file needs another source; a place that was not reached may answer in a minute."""
    reason, is_final = explain_refusal(_SOURCE, listed, output)
    assert expected in reason
    assert is_final is final
