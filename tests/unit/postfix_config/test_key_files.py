"""Which scenarios share a container, and which cannot."""

from __future__ import annotations

import pytest

from harness.adaptation.base_settings import base_lines_replaced_by
from harness.postfix_config.key_files import (
    FileKind,
    chain_kinds,
)
from harness.scenarios.instance import candidate_files
from harness.scenarios.scenario import Scenario

RSA = "smtpd_tls_cert_file = /tls/mx.pem\nsmtpd_tls_key_file = /tls/key\n"
EC = "smtpd_tls_eccert_file = /tls/mx.pem\nsmtpd_tls_eckey_file = /e\n"


def scenario(name: str, main: str, **files: str) -> Scenario:
    """A scenario with a main.cf, and further files."""
    paths = {f"/etc/{file}": text for file, text in files.items()}
    return Scenario(name, "T", "S", "C", main_cf=main, files=paths)


RSA_KEY, RSA_CERTIFICATE = FileKind.RSA_KEY, FileKind.RSA_CERTIFICATE


@pytest.mark.parametrize(
    ("paths", "kinds"),
    [
        ("/t/all.pem", [FileKind.CHAIN]),
        ("/t/rsa.pem /t/ecdsa.pem", [FileKind.CHAIN, FileKind.EC_CHAIN]),
        ("/t/ecdsa.pem /t/rsa.pem", [FileKind.EC_CHAIN, FileKind.CHAIN]),
        ("/t/one.pem /t/two.pem", [FileKind.CHAIN, FileKind.EC_CHAIN]),
        ("/t/privkey.pem /t/fullchain.pem", [RSA_KEY, RSA_CERTIFICATE]),
        ("/t/mx.key /t/mx.crt /t/issuer.crt", [RSA_KEY, RSA_CERTIFICATE, FileKind.CA]),
        ("/t/key /t/cert", [RSA_KEY, RSA_CERTIFICATE]),
        # The wrong order of the two, which Postfix refuses.
        ("/t/cert /t/key", [RSA_CERTIFICATE, RSA_KEY]),
        (
            "/t/rsa.key /t/rsa.crt /t/ec.key /t/ec.crt",
            [RSA_KEY, RSA_CERTIFICATE, FileKind.EC_KEY, FileKind.EC_CERTIFICATE],
        ),
        (
            "/t/a-key.pem /t/a.pem /t/b-key.pem /t/b.pem",
            [RSA_KEY, RSA_CERTIFICATE, FileKind.EC_KEY, FileKind.EC_CERTIFICATE],
        ),
        ("/ssl/private/a.pem /ssl/certs/a.pem", [RSA_KEY, RSA_CERTIFICATE]),
        ("/ssl/private/a.pem /ssl/private/b.pem", [FileKind.CHAIN, FileKind.EC_CHAIN]),
        ("/t/monkey.pem /t/turkey.pem", [FileKind.CHAIN, FileKind.EC_CHAIN]),
    ],
)
def test_each_form_of_chain_files_gets_what_it_needs(paths: str, kinds: list[FileKind]) -> None:
    """Protects smtpd_tls_chain_files: in every form of postconf(5) Postfix can load the files."""
    assert chain_kinds(paths.split()) == kinds


def test_a_certificate_file_without_a_key_file_holds_the_key() -> None:
    """Protects the default of smtpd_tls_key_file, which is the certificate's file."""
    files = candidate_files(scenario("one", "smtpd_tls_cert_file = /t/all.pem\n"))
    assert files == {"/t/all.pem": FileKind.CHAIN}


def test_what_the_candidate_replaces_is_not_in_the_base() -> None:
    """Protects chain files: together with the base's certificate Postfix warned of both."""
    assert base_lines_replaced_by({"smtpd_tls_chain_files"}) >= {
        "smtpd_tls_cert_file",
        "smtpd_tls_key_file",
    }
    assert "smtpd_tls_security_level" in base_lines_replaced_by({"smtpd_use_tls"})
    assert "smtpd_tls_security_level" in base_lines_replaced_by({"smtpd_enforce_tls"})
    assert base_lines_replaced_by({"smtpd_tls_eccert_file"}) == {"smtpd_tls_eccert_file"}
    assert candidate_files(scenario("chain", "smtpd_tls_chain_files = /t/all.pem\n")) == {
        "/t/all.pem": FileKind.CHAIN
    }


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ("/tls/$mydomain.pem", {"/tls/example.org.pem"}),
        ("${x?{/a.pem}:{/b.pem}}", {"/b.pem"}),
        ("${myhostname?{/a.pem}:{/b.pem}}", {"/a.pem"}),
        ("${myhostname?/$mydomain.pem}", {"/example.org.pem"}),
        ("${x:{ /b.pem }}", {"/b.pem"}),
        ("/tls/$unknown.pem", set()),
    ],
)
def test_the_expanded_value_has_its_file(value: str, paths: set[str]) -> None:
    """Without the file smtpd disabled TLS, and the server was reported to have none."""
    main = f"myhostname = mail.example.org\nsmtpd_tls_cert_file = {value}\n"
    assert set(candidate_files(scenario("a", main))) == paths
