"""The scan against a real Postfix, and against servers that are none."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docker.conftest import CLI
from tests.schema_files import faults

pytestmark = pytest.mark.docker


def scan(*words: str) -> tuple[int, dict[str, Any], str]:
    """The exit code, the map, which keeps its schema, and what was said beside it."""
    done = subprocess.run(
        [*CLI, "scan", "--json", "-q", *words], capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout) if done.stdout else {}
    assert not found or faults("scan", found) == []
    return done.returncode, found, done.stderr


def accepted(found: dict[str, Any], protocol: str) -> set[str]:
    """The suites of one version."""
    return {one["cipher"] for one in found["accepted"] if one["protocol"] == protocol}


def test_the_map_of_debian_12_is_what_its_openssl_has() -> None:
    """Protects the map: as many suites as other scanners see on this very server, in each version.

    nmap, sslscan and sslyze find 91 on Postfix 3.7 with OpenSSL 3.0 (docs/scan.md).
    """
    code, found, said = scan("debian-12", "--ciphers-only")
    assert code == 0, said
    assert found["not_measured"] == found["groups"] == {}
    assert accepted(found, "SSLv2") == accepted(found, "SSLv3") == set()
    assert len(accepted(found, "TLSv1")) == len(accepted(found, "TLSv1.1")) == 16
    assert {"ECDHE-RSA-AES256-GCM-SHA384", "AES128-SHA"} <= accepted(found, "TLSv1.2")
    assert len(found["accepted"]) == 91
    assert len(accepted(found, "TLSv1.3")) == 3
    assert set(found["order"].values()) == {"client"}
    assert found["handshakes"] <= len(found["accepted"]) + 24


def test_a_configuration_is_seen_in_the_map(tmp_path: Path) -> None:
    """Protects what it is for: a protocol list, an exclusion and the server's preference show."""
    folder = tmp_path / "strict"
    folder.mkdir()
    (folder / "scenario.toml").write_text('title = "t"\nsource = "a test"\nclaim = "Strict."\n')
    (folder / "main.cf").write_text(
        "smtpd_tls_protocols = TLSv1.2\nsmtpd_tls_exclude_ciphers = aNULL, kRSA\n"
        "tls_preempt_cipherlist = yes\n"
    )
    code, found, said = scan("debian-12", "-s", "strict", "--scenarios-dir", str(tmp_path))
    assert code == 0, said
    assert {one["protocol"] for one in found["accepted"]} == {"TLSv1.2"}
    suites = accepted(found, "TLSv1.2")
    assert "ECDHE-RSA-AES256-GCM-SHA384" in suites
    assert not suites & {"AES128-SHA", "ADH-AES128-SHA", "AECDH-AES128-SHA"}
    assert found["order"] == {"TLSv1.2": "server"}


def test_a_configuration_of_ones_own_is_scanned(tmp_path: Path) -> None:
    """Protects --config: a folder's main.cf and master.cf are what is scanned, each where it acts.

    A second certificate, of another kind of key, shows as such.
    """
    (tmp_path / "main.cf").write_text(
        "smtpd_tls_security_level = may\n"
        "smtpd_tls_cert_file = /etc/ssl/rsa.pem\nsmtpd_tls_key_file = /etc/ssl/rsa.key\n"
        "smtpd_tls_eccert_file = /etc/ssl/ec.pem\nsmtpd_tls_eckey_file = /etc/ssl/ec.key\n"
        "smtpd_tls_protocols = >=TLSv1.2\n"
    )
    (tmp_path / "master.cf").write_text(
        "submission inet n - n - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"
        "  -o smtpd_tls_mandatory_protocols=>=TLSv1.3\n"
    )
    code, found, said = scan("debian-12", "--config", str(tmp_path))
    assert code == 0, said
    assert {one["protocol"] for one in found["accepted"]} == {"TLSv1.2", "TLSv1.3"}
    assert [(one["key"], one["seen"]) for one in found["certificates"]] == [
        ("EC secp256r1", ["TLSv1.2", "TLSv1.3"]),
        ("RSA", ["TLSv1.2", "TLSv1.3"]),
    ]
    code, found, said = scan("debian-12", "--config", str(tmp_path), "-S", "submission")
    assert code == 0, said
    assert {one["protocol"] for one in found["accepted"]} == {"TLSv1.3"}


def test_a_server_that_allows_one_connection_at_a_time_is_mapped_whole(tmp_path: Path) -> None:
    """Protects the scan of careful servers: a 421 is no refusal, and fewer connections follow."""
    (tmp_path / "main.cf").write_text(
        "smtpd_tls_security_level = may\n"
        "smtpd_tls_cert_file = /etc/ssl/rsa.pem\nsmtpd_tls_key_file = /etc/ssl/rsa.key\n"
        "tls_preempt_cipherlist = yes\n"
    )
    (tmp_path / "master.cf").write_text(
        "smtp inet n - n - - smtpd\n  -o smtpd_client_connection_count_limit=1\n"
        "  -o smtpd_client_event_limit_exceptions=\n"
    )
    code, found, said = scan("debian-12", "--config", str(tmp_path), "--ciphers-only")
    assert code == 0, said
    assert len(found["accepted"]) == 91
    assert found["not_measured"] == {}
    assert found["handshakes"] > 118
    assert set(found["order"].values()) == {"server"}


def test_groups_primes_and_certificates_of_debian_12() -> None:
    """Protects the details on a real Postfix: its curves, its primes, its one certificate."""
    code, found, said = scan("debian-12")
    assert code == 0, said
    assert set(found["groups"]) == {"TLSv1.2", "TLSv1.3"}
    for names in found["groups"].values():
        assert {"X25519", "secp256r1", "secp384r1"} <= set(names)
        assert not any("MLKEM" in name for name in names)
    assert found["dh_bits"]["DHE"] == [2048]
    (certificate,) = found["certificates"]
    assert (certificate["key"], certificate["bits"]) == ("RSA", 2048)
    assert certificate["seen"] == ["TLSv1.2", "TLSv1.3"]
    assert found["weakest"]["protocol"] == ["TLSv1"]
    assert "ECDHE anonymous" in found["weakest"]["key exchange"]


def test_ml_kem_is_seen_where_openssl_has_it() -> None:
    """Protects hybrids: a server of OpenSSL 3.5 or later takes X25519MLKEM768, and tells so."""
    code, found, said = scan("debian-forky", "-S", "submissions")
    assert code == 0, said
    assert "X25519MLKEM768" in found["groups"]["TLSv1.3"]
    assert "X25519MLKEM768" not in found["groups"].get("TLSv1.2", [])
    assert [one["seen"] for one in found["certificates"]] == [["TLSv1.2", "TLSv1.3"]]


def test_an_old_server_has_no_tls13_and_is_mapped_all_the_same() -> None:
    """Protects old servers: Postfix 3.1 with OpenSSL 1.0.2, whose TLSv1.2 is the newest."""
    code, found, said = scan("ubuntu-16.04")
    assert code == 0, said
    assert found["not_measured"] == {}
    assert accepted(found, "TLSv1.3") == set()
    assert "ECDHE-RSA-AES256-SHA" in accepted(found, "TLSv1")
    assert set(found["groups"]) == {"TLSv1.2"}
    assert [one["seen"] for one in found["certificates"]] == [["TLSv1.2"]]


def test_a_port_with_nobody_is_not_measured_and_no_refusal() -> None:
    """Protects from a map of nothing: no connection is told as such, with another exit code."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, found, said = scan(f"127.0.0.1:{port}")
    assert (code, found) == (3, {})
    assert "cannot be reached" in said


def test_a_server_that_is_no_smtp_server_is_told() -> None:
    """Protects who names a wrong port: the server's own words, and what to do."""
    script = (
        "import socket;s=socket.socket();s.bind(('127.0.0.1',0));s.listen(64);"
        "print(s.getsockname()[1],flush=True)\n"
        "while True: s.accept()[0].sendall(b'SSH-2.0-OpenSSH_9\\r\\n')"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        port = one.stdout.readline().strip()
        code, _, said = scan(f"127.0.0.1:{port}")
        one.kill()
    assert code == 3
    assert "is not an SMTP server" in said


def test_a_server_that_never_answers_is_told_soon() -> None:
    """Protects who forgets --implicit: four probes of five seconds, not four hundred seconds."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        code, found, said = scan(f"127.0.0.1:{silent.getsockname()[1]}")
    assert (code, found) == (3, {})
    assert "answers no hello: no answer in 5 s" in said
    assert "--implicit" in said
