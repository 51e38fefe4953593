"""The scanners that the scan is compared with: how each is called, and how its output is read.

A scanner's result is a set of pairs of a protocol and a suite's number. Which suites it can offer
is read from the scanner itself, so that differences are explained by facts.
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
TLS = tuple(protocol for protocol in Protocol if protocol.rank >= Protocol.SSLv3.rank)
_NAMES = {"TLSv1.0": "TLSv1", "TLS_1_0": "TLSv1", "TLS_1_1": "TLSv1.1", "TLS_1_2": "TLSv1.2"}
_NAMES |= {"TLS_1_3": "TLSv1.3", "SSL_3_0": "SSLv3", "SSL_2_0": "SSLv2"}
_CODES = {cipher.iana: cipher.code for cipher in all_ciphers()}
#: nmap's library of TLS, with the suites that it knows.
NMAP_TABLE = Path("/usr/share/nmap/nselib/tls.lua")


@dataclass(frozen=True, slots=True)
class Scanner:
    """``command``: for a host and a port. ``read``: the accepted pairs in its standard output.

    ``asks``: all pairs that it offered, by that output; ``why``: the reason why no others.
    """

    name: str
    command: Callable[[str, int], list[str]]
    read: Callable[[str], Pairs]
    asks: Callable[[str], Pairs]
    why: str


def protocol_by_name(name: str) -> Protocol:
    """A protocol by the name that any of the scanners uses."""
    return Protocol(_NAMES.get(name, name))


def our_scanner(*options: str) -> Scanner:
    """Our own scan, as users call it."""
    command = [str(Path(sys.executable).with_name("postfix-matrix")), "scan", "--json", *options]
    every = frozenset(
        (p, cipher.code) for p in Protocol for cipher in all_ciphers() if cipher.belongs_to(p)
    )
    return Scanner(
        " ".join(["scan", *options]),
        lambda host, port: [*command, f"{host}:{port}"],
        read_ours,
        lambda _: every,
        "",
    )


def nmap_scanner() -> Scanner:
    """``nmap --script ssl-enum-ciphers``: it uses STARTTLS on the registered ports only."""
    command = ["nmap", "-Pn", "-n", "--script", "ssl-enum-ciphers"]
    return Scanner(
        "nmap",
        lambda host, port: [*command, f"-p{port}", host],
        read_nmap,
        lambda _: nmap_asks(NMAP_TABLE.read_text(encoding="utf-8")),
        f"{NMAP_TABLE} has no such suite, and ssl-enum-ciphers no SSLv2",
    )


def sslscan_scanner() -> Scanner:
    """sslscan without the tests that are not about protocols and ciphers."""
    off = ("fallback", "renegotiation", "compression", "heartbleed", "groups", "check-certificate")
    command = ["sslscan", "--starttls-smtp", *(f"--no-{test}" for test in off), "--xml=-"]
    return Scanner(
        "sslscan",
        lambda host, port: [*command, f"{host}:{port}"],
        read_sslscan,
        lambda _: sslscan_asks(
            _command_output("openssl", "ciphers", "-V", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        ),
        "the system's OpenSSL, which sslscan uses, has no such suite; of SSLv2 and SSLv3 it "
        "reports no ciphers",
    )


def sslyze_scanner(python: Path) -> Scanner:
    """sslyze's cipher commands, in the virtual environment of this Python."""
    options = ["--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"]
    command = [str(python.with_name("sslyze")), "--starttls=smtp", *options, "--json_out=-"]
    return Scanner(
        "sslyze",
        lambda host, port: [*command, f"{host}:{port}"],
        lambda out: read_sslyze(out, "accepted_cipher_suites"),
        lambda out: read_sslyze(out, "accepted_cipher_suites", "rejected_cipher_suites"),
        "sslyze reports them neither as accepted nor as rejected: its OpenSSL 1.0.2e does not have "
        "them, or its 1.1.1 does not allow them at its default security level",
    )


def read_ours(out: str) -> Pairs:
    """Read our JSON."""
    suites = json.loads(out)["accepted"]
    return frozenset((Protocol(suite["protocol"]), int(suite["code"], 16)) for suite in suites)


def read_nmap(out: str) -> Pairs:
    """``|   TLSv1.2:`` and below it ``|       TLS_RSA_WITH_AES_128_CBC_SHA (rsa 2048) - A``."""
    pairs, now = set(), None
    for line in out.splitlines():
        if heading := re.fullmatch(r"\|   ((?:TLS|SSL)v[\d.]+): *", line):
            now = protocol_by_name(heading[1])
        elif (suite := re.match(r"\|       (TLS_\w+|SSL_\w+) ", line)) and now is not None:
            pairs.add((now, _suite_code(suite[1].replace("_AKE_WITH_", "_"))))
    return frozenset(pairs)


def nmap_asks(table: str) -> Pairs:
    """``["TLS_RSA_WITH_NULL_MD5"] = 0x0001,`` of tls.lua; from SSLv3 on."""
    codes = {int(code, 16) for code in re.findall(r"\bTLS_\w+\"?\]? *= *0x([0-9A-Fa-f]{4})", table)}
    return _pairs_of(codes, TLS)


def read_sslscan(out: str) -> Pairs:
    """``<cipher status="accepted" sslversion="TLSv1.2" id="0xC030" …/>``."""
    rows = ElementTree.fromstring(out).iter("cipher")
    return frozenset(
        (protocol_by_name(row.attrib["sslversion"]), int(row.attrib["id"], 16)) for row in rows
    )


def sslscan_asks(listed: str) -> Pairs:
    """``0xC0,0x30 - ECDHE-RSA-AES256-GCM-SHA384 …`` of openssl-ciphers(1)."""
    codes = {int(a + b, 16) for a, b in re.findall(r"0x(\w\w),0x(\w\w) - ", listed)}
    return _pairs_of(codes, TLS[1:])


def read_sslyze(out: str, *lists: str) -> Pairs:
    """Read its JSON: for each version, the suites of these lists by their registered names."""
    (server,) = json.loads(out)["server_scan_results"]
    pairs = set()
    for key, part in server["scan_result"].items():
        if key.endswith("_cipher_suites") and part["status"] == "COMPLETED":
            version = protocol_by_name(part["result"]["tls_version_used"])
            for suite in (suite for name in lists for suite in part["result"][name]):
                pairs.add((version, _suite_code(suite["cipher_suite"]["name"])))
    return frozenset(pairs)


def _suite_code(name: str) -> int:
    """A suite's number.

    Raises:
        KeyError: our table has no suite of that name: then it is incomplete.
    """
    return _CODES[name]


def _pairs_of(codes: set[int], protocols: tuple[Protocol, ...]) -> Pairs:
    return frozenset(
        (protocol, cipher.code)
        for protocol in protocols
        for cipher in all_ciphers()
        if cipher.belongs_to(protocol) and cipher.code in codes
    )


def _command_output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
