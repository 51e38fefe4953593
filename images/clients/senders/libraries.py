"""Which TLS library a program of a distribution's is linked to, and its version."""

from __future__ import annotations

import re
from pathlib import Path

from programs import ask_program

_OPENSSL = re.compile(rb"OpenSSL \d+\.\d+\.\d+[a-z]* +\d+ [A-Z][a-z]{2} \d{4}")


def find_library(program: str, name: str) -> str:
    """The path of the shared library ``name`` that a program is linked to, ``libgnutls``; ""."""
    linked = re.search(rf"^\s*{name}\.so\S* => (/\S+)", ask_program("/usr/bin/ldd", program), re.M)
    return linked[1] if linked else ""


def read_openssl_version(program: str) -> str:
    """What the OpenSSL of a program calls itself: ``OpenSSL 1.0.2g  1 Mar 2016``."""
    path = find_library(program, "libcrypto")
    version = _OPENSSL.search(Path(path).read_bytes()) if path else None
    return version[0].decode() if version else "OpenSSL"


def read_gnutls_version(program: str) -> str:
    """The package version of the GnuTLS that a program is linked to: ``GnuTLS 3.4.10-4ubuntu1``."""
    # A suite with one tree for /lib and /usr/lib knows its files by either name.
    file = Path(find_library(program, "libgnutls")).name
    listed = ask_program("/usr/bin/dpkg-query", "-S", f"*/{file}")
    package = listed.partition(":")[0].strip()
    shown = ask_program("/usr/bin/dpkg-query", "-W", "-f", "${Version}\n", package)
    return f"GnuTLS {shown.split()[0]}"
