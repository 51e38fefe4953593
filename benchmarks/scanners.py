"""The scanners that the scan is compared with: how each is called, and what its words mean.

A scanner's result is a set of protocol × suite, by the suite's number; what its own list of suites
lacks is read from the scanner itself, so that a difference can be explained and not excused.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from harness.catalog.ciphers import all_ciphers
from harness.tls import Protocol

#: A protocol and a suite's number.
Pairs = frozenset[tuple[Protocol, int]]
TLS = tuple(one for one in Protocol if one.rank >= Protocol.SSLv3.rank)
_NAMES = {"TLSv1.0": "TLSv1", "TLS_1_0": "TLSv1", "TLS_1_1": "TLSv1.1", "TLS_1_2": "TLSv1.2"}
_NAMES |= {"TLS_1_3": "TLSv1.3", "SSL_3_0": "SSLv3", "SSL_2_0": "SSLv2"}
_CODES = {one.iana: one.code for one in all_ciphers()}
#: nmap's library of TLS, with the suites that it knows.
NMAP_TABLE = Path("/usr/share/nmap/nselib/tls.lua")


@dataclass(frozen=True, slots=True)
class Scanner:
    """``command`` for a host and a port; ``read`` what its standard output says is accepted.

    ``asks``: the pairs that it asked for at all, given that output; and ``why`` those only.
    """

    name: str
    command: Callable[[str, int], list[str]]
    read: Callable[[str], Pairs]
    asks: Callable[[str], Pairs]
    why: str


def protocol(name: str) -> Protocol:
    """A protocol by any scanner's name of it."""
    return Protocol(_NAMES.get(name, name))


def ours(*options: str) -> Scanner:
    """Our own, as one calls it."""
    command = [str(Path(sys.executable).with_name("postfix-matrix")), "scan", "--json", *options]
    every = frozenset((p, one.code) for p in Protocol for one in all_ciphers() if one.speaks(p))
    return Scanner(
        " ".join(["scan", *options]),
        lambda host, port: [*command, f"{host}:{port}"],
        read_ours,
        lambda _: every,
        "",
    )


def nmap() -> Scanner:
    """``nmap --script ssl-enum-ciphers``: it looks for STARTTLS on the registered ports alone."""
    words = ["nmap", "-Pn", "-n", "--script", "ssl-enum-ciphers"]
    return Scanner(
        "nmap",
        lambda host, port: [*words, f"-p{port}", host],
        read_nmap,
        lambda _: nmap_asks(NMAP_TABLE.read_text(encoding="utf-8")),
        f"{NMAP_TABLE} has no such suite, and ssl-enum-ciphers no SSLv2",
    )


def sslscan() -> Scanner:
    """sslscan with all that is not about protocols and ciphers switched off."""
    off = ("fallback", "renegotiation", "compression", "heartbleed", "groups", "check-certificate")
    words = ["sslscan", "--starttls-smtp", *(f"--no-{one}" for one in off), "--xml=-"]
    return Scanner(
        "sslscan",
        lambda host, port: [*words, f"{host}:{port}"],
        read_sslscan,
        lambda _: sslscan_asks(
            _output("openssl", "ciphers", "-V", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        ),
        "the system's OpenSSL, which sslscan speaks with, has no such suite; of SSLv2 and SSLv3 it "
        "tells no ciphers",
    )


def sslyze(python: Path) -> Scanner:
    """sslyze's cipher commands, in the virtual environment of this Python."""
    options = ["--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"]
    words = [str(python.with_name("sslyze")), "--starttls=smtp", *options, "--json_out=-"]
    return Scanner(
        "sslyze",
        lambda host, port: [*words, f"{host}:{port}"],
        lambda out: read_sslyze(out, "accepted_cipher_suites"),
        lambda out: read_sslyze(out, "accepted_cipher_suites", "rejected_cipher_suites"),
        "sslyze tells them neither as accepted nor as rejected: its OpenSSL 1.0.2e lacks them, or "
        "its 1.1.1 allows them not at the security level that it is left at",
    )


def read_ours(out: str) -> Pairs:
    """Our JSON."""
    suites = json.loads(out)["accepted"]
    return frozenset((Protocol(one["protocol"]), int(one["code"], 16)) for one in suites)


def read_nmap(out: str) -> Pairs:
    """``|   TLSv1.2:`` and below it ``|       TLS_RSA_WITH_AES_128_CBC_SHA (rsa 2048) - A``."""
    found, now = set(), None
    for line in out.splitlines():
        if heading := re.fullmatch(r"\|   ((?:TLS|SSL)v[\d.]+): *", line):
            now = protocol(heading[1])
        elif (suite := re.match(r"\|       (TLS_\w+|SSL_\w+) ", line)) and now is not None:
            found.add((now, _code(suite[1].replace("_AKE_WITH_", "_"))))
    return frozenset(found)


def nmap_asks(table: str) -> Pairs:
    """``["TLS_RSA_WITH_NULL_MD5"] = 0x0001,`` of tls.lua; from SSLv3 on."""
    codes = {
        int(found, 16) for found in re.findall(r"\bTLS_\w+\"?\]? *= *0x([0-9A-Fa-f]{4})", table)
    }
    return _speaking(codes, TLS)


def read_sslscan(out: str) -> Pairs:
    """``<cipher status="accepted" sslversion="TLSv1.2" id="0xC030" …/>``."""
    rows = ElementTree.fromstring(out).iter("cipher")
    return frozenset(
        (protocol(one.attrib["sslversion"]), int(one.attrib["id"], 16)) for one in rows
    )


def sslscan_asks(listed: str) -> Pairs:
    """``0xC0,0x30 - ECDHE-RSA-AES256-GCM-SHA384 …`` of openssl-ciphers(1)."""
    codes = {int(a + b, 16) for a, b in re.findall(r"0x(\w\w),0x(\w\w) - ", listed)}
    return _speaking(codes, TLS[1:])


def read_sslyze(out: str, *lists: str) -> Pairs:
    """Its JSON: by version, the suites of these lists by the registry's names."""
    (server,) = json.loads(out)["server_scan_results"]
    found = set()
    for key, part in server["scan_result"].items():
        if key.endswith("_cipher_suites") and part["status"] == "COMPLETED":
            version = protocol(part["result"]["tls_version_used"])
            for one in (one for name in lists for one in part["result"][name]):
                found.add((version, _code(one["cipher_suite"]["name"])))
    return frozenset(found)


def _code(name: str) -> int:
    """A suite's number.

    Raises:
        KeyError: our table has no suite of that name, which is worth knowing.
    """
    return _CODES[name]


def _speaking(codes: set[int], protocols: tuple[Protocol, ...]) -> Pairs:
    return frozenset(
        (protocol, one.code)
        for protocol in protocols
        for one in all_ciphers()
        if one.speaks(protocol) and one.code in codes
    )


def _output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
