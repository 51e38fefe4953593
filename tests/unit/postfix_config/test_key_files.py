"""Which scenarios share a container, and which cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.base_settings import base_lines_replaced_by
from harness.postfix_config.key_files import (
    FileKind,
    chain_kinds,
)
from harness.run.container_groups import groups
from harness.scenarios.instance import candidate_files
from harness.scenarios.scenario import Scenario

RSA = "smtpd_tls_cert_file = /tls/mx.pem\nsmtpd_tls_key_file = /tls/key\n"
EC = "smtpd_tls_eccert_file = /tls/mx.pem\nsmtpd_tls_eckey_file = /e\n"


def scenario(name: str, main: str, **files: str) -> Scenario:
    """A scenario with a main.cf, and further files."""
    paths = {f"/etc/{file}": text for file, text in files.items()}
    return Scenario(name, "T", "S", "C", main_cf=main, files=paths)


def test_scenarios_with_different_files_at_one_path_are_separated() -> None:
    """Otherwise both would use the later one's file, and cells would show a wrong certificate."""
    scenarios = [scenario("rsa", RSA), scenario("ec", EC), scenario("same", RSA)]
    assert groups(scenarios) == (("rsa", "same"), ("ec",))


def test_scenarios_with_the_same_or_with_separate_files_share_a_container() -> None:
    """Files below the instance's folder belong to that instance only."""
    first = "smtpd_tls_dh1024_param_file = $config_directory/dh.pem\n"
    second = "smtpd_tls_dh512_param_file = ${config_directory}/dh.pem\n"
    scenarios = [scenario("a", first), scenario("b", second), scenario("c", "")]
    assert groups(scenarios) == (("a", "b", "c"),)


def test_a_scenario_with_system_wide_files_is_alone() -> None:
    """An openssl.cnf of one scenario must not govern the others' instances."""
    system = scenario("cnf", "", ssl="MinProtocol = TLSv1.2")
    with_map = Scenario("map", "T", "S", "C", files={"config_directory/map": "x may"})
    assert groups([scenario("a", ""), system, with_map]) == (("a", "map"), ("cnf",))


@given(st.lists(st.sampled_from([RSA, EC, ""]), max_size=8))
def test_no_scenario_is_lost_and_no_container_has_two_kinds_at_one_path(mains: list[str]) -> None:
    """Each scenario is in exactly one container, and each path has one kind of file."""
    scenarios = {str(n): scenario(str(n), main) for n, main in enumerate(mains)}
    containers = groups(scenarios.values())
    assert sorted(name for group in containers for name in group) == sorted(scenarios)
    for group in containers:
        kinds: dict[str, object] = {}
        for name in group:
            for path, kind in candidate_files(scenarios[name]).items():
                assert kinds.setdefault(path, kind) is kind


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
