"""Which cells of an earlier run are taken over, and the reason for each that is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.catalog.cells import Cell
from harness.catalog.plan import Plan
from harness.observations.record import Observation, Outcome, TakenOver
from harness.observations.reuse import (
    CONTROL_MEASURED,
    FAILED,
    NO_NAMES,
    NOT_RECORDED,
    NOT_THERE,
    OTHER_CODE,
    OTHER_CONFIG,
    OTHER_LIMIT,
    OTHER_NAMES,
    OWN_NAMES,
    PEER_NAMES,
    TIMED_OUT,
    ReuseDecision,
    Surroundings,
    decide_reuse,
    image_names,
    inputs_of,
)
from harness.observations.run_folder import RunData
from harness.observations.run_json import Axes, ImageInfo, RunRecord
from harness.tls import Offer, Service
from tests.unit.reuse_samples import (
    CLIENT,
    CONTROL,
    CONTROLS,
    COPY,
    FORBIDDING,
    IMAGES,
    KINDS,
    LINES,
    NOW,
    PLAN,
    SETUP,
    STARTED,
    all_observations,
    observe,
    with_outcome,
)

CELLS = tuple(PLAN.cells())
TLS_CELLS = {cell.id for cell in CELLS if not cell.offer.plaintext}


def make_run(observations: Iterable[Observation], **fields: object) -> RunData:
    """A run with these observations."""
    images = {name: ImageInfo(kind, id=IMAGES[name]) for name, kind in KINDS.items()}
    run = RunRecord("before", STARTED, Axes(), images=images, measured_with=SETUP)
    return RunData(Path("before"), replace(run, **fields), tuple(observations))  # type: ignore[arg-type]


def decide(
    source: RunData | None = None,
    now: Surroundings = NOW,
    plan: Plan = PLAN,
    unusable: Mapping[str, str] | None = None,
) -> ReuseDecision:
    """The decision on a plan; without ``source`` on a run that has all of its cells."""
    return decide_reuse(source or make_run(all_observations()), plan.cells(), now, unusable or {})


def other_image(name: str) -> Surroundings:
    """The present, with another image of this name."""
    return replace(NOW, images={**IMAGES, name: "sha256:other"})


def test_where_nothing_has_changed_everything_is_taken_over() -> None:
    """A second run with nothing changed measures no cell, and has the controls' cells as well."""
    decision = decide()
    assert not decision.reasons
    assert set(decision.taken) == {cell.id for cell in CELLS}
    assert set(decision.controls) == {cell.id for cell in CONTROLS}


def test_what_is_taken_over_names_the_run_that_measured_it() -> None:
    """A chain of runs that take over leads to the run that measured, not to the last link."""
    for observation in decide().taken.values():
        assert observation.taken_over == TakenOver("before", STARTED)
    first = TakenOver("first", "2026-11-01T00:00:00Z")
    chain = make_run(replace(known, taken_over=first) for known in all_observations())
    assert {observation.taken_over for observation in decide(chain).taken.values()} == {first}


def test_another_image_of_a_build_measures_exactly_that_build() -> None:
    """After one image changed, exactly that build's cells are measured, and its copies'."""
    decision = decide(now=other_image("debian-13"))
    assert decision.reasons == {
        cell.id: "the image of debian-13 is another one"
        for cell in CELLS
        if cell.build == "debian-13"
    }
    assert set(decision.controls) == {CONTROL.id, FORBIDDING.id}


@pytest.mark.parametrize("name", [CLIENT, "sasl"])
def test_another_image_of_a_client_or_of_dovecot_measures_all_of_its_cells(name: str) -> None:
    """Both take part in every dialogue of this plan."""
    decision = decide(now=other_image(name))
    assert decision.count_reasons() == {f"the image of {name} is another one": len(CELLS)}
    assert not decision.controls


@pytest.mark.parametrize("name", [CONTROL.build, FORBIDDING.build])
def test_another_image_of_a_control_measures_what_rests_on_it(name: str) -> None:
    """A refusal is believed because of a control; without TLS none is needed."""
    assert decide(now=other_image(name)).reasons == dict.fromkeys(
        TLS_CELLS, f"the image of {name} is another one"
    )


def test_an_image_that_is_not_there_is_said_to_be_absent() -> None:
    """What would be built or pulled may be another image."""
    images = {name: image for name, image in IMAGES.items() if name != CLIENT}
    decision = decide(now=replace(NOW, images=images))
    assert set(decision.reasons.values()) == {f"the image of {CLIENT} is not on this machine"}


def test_a_control_that_the_earlier_run_did_not_need_is_no_input() -> None:
    """It starts only where another one refuses, so that most runs have no image of it."""
    more = {**IMAGES, "control-openssl-1.0.2h": "sha256:new"}
    assert not decide(now=replace(NOW, images=more)).reasons


def test_a_changed_scenario_is_measured_and_the_others_are_not() -> None:
    """The digest of a candidate is over its text."""
    changed = replace(LINES, main_cf="smtpd_tls_protocols = >=TLSv1.3\n").digest
    decision = decide(now=replace(NOW, configs={**NOW.configs, "lines": changed}))
    assert decision.reasons == {cell.id: OTHER_CONFIG for cell in CELLS if cell.scenario == "lines"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "sha256:" + "cd" * 32}, OTHER_CODE),
        ({"time_limit": 5.0}, OTHER_LIMIT),
    ],
)
def test_what_all_cells_have_in_common_measures_all_of_them(
    change: dict[str, str | float], reason: str
) -> None:
    """Results of two versions of the harness are not mixed, nor those of two time limits."""
    decision = decide(now=replace(NOW, setup=replace(SETUP, **change)))  # type: ignore[arg-type]
    assert decision.count_reasons() == {reason: len(CELLS)}


def test_another_name_server_measures_what_asks_it() -> None:
    """Postfix looks up its clients' names; the controls' Postfix asks no name server."""
    source = make_run(all_observations(), measured_with=replace(SETUP, names=OWN_NAMES))
    decision = decide(source)
    assert decision.count_reasons() == {OTHER_NAMES: len(CELLS)}
    assert set(decision.controls) == {CONTROL.id, FORBIDDING.id}


def test_a_run_that_does_not_record_its_code_gives_nothing() -> None:
    """A run of an earlier version, or one that was resumed with other code."""
    decision = decide(make_run(all_observations(), measured_with=None))
    assert decision.count_reasons() == {NOT_RECORDED: len(CELLS)}


@pytest.mark.parametrize(
    ("outcome", "reason"), [(Outcome.TIMEOUT, TIMED_OUT), (Outcome.ERROR, FAILED)]
)
def test_what_was_not_settled_is_measured_again(outcome: Outcome, reason: str) -> None:
    """A time-out, or an error of the harness, may not happen again."""
    decision = decide(make_run(with_outcome(CELLS[0], outcome)))
    assert decision.reasons == {CELLS[0].id: reason}


def test_a_cell_that_cannot_be_used_is_measured_for_that_reason() -> None:
    """Such as a flaky one, or one without evidence."""
    assert decide(unusable={CELLS[1].id: "it is so"}).reasons == {CELLS[1].id: "it is so"}


def test_a_time_out_of_a_control_measures_what_rests_on_it() -> None:
    """Nothing that a control did not settle is carried on."""
    decision = decide(make_run(with_outcome(CONTROL, Outcome.TIMEOUT)))
    assert decision.reasons == dict.fromkeys(TLS_CELLS, CONTROL_MEASURED)


def test_a_time_out_of_a_permissive_copy_measures_cells_of_its_build_only() -> None:
    """The copies of one build show nothing of another one."""
    decision = decide(make_run(with_outcome(COPY, Outcome.TIMEOUT)))
    assert set(decision.reasons) == {name for name in TLS_CELLS if name.startswith("debian-13")}


def test_a_refusal_whose_control_is_not_there_is_measured() -> None:
    """A folder that lost lines must not give refusals that nothing shows."""
    refused = with_outcome(CELLS[0], Outcome.REFUSED)
    decision = decide(make_run(known for known in refused if known.cell != CONTROL.id))
    assert decision.reasons == {CELLS[0].id: CONTROL_MEASURED}


def test_a_cell_that_the_earlier_run_has_not_is_measured() -> None:
    """A larger plan measures what is new."""
    decision = decide(make_run([observe(cell) for cell in (*CELLS[1:], *CONTROLS)]))
    assert decision.reasons == {CELLS[0].id: NOT_THERE}


def test_controls_of_other_offers_are_left_where_they_are() -> None:
    """A smaller plan gets the controls' cells of its own clients and offers only."""
    plain = replace(PLAN, builds=("debian-12",), offers=(Offer.parse("plaintext"),))
    assert not decide(plan=plain).controls


def test_helpers_count_where_they_take_part() -> None:
    """Peers in place of a client, the name server, HAProxy before some services."""
    outbound = Cell(
        "debian-12", "defaults", Service.OUTBOUND, "peer-plaintext", Offer.parse("default")
    )
    peers = replace(SETUP, names=PEER_NAMES)
    assert image_names(outbound, peers) == ("debian-12", "sasl", "dns", "peer")
    assert image_names(CELLS[0], SETUP) == ("debian-12", CLIENT, "sasl")
    names = image_names(CELLS[0], replace(SETUP, names=OWN_NAMES), proxied=True)
    assert names == ("debian-12", CLIENT, "sasl", "dns", "haproxy")
    assert image_names(COPY, SETUP) == ("debian-13", CLIENT, "sasl")
    assert image_names(CONTROL, SETUP) == (CONTROL.build, CLIENT, "sasl")


def test_the_input_key_is_of_all_inputs_but_the_controls() -> None:
    """It finds an entry in the cache; the controls are compared when the entry is read."""

    def key(now: Surroundings, cell: Cell = CELLS[0]) -> str:
        inputs = inputs_of(cell, now)
        assert inputs is not None
        return inputs.key

    assert key(NOW) == key(other_image(CONTROL.build)) == key(other_image("debian-13"))
    others = [
        other_image("debian-12"),
        other_image(CLIENT),
        other_image("sasl"),
        replace(NOW, configs={"defaults": "sha256:other"}),
        replace(NOW, setup=replace(SETUP, version="sha256:other")),
        replace(NOW, setup=replace(SETUP, time_limit=3.0)),
        replace(NOW, setup=replace(SETUP, names=PEER_NAMES)),
        replace(NOW, proxied=frozenset({"defaults"})),
    ]
    keys = [key(NOW), key(NOW, CELLS[1]), *map(key, others)]
    assert len(set(keys)) == len(keys)
    assert SETUP.names == NO_NAMES
