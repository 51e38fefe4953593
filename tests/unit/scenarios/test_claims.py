"""What scenario.toml claims, what it is measured with, and collections of scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.plan import Plan
from harness.catalog.versions import Constraint, Version
from harness.errors import FileError, NothingSelectedError, UsageError
from harness.outcomes import Outcome
from harness.run.choosing import (
    Selection,
    choose_scenarios,
)
from harness.run.planning import make_plan
from harness.scenarios.expectations import (
    CLAIMABLE,
    Effect,
    Expectation,
    Trust,
    Where,
)
from harness.scenarios.policies import load_policies
from harness.scenarios.scenario import (
    ScenarioErrors,
    load_scenario,
    load_scenarios,
)
from harness.tls import Protocol, Service

GOOD = 'title = "T"\nsource = "S"\nclaim = "C."\n'
ABOUT = GOOD + (
    'services = ["smtp"]\nclients = ["openssl-3.5.7"]\noffers = ["TLSv1", "TLSv1.2+ciphers=A:B"]\n'
)


def scenario(root: Path, name: str, text: str = GOOD) -> Path:
    """A scenario's folder below a root."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "scenario.toml").write_text(text)
    return folder


def expecting(root: Path, *lines: str) -> tuple[Expectation, ...]:
    """The expectations of a scenario with these lines below one ``[[expect]]``."""
    text = GOOD + "[[expect]]\n" + "\n".join(lines) + "\n"
    return load_scenario(scenario(root, "some", text)).claims.expectations


def test_an_expectation_arrives_whole(tmp_path: Path) -> None:
    """Protects the claim: each selector and each wish is read as it was written."""
    (expectation,) = expecting(
        tmp_path,
        'says = "so it is"',
        'builds = ["debian-*"]',
        'postfix = ">=2.5,<3.6"',
        'services = "smtp"',
        'offers = ["TLSv1*"]',
        'outcome = "accepted"',
        'protocol = "<=TLSv1.1"',
        'cipher_not = ["*RC4*"]',
    )
    assert expectation == Expectation(
        where=(
            Where(
                builds=("debian-*",),
                postfix=Constraint.parse(">=2.5,<3.6"),
                services=("smtp",),
                offers=("TLSv1*",),
            ),
        ),
        outcome=(Outcome.ACCEPTED,),
        protocol=(Protocol.SSLv2, Protocol.SSLv3, Protocol.TLSv1, Protocol.TLSv1_1),
        cipher_not=("*RC4*",),
        says="so it is",
    )
    assert expectation.line == 4
    assert expectation.fits_build("debian-11", Version.parse("3.5.25"), None)
    assert not expectation.fits_build("debian-12", Version.parse("3.7.11"), None)
    assert not expectation.fits_build("debian-12", None, None)
    assert expectation.fits_place("smtp", "any", "TLSv1.3")
    assert not expectation.fits_place("submission", "any", "TLSv1.3")


@pytest.mark.parametrize(
    ("line", "key", "message"),
    [
        ('outcome = "refusd"', "expect.outcome", "refused, or another of accepted, plaintext"),
        ('outcome = "error"', "expect.outcome", "cannot be 'error'"),
        ('protocol = "TLS1.2"', "expect.protocol", "unknown protocol"),
        ('protocol = "TLSv1.2..TLSv1"', "expect.protocol", "wrong way round"),
        ('postfix = ">=3.6,<2.5"\noutcome = "refused"', "expect.postfix", "wrong way round"),
        ('openssl = "1.1"\noutcome = "refused"', "expect.openssl", "not a constraint"),
        ('services = ["imap"]\noutcome = "refused"', "expect.services", "no service matches"),
        ('policy = "tls12"', "expect.policy", "no policy 'tls12'"),
        ('policy = "delivers-from"', "expect.policy", 'delivers-from = ["GLOB", ...]'),
        ('policy = {tls12-or-newer = ["x"]}', "expect.policy", '"tls12-or-newer"'),
        ('policy = "no-ssl"\noutcome = "refused"', "expect.outcome", "separate"),
        ('outcome = "refused"\nprotocol = "TLSv1"', "expect.protocol", "nothing is negotiated"),
        ('outcome = "accepted"\nreason = "closed"', "expect.reason", "no reason"),
        ('effect = "none"\noutcome = "refused"', "expect.effect", "separate"),
        ('effect = "maybe"', "expect.effect", "of none, some"),
        ('outcome = "refused"\nproto = "TLSv1"', "expect.proto", "expected protocol"),
        ('says = "nothing"', "expect", "expects nothing"),
    ],
)
def test_a_bad_expectation_is_refused_by_line_and_key(
    tmp_path: Path, line: str, key: str, message: str
) -> None:
    """A wrong claim is refused with file, line and key before anything runs."""
    with pytest.raises(ScenarioErrors) as caught:
        expecting(tmp_path, line)
    (error,) = caught.value.errors
    assert (error.place.file.name, error.place.key) == ("scenario.toml", key)
    assert error.place.line is not None
    assert error.place.line >= 4
    assert message in str(error)


def test_the_line_is_that_of_the_right_table(tmp_path: Path) -> None:
    """Protects the reader of a long file: of two tables with one key the wrong one is named."""
    text = (
        GOOD + '[[expect]]\noutcome = "refused"\n\n[[expect]]\noutcome = "no"\n[applies]\nx = 1\n'
    )
    with pytest.raises(ScenarioErrors) as caught:
        load_scenario(scenario(tmp_path, "some", text))
    assert [(e.place.line, e.place.key) for e in caught.value.errors] == [
        (10, "applies.x"),
        (8, "expect.outcome"),
    ]


@given(
    st.builds(
        Expectation,
        where=st.tuples(
            st.builds(
                Where,
                builds=st.tuples(st.text("ab*", min_size=1)),
                postfix=st.none() | st.just(Constraint.parse(">=2.5,<3.6")),
                services=st.just(()) | st.just(("smtp",)),
            )
        ),
        outcome=st.lists(st.sampled_from(CLAIMABLE), unique=True).map(tuple),
        protocol=st.lists(st.sampled_from(Protocol), unique=True).map(tuple),
        cipher=st.lists(st.text("AB*-", min_size=1), max_size=2).map(tuple),
        trust=st.lists(st.sampled_from(Trust), unique=True).map(tuple),
        effect=st.none() | st.sampled_from(Effect),
        says=st.none() | st.text(min_size=1),
    )
)
def test_an_expectation_reads_back_from_a_runs_record(expectation: Expectation) -> None:
    """Protects verdicts made elsewhere: what run.json keeps is the whole expectation."""
    assert Expectation.from_data(expectation.to_data()) == expectation


def test_a_policy_stands_for_its_expectations_within_the_selectors(tmp_path: Path) -> None:
    """Protects policies: they are judged where scenario.toml says, and about whom it says."""
    strict = expecting(tmp_path / "a", 'services = ["smtp"]', 'policy = "tls12-or-newer"')
    assert [expectation.policy for expectation in strict] == ["tls12-or-newer"] * 2
    assert all(expectation.fits_place("smtp", "c", "TLSv1.2") for expectation in strict)
    assert not any(expectation.fits_place("submission", "c", "TLSv1.2") for expectation in strict)
    (shops,) = expecting(tmp_path / "b", 'policy = {delivers-from = ["php*"]}')
    assert shops.fits_place("smtp", "phpmailer", "default")
    assert not shops.fits_place("smtp", "openssl", "default")


def test_a_users_policies_add_to_the_tools(tmp_path: Path) -> None:
    """Users add policies in a file in the folder of the scenarios; names stay unique."""
    users_policy = (
        '[[policy]]\nname = "mine"\nabout = "x"\n[[policy.expect]]\noutcome = "accepted"\n'
    )
    scenario(tmp_path, "some", GOOD + '[[expect]]\npolicy = "mine"\n')
    with pytest.raises(ScenarioErrors, match="no policy 'mine'"):
        load_scenarios(tmp_path)
    (tmp_path / "policies.toml").write_text(users_policy)
    assert load_scenarios(tmp_path)["some"].claims.expectations[0].policy == "mine"
    (tmp_path / "policies.toml").write_text(users_policy.replace("mine", "no-ssl"))
    with pytest.raises(ScenarioErrors, match="the tool has a policy of that name"):
        load_scenarios(tmp_path)


_EXPECT = '[[policy.expect]]\noutcome = "accepted"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "unknown key"),
        ('[[policy]]\nname = "a"\n', "expect: this key is missing"),
        (f'[[policy]]\nname = "a"\noffers = ["x"]\n{_EXPECT}', "policy.a.offers"),
        ('[[policy]]\nname = "a"\n[[policy.expect]]\noutcome = "x"\n', "policy.a.expect.outcome"),
        (f'[[policy]]\nname = "a"\nfoo = 1\n{_EXPECT}', "policy.foo: unknown key"),
        ("[[policy", "is not TOML"),
    ],
)
def test_a_bad_policy_is_named(tmp_path: Path, text: str, message: str) -> None:
    """Errors in a user's policy are reported with file and key."""
    (tmp_path / "policies.toml").write_text(text)
    with pytest.raises(FileError, match=r"policies\.toml") as caught:
        load_policies(tmp_path)
    assert message in str(caught.value)


def test_a_collection_is_run_when_it_is_named(tmp_path: Path) -> None:
    """Protects a run without options from growing by a hundred pieces of advice."""
    for name in ("defaults", "one", "corpus/one-more", "corpus/two"):
        scenario(tmp_path, name)
    (tmp_path / "corpus" / "README.md").write_text("what these are")
    scenarios = load_scenarios(tmp_path)
    assert list(scenarios) == ["defaults", "one", "one-more", "two"]
    assert scenarios["two"].name == "corpus/two"

    def chosen(*globs: str) -> tuple[str, ...]:
        return choose_scenarios(globs, scenarios)

    assert chosen() == ("defaults", "one")
    assert chosen("*") == chosen()
    assert chosen("corpus/*") == ("one-more", "two")
    assert chosen("two", "one*") == ("one", "two")
    assert chosen("corpus/*", "!two") == ("one-more",)
    assert chosen("!one") == ("defaults",)
    with pytest.raises(UsageError, match="no scenario matches 'corpse/"):
        chosen("corpse/*")
    with pytest.raises(NothingSelectedError):
        chosen("two", "!corpus/two")


def test_one_id_in_two_collections_is_an_error(tmp_path: Path) -> None:
    """Protects cells' ids: a scenario's name has one meaning."""
    scenario(tmp_path, "a/same")
    scenario(tmp_path, "b/same")
    with pytest.raises(ScenarioErrors, match="has the same name as a/same"):
        load_scenarios(tmp_path)


def test_an_effect_is_against_a_scenario_that_is_there(tmp_path: Path) -> None:
    """An effect without a baseline configuration is refused before the run."""
    scenario(tmp_path, "some", GOOD + 'against = "plain"\n[[expect]]\neffect = "some"\n')
    with pytest.raises(ScenarioErrors, match="there is no scenario 'plain'"):
        load_scenarios(tmp_path)


def planned(root: Path, selection: Selection) -> Plan:
    """The plan of one build."""
    return make_plan(selection, load_scenarios(root), ["debian-12"])


def test_a_scenario_is_measured_with_what_it_is_about(tmp_path: Path) -> None:
    """Protects the corpus's size, and its baseline: it is measured with the same cells."""
    scenario(tmp_path, "defaults")
    scenario(tmp_path, "narrow", ABOUT + '[[expect]]\neffect = "some"\n')
    plan = planned(tmp_path, Selection(scenarios=("narrow",)))
    cells = [cell.id.partition("/")[2] for cell in plan.cells()]
    tail = ["smtp/openssl-3.5.7/TLSv1", "smtp/openssl-3.5.7/TLSv1.2+ciphers=A:B"]
    assert cells == [f"{name}/{ending}" for name in ("defaults", "narrow") for ending in tail]
    assert len(plan) == 4
    both = planned(tmp_path, Selection())
    assert list(Plan.from_axes(both.axes()).cells()) == list(both.cells())
    assert len(both) == len(list(both.cells()))
    assert {c.id for c in plan.cells()} <= {c.id for c in both.cells()}
    assert set(both.scopes) == {"narrow"}


def test_the_command_line_names_other_clients_and_offers(tmp_path: Path) -> None:
    """Protects the curious: advice can be tried with any client, but not where it is not about."""
    scenario(tmp_path, "narrow", ABOUT)
    plan = planned(tmp_path, Selection(clients=("curl-debian12",), offers=("default",)))
    (cell,) = plan.cells()
    assert cell.id == "debian-12/narrow/smtp/curl-debian12/default"
    with pytest.raises(NothingSelectedError, match="not about submission"):
        planned(tmp_path, Selection(services=("submission",)))
    assert {c.service for c in planned(tmp_path, Selection()).cells()} == {Service.SMTP}


@pytest.mark.parametrize(
    ("text", "impossible"),
    [
        (">=2.5,<3.6", False),
        (">=3.6,<2.5", True),
        (">3.6,<3.6", True),
        (">=3.6,<=3.6", False),
        ("==3.6,>=3.7", True),
        ("!=3.6", False),
    ],
)
def test_a_range_the_wrong_way_round_is_known(text: str, impossible: bool) -> None:
    """Protects selectors: a range that holds no version selects nothing, by mistake."""
    assert Constraint.parse(text).impossible is impossible
