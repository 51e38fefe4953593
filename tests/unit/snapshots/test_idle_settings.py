"""Settings that a tool changed and that no cell shows: a list for mandatory TLS under "may"."""

from __future__ import annotations

from harness.outcomes import Outcome
from harness.scenarios.scenario import Scenario
from harness.snapshots.idle_settings import find_idle_settings, is_tls_rule
from harness.snapshots.recorded_candidate import find_changes, record_candidate
from harness.snapshots.values import SessionLevel
from tests.unit.snapshots.sample_server import SampleServer, candidate, observe, places

LEVEL = SessionLevel()
BEFORE = "smtpd_tls_security_level = may\n"
MANDATORY = "smtpd_tls_mandatory_protocols = >=TLSv1.2\n"
ACTING = "smtpd_tls_protocols = !TLSv1\n"


def idle_names(now: str, server: SampleServer | None = None) -> list[str]:
    """The idle settings of a main.cf, by name, on one build."""
    server = server or SampleServer()
    scenario: Scenario = candidate(now)
    measured = server([scenario], places(builds=("debian-12",)), False)[scenario.id]
    recorded = record_candidate(candidate(BEFORE))
    return [
        change.name for change in find_idle_settings(recorded, scenario, measured, LEVEL, server)
    ]


def test_a_list_that_does_not_count_is_idle() -> None:
    """Protects from advice that looks strict and does nothing: the setting is named."""
    assert idle_names(BEFORE + MANDATORY) == ["smtpd_tls_mandatory_protocols"]


def test_a_list_that_counts_is_not_idle() -> None:
    """Protects settings that work from being called useless."""
    assert idle_names(BEFORE + MANDATORY + ACTING) == ["smtpd_tls_mandatory_protocols"]


def test_a_setting_that_is_known_to_act_is_not_measured() -> None:
    """Protects time: what a blame has shown needs no further measurement."""
    server = SampleServer()
    scenario = candidate(BEFORE + ACTING)
    measured = server([scenario], places(builds=("debian-12",)), False)[scenario.id]
    recorded = record_candidate(candidate(BEFORE))
    acting = set(find_changes(recorded, scenario))
    server.calls.clear()
    assert find_idle_settings(recorded, scenario, measured, LEVEL, server, acting) == ()
    assert server.calls == []


def test_an_unmeasured_variant_leaves_it_open() -> None:
    """Protects from a verdict without a measurement: a time-out is no "same"."""

    def time_out(name: str, place, observation):  # type: ignore[no-untyped-def]
        return observe(place, name, Outcome.TIMEOUT) if "--without" in name else observation

    assert idle_names(BEFORE + MANDATORY, SampleServer(twist=time_out)) == []


def test_only_rules_of_tls_are_tried() -> None:
    """Protects time: paths, log levels and other services' settings decide nothing of smtpd's."""
    assert is_tls_rule("smtpd_tls_mandatory_protocols")
    assert is_tls_rule("tls_preempt_cipherlist")
    for name in ("smtp_tls_protocols", "smtpd_tls_cert_file", "smtpd_tls_loglevel", "myhostname"):
        assert not is_tls_rule(name)
