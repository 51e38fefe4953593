"""Source archives as upstream packs them, with nothing in them but what says what they are."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping

#: A Postfix of no branch that the catalog has.
VERSION = "3.99.1"
HEADER = """
#define MAIL_RELEASE_DATE\t"20270228"
#define MAIL_VERSION_NUMBER\t"{version}"
"""


def archive(root: str, files: Mapping[str, str]) -> bytes:
    """A packed tar of these files below a folder; the same ones give the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{root}/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue(), mtime=0)


def postfix_archive(version: str = VERSION, root: str = "", inside: str = "") -> bytes:
    """An archive as upstream packs it, with the two files that are looked at."""
    header = HEADER.format(version=inside or version)
    files = {"src/global/mail_version.h": header, "makedefs": "#!/bin/sh\n", "README": "x" * 999}
    return archive(root or f"postfix-{version}", files)


def sha256(content: bytes) -> str:
    """The SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
