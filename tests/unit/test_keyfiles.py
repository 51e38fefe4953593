"""Which scenarios share a container, and which cannot."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.config.instance import candidate_files
from harness.config.scenario import Scenario
from harness.config.sharing import groups

RSA = "smtpd_tls_cert_file = /tls/mx.pem\nsmtpd_tls_key_file = /tls/key\n"
EC = "smtpd_tls_eccert_file = /tls/mx.pem\nsmtpd_tls_eckey_file = /e\n"


def scenario(name: str, main: str, **files: str) -> Scenario:
    """A scenario with a main.cf, and further files."""
    paths = {f"/etc/{file}": text for file, text in files.items()}
    return Scenario(name, "T", "S", "C", main_cf=main, files=paths)


def test_scenarios_that_want_other_files_at_one_path_are_kept_apart() -> None:
    """The later one's file would lie there for both, and cells would be of a wrong certificate."""
    wanted = [scenario("rsa", RSA), scenario("ec", EC), scenario("same", RSA)]
    assert groups(wanted) == (("rsa", "same"), ("ec",))


def test_scenarios_with_the_same_files_or_files_of_their_own_share_a_container() -> None:
    """Files below the instance's own folder are nobody else's."""
    own = "smtpd_tls_dh1024_param_file = $config_directory/dh.pem\n"
    other = "smtpd_tls_dh512_param_file = ${config_directory}/dh.pem\n"
    wanted = [scenario("a", own), scenario("b", other), scenario("c", "")]
    assert groups(wanted) == (("a", "b", "c"),)


def test_a_scenario_with_files_of_everybodys_is_alone() -> None:
    """An openssl.cnf of one scenario must not govern the others' instances."""
    system = scenario("cnf", "", ssl="MinProtocol = TLSv1.2")
    beside = Scenario("map", "T", "S", "C", files={"config_directory/map": "x may"})
    assert groups([scenario("a", ""), system, beside]) == (("a", "map"), ("cnf",))


@given(st.lists(st.sampled_from([RSA, EC, ""]), max_size=8))
def test_nobody_is_lost_and_no_container_has_two_kinds_at_one_path(mains: list[str]) -> None:
    """Whatever is asked for, each scenario is in one container, and each path has one kind."""
    wanted = {str(n): scenario(str(n), main) for n, main in enumerate(mains)}
    found = groups(wanted.values())
    assert sorted(name for group in found for name in group) == sorted(wanted)
    for group in found:
        kinds: dict[str, object] = {}
        for name in group:
            for path, kind in candidate_files(wanted[name]).items():
                assert kinds.setdefault(path, kind) is kind
