"""Scenarios that want other key files at one path of a container that they share."""

from __future__ import annotations

import pytest

from harness.config.instance import candidate_files
from harness.config.keyfiles import Conflict, FileKind, check_files, conflicting_files
from harness.config.scenario import Scenario
from harness.errors import ExitCode, UsageError


def scenario(name: str, main: str) -> Scenario:
    """A scenario with a main.cf."""
    return Scenario(name, "T", "S", "C", main_cf=main)


def test_scenarios_that_want_other_files_at_one_path_are_refused() -> None:
    """The later one's file would lie there for both, and cells would be of a wrong certificate."""
    wanted = {
        one.id: candidate_files(one)
        for one in (
            scenario("rsa", "smtpd_tls_cert_file = /tls/mx.pem\nsmtpd_tls_key_file = /tls/key\n"),
            scenario("ec", "smtpd_tls_eccert_file = /tls/mx.pem\nsmtpd_tls_eckey_file = /e\n"),
            scenario("same", "smtpd_tls_cert_file = /tls/mx.pem\n"),
        )
    }
    rsa, ec = FileKind.RSA_CERTIFICATE, FileKind.EC_CERTIFICATE
    assert conflicting_files(wanted) == [
        Conflict("/tls/mx.pem", "rsa", rsa, "ec", ec),
        Conflict("/tls/mx.pem", "ec", ec, "same", rsa),
    ]
    with pytest.raises(UsageError) as caught:
        check_files(wanted)
    assert caught.value.exit_code is ExitCode.USAGE
    for word in ("/tls/mx.pem", "'RSA certificate' for rsa", "'EC certificate' for ec"):
        assert word in caught.value.what
    assert "without ec" in caught.value.next_step


def test_scenarios_with_the_same_files_or_files_of_their_own_may_share_a_run() -> None:
    """All share the base's certificate; $config_directory is another folder for each."""
    wanted = {
        one.id: candidate_files(one)
        for one in (
            scenario("none", ""),
            scenario("rsa", "smtpd_tls_cert_file = $config_directory/mx.pem\n"),
            scenario("ec", "smtpd_tls_eccert_file = $config_directory/mx.pem\n"),
        )
    }
    assert all(len(files) >= 2 for files in wanted.values())
    assert conflicting_files(wanted) == []
    check_files(wanted)
