"""The scanners' benchmark: what their words mean, and which differences have a reason."""

from __future__ import annotations

import json

from benchmarks.scan import find_differences
from benchmarks.scanners import nmap_asks, read_nmap, read_ours, read_sslscan, read_sslyze
from benchmarks.scanners import sslscan_asks as listed
from harness.tls import Protocol

NEW, OLD = Protocol.TLSv1_2, Protocol.TLSv1


def test_each_scanners_words_are_read() -> None:
    """Protects the comparison: one suite is the same number in four spellings."""
    nmap = """PORT   STATE SERVICE
25/tcp open  smtp
| ssl-enum-ciphers: 
|   TLSv1.0: 
|     ciphers: 
|       TLS_RSA_WITH_AES_128_CBC_SHA (rsa 2048) - A
|     compressors: 
|       NULL
|   TLSv1.3: 
|     ciphers: 
|       TLS_AKE_WITH_AES_128_GCM_SHA256 (ecdh_x25519) - A
|_  least strength: A
"""  # noqa: W291 — as nmap prints it
    assert read_nmap(nmap) == {(OLD, 0x2F), (Protocol.TLSv1_3, 0x1301)}
    sslscan = (
        '<document><ssltest><cipher status="preferred" sslversion="TLSv1.0" id="0x002F" />'
        '<cipher status="accepted" sslversion="TLSv1.2" id="0xC030" /></ssltest></document>'
    )
    assert read_sslscan(sslscan) == {(OLD, 0x2F), (NEW, 0xC030)}
    suites = [{"cipher_suite": {"name": "TLS_RSA_WITH_AES_128_CBC_SHA"}}]
    result = {"tls_version_used": "TLS_1_2", "accepted_cipher_suites": suites}
    part = {"status": "COMPLETED", "result": result}
    sslyze = {"server_scan_results": [{"scan_result": {"tls_1_2_cipher_suites": part}}]}
    assert read_sslyze(json.dumps(sslyze), "accepted_cipher_suites") == {(NEW, 0x2F)}
    ours = {"accepted": [{"protocol": "TLSv1.2", "code": "002f"}]}
    assert read_ours(json.dumps(ours)) == {(NEW, 0x2F)}


def test_what_a_scanner_can_ask_for_is_read_from_itself() -> None:
    """Protects the reasons: a suite that is in the scanner's own table is no excuse."""
    table = '  ["TLS_RSA_WITH_AES_128_CBC_SHA"]                      =  0x002F,\n'
    assert (Protocol.SSLv3, 0x2F) in nmap_asks(table)
    assert (Protocol.SSLv2, 0x2F) not in nmap_asks(table)
    row = "          0x00,0x2F - AES128-SHA              SSLv3   Kx=RSA  Au=RSA\n"
    assert (OLD, 0x2F) in listed(row)
    assert (Protocol.SSLv3, 0x2F) not in listed(row)


def test_a_difference_has_a_reason_only_where_the_other_cannot_ask() -> None:
    """Protects from excuses: what the other found and we did not never has one."""
    ours, other = frozenset({(NEW, 0x2F), (NEW, 0x35)}), frozenset({(NEW, 0x35), (NEW, 0xC030)})
    explained, unexplained = find_differences(ours, other, asks=other)
    assert explained == ["TLSv1.2 TLS_RSA_WITH_AES_128_CBC_SHA: ours alone"]
    assert unexplained == ["TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: not ours"]
    pairs = frozenset({*other, (NEW, 0x2F)})
    assert find_differences(ours, other, pairs)[0] == []
