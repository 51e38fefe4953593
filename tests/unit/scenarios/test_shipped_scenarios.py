"""The scenarios of the project itself: all load, and all assemble for every kind of build."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    MasterEntry,
    parse_master_cf,
)
from harness.postfix_config.ports import number_ports
from harness.scenarios.instance import (
    InstanceConfig,
    InstanceContext,
    assemble_instance,
    places_of,
)
from harness.scenarios.policies import load_policies
from harness.scenarios.scenario import (
    Scenario,
    load_scenario,
    load_scenarios,
)
from harness.tls import Service

SCENARIOS = load_scenarios(Path(__file__).parents[3] / "scenarios")
PORTS = {"smtp": 20010, "submission": 20011, "submissions": 20012}
#: The services that matter, with the chroot field of Debian, of upstream since 3.0, and before;
#: submission is there as a comment, and submissions is not.
STOCKS = {
    chroot: f"""\
smtp inet n - {chroot} - - smtpd
#submission inet n - {chroot} - - smtpd
#  -o syslog_name=postfix/submission
#  -o smtpd_tls_security_level=encrypt
#  -o smtpd_tls_auth_only=yes
smtp unix - - {chroot} - - smtp
"""
    for chroot in ("y", "n", "-")
}
BUILDS = [("2.11.0", "-"), ("3.1.0", "n"), ("3.5.25", "y"), ("3.7.11", "y"), ("3.10.13", "y")]
EXPECTED = {
    "answer-1-encrypt",
    "answer-1-exclude-long",
    "answer-1-exclude-short",
    "answer-1-mandatory-only",
    "answer-1-protocols",
    "answer-2-smtp-line",
    "asker-submission",
    "defaults",
    "duplicate-submission",
    "manual-alternative-form",
    "manual-preferred-form",
}


def built(scenario: Scenario, version: str = "3.7.11", chroot: str = "y") -> InstanceConfig:
    """A scenario's instance on a build."""
    ports = number_ports(PORTS, places_of(scenario, STOCKS[chroot], version))
    around = InstanceContext(
        scenario.id, version, f"/srv/{scenario.id}", ports, "inet:192.0.2.1:12345", STOCKS[chroot]
    )
    return assemble_instance(scenario, around)


def submission(name: str) -> list[MasterEntry]:
    """The submission entries of a scenario's instance."""
    entries = parse_master_cf(built(SCENARIOS[name]).master_cf).entries
    return [entry for entry in entries if entry.name == "20011"]


def test_every_piece_of_the_questions_advice_has_a_scenario() -> None:
    """A scenario that goes missing takes a column of the published answer with it."""
    assert set(SCENARIOS) >= EXPECTED


@pytest.mark.parametrize(("version", "chroot"), BUILDS)
@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_each_assembles_for_each_build(name: str, version: str, chroot: str) -> None:
    """Applied as written, with three services on the instance's ports, and no override by us."""
    scenario = SCENARIOS[name]
    config = built(scenario, version, chroot)
    # References to a listener follow it to its port, and that is listed (adaptation.hops).
    followed = [change for change in config.added if change.startswith("main.cf: ")]
    assert bool(followed) == (scenario.main_cf not in config.main_cf)
    ours = len(parse_main_cf(config.main_cf).overridden)
    assert ours == len(parse_main_cf(scenario.main_cf).overridden)
    inet = {e.name for e in parse_master_cf(config.master_cf).entries if e.type == "inet"}
    entries = parse_master_cf(scenario.master_cf).entries
    others = [e for e in entries if e.type == "inet" and e.service is None]
    assert inet >= {"20010", "20011", "20012"}
    assert len(inet) == 3 + len(others)
    assert config.digest == scenario.digest


def test_each_can_be_read_alone() -> None:
    """Protects ``pytest scenarios/``, which reads folder by folder, baselines included."""
    folders = [scenario.path.parent for scenario in SCENARIOS.values() if scenario.path]
    policies = load_policies(Path(__file__).parents[3] / "scenarios")
    assert len(folders) == len(SCENARIOS)
    assert {load_scenario(folder, policies).id for folder in folders} == set(SCENARIOS)


def test_each_is_a_configuration_of_its_own() -> None:
    """Two scenarios with one digest would be measured twice under two names.

    In the corpus several people may have said the same.
    """
    single = [scenario for scenario in SCENARIOS.values() if scenario.collection is None]
    assert len({scenario.digest for scenario in single}) == len(single)


def test_the_corpus_has_every_kind_of_advice_and_every_piece_claims_something() -> None:
    """A piece without an expectation could never be judged, and would look as if it had been."""
    corpus = [scenario for scenario in SCENARIOS.values() if scenario.collection == "corpus"]
    assert len(corpus) >= 80
    assert [scenario.id for scenario in corpus if not scenario.claims.expectations] == []
    categories = {
        str(scenario.notes).partition("Category: ")[2].partition(".")[0] for scenario in corpus
    }
    assert len(categories) == 18
    assert any(Service.OUTBOUND in scenario.claims.services for scenario in corpus)
    assert any(scenario.files for scenario in corpus)


def test_the_baseline_changes_nothing() -> None:
    """All others are compared with it."""
    defaults = SCENARIOS["defaults"]
    assert (defaults.main_cf, defaults.master_cf) == ("", "")


def test_the_first_answers_four_lines() -> None:
    """Each of the four parameters has the exclusions, in the answer's spelling."""
    values = parse_main_cf(SCENARIOS["answer-1-protocols"].main_cf).values
    names = [
        f"{side}_tls_{kind}protocols" for kind in ("mandatory_", "") for side in ("smtpd", "smtp")
    ]
    assert values == dict.fromkeys(names, "!SSLv2,!SSLv3,!TLSv1")


def test_the_long_list_is_one_setting_over_three_lines() -> None:
    """Its continuation lines belong to the value, so all fourteen names are excluded."""
    values = parse_main_cf(built(SCENARIOS["answer-1-exclude-long"]).main_cf).values
    excluded = [name.strip() for name in values["smtpd_tls_exclude_ciphers"].split(",")]
    assert len(excluded) == 14
    assert (excluded[0], excluded[7], excluded[-1]) == ("aNULL", "DSS", "eNULL")


def test_the_second_answers_line_goes_below_the_options_that_are_there() -> None:
    """The answer warns not to delete the others; only that option is new."""
    (control,), (entry,) = submission("defaults"), submission("answer-2-smtp-line")
    assert control.options["smtpd_tls_auth_only"] == "yes"
    assert entry.options == {**control.options, "smtp_tls_mandatory_protocols": "TLSv1"}
    assert entry.fields == control.fields


def test_the_askers_entry_takes_the_place_of_the_shipped_one() -> None:
    """The level is the asker's "may", not the shipped "encrypt"."""
    (entry,) = submission("asker-submission")
    assert entry.options["smtpd_tls_security_level"] == "may"
    assert entry.options["smtp_tls_mandatory_protocols"] == "TLSv1"
    assert len(entry.options) == 8


def test_the_duplicate_is_a_duplicate() -> None:
    """Two entries of one service, the asker's last, are what the second answer warns of."""
    first, second = submission("duplicate-submission")
    assert first.options == submission("defaults")[0].options
    assert first.options["smtpd_tls_security_level"] == "encrypt"
    assert second.options == submission("asker-submission")[0].options
