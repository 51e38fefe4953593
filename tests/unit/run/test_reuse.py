"""What a new run folder has of an earlier one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.observations.journal import Journal
from harness.observations.record import MeasuredWith, Observation, Outcome, TakenOver
from harness.observations.reuse import FLAKY, NO_EVIDENCE, NO_NAMES, OWN_NAMES, PEER_NAMES
from harness.observations.run_folder import RunData, load_run
from harness.run.job import Job, take_over_job
from harness.run.measuring_version import measuring_version
from harness.run.reuse import RunReuse, compare_with_run, find_unusable, make_setup
from harness.tls import Service
from tests.unit.reuse_samples import (
    CONTROLS,
    IMAGES,
    LINES,
    PLAN,
    SCENARIOS,
    STARTED,
    all_observations,
    observe,
    write_run,
)

CELLS = tuple(PLAN.cells())
#: With what this version of the harness measures.
SETUP = MeasuredWith(measuring_version(), 10.0, NO_NAMES)


def compare(folder: Path, images: dict[str, str] = IMAGES) -> RunReuse:
    """What the samples' plan takes over from a run folder."""
    return compare_with_run(load_run(folder), PLAN, SCENARIOS, images, 10.0)


def take_over(reuse: RunReuse, runs: Path) -> RunData:
    """A new run of the samples' plan, of which nothing is left to measure."""
    return load_run(
        take_over_job(Job(PLAN, SCENARIOS, {}, known=reuse, becomes_latest=True), runs, 10.0)
    )


def without_origin(observation: Observation) -> Observation:
    """The observation as the run that measured it recorded it."""
    return replace(observation, taken_over=None)


def test_a_run_of_which_nothing_is_left_has_all_that_the_earlier_one_has(tmp_path: Path) -> None:
    """Observations, evidence, instances, images: no engine is asked, and reports are the same."""
    before = write_run(tmp_path / "before", setup=SETUP)
    reuse = compare(before.folder)
    assert not reuse.decision.reasons
    after = take_over(reuse, tmp_path / "runs")
    assert tuple(map(without_origin, after.observations)) == before.observations
    for cell in after.observations:
        assert cell.taken_over == TakenOver("before", STARTED)
        assert after.evidence(cell) == before.evidence(cell) is not None
        assert after.instance(cell.build, cell.scenario) is not None
    assert after.run.images == before.run.images
    assert after.run.measured_with == SETUP
    assert (tmp_path / "runs/latest").resolve() == after.folder
    summary = json.loads((after.folder / "run.json").read_text("utf-8"))["summary"]
    assert (summary["taken_over"], summary["seconds"]) == (len(CELLS), None)


def test_a_third_run_takes_over_from_the_second_what_the_first_measured(tmp_path: Path) -> None:
    """The chain of nightly runs goes on, and each cell names the run that measured it."""
    write_run(tmp_path / "before", setup=SETUP)
    second = take_over(compare(tmp_path / "before"), tmp_path / "runs")
    third = take_over(compare(second.folder), tmp_path / "runs")
    assert third.observations == second.observations


def test_evidence_is_not_kept_twice(tmp_path: Path) -> None:
    """A million cells' evidence is linked; replacing one of the files leaves the other as it is."""
    before = write_run(tmp_path / "before", setup=SETUP)
    after = take_over(compare(before.folder), tmp_path / "runs")
    name = str(after.observations[0].evidence)
    assert (before.folder / name).samefile(after.folder / name)
    journal = Journal(after.folder)
    journal.append(after.observations[0], {"cell": "measured again"})
    journal.close()
    assert before.evidence(before.observations[0]) == {"cell": CELLS[0].id, "log": ["a line"]}


def test_files_that_other_versions_named_otherwise_get_todays_names(tmp_path: Path) -> None:
    """The new folder is one of today's, whatever the earlier one's files are called."""
    older = [
        replace(cell, evidence=f"evidence/old-{n}") for n, cell in enumerate(all_observations())
    ]
    before = write_run(tmp_path / "before", older, SETUP)
    after = take_over(compare(before.folder), tmp_path / "runs")
    assert [cell.evidence for cell in after.observations] == [
        cell.evidence for cell in all_observations()
    ]
    assert all(after.evidence(cell) for cell in after.observations)


def test_images_that_have_changed_are_not_recorded(tmp_path: Path) -> None:
    """run.json says of an image what is measured with it, and not what was before."""
    write_run(tmp_path / "before", setup=SETUP)
    reuse = compare(tmp_path / "before", {**IMAGES, "debian-13": "sha256:other"})
    assert set(reuse.images) == set(IMAGES) - {"debian-13"}
    assert {name.split("/")[0] for name in reuse.decision.reasons} == {"debian-13"}


def test_a_cell_with_two_results_is_flaky(tmp_path: Path) -> None:
    """Only what differs counts: a cell that was recorded twice with one result is none."""
    twice = [*all_observations(), observe(CELLS[0], Outcome.PLAINTEXT), observe(CELLS[1])]
    run = write_run(tmp_path / "before", twice)
    assert find_unusable(run) == {CELLS[0].id: FLAKY}


def test_an_error_that_was_measured_again_makes_no_cell_flaky(tmp_path: Path) -> None:
    """Resuming a run measures its errors again, and the error is no result."""
    resumed = [observe(CELLS[0], Outcome.ERROR), *all_observations()]
    assert find_unusable(write_run(tmp_path / "before", resumed)) == {}


def test_a_torn_line_is_no_second_result(tmp_path: Path) -> None:
    """A run that was killed is a run."""
    folder = write_run(tmp_path / "before").folder
    with (folder / "observations.jsonl").open("a", encoding="utf-8") as file:
        file.write(observe(CELLS[0], Outcome.PLAINTEXT).to_json()[:-20])
    assert find_unusable(load_run(folder)) == {}


def test_a_cell_without_evidence_is_measured(tmp_path: Path) -> None:
    """A result that nothing shows is not carried on."""
    run = write_run(tmp_path / "before", setup=SETUP)
    (run.folder / str(run.observations[2].evidence)).unlink()
    assert find_unusable(run) == {run.observations[2].cell: NO_EVIDENCE}
    assert compare(run.folder).decision.reasons == {run.observations[2].cell: NO_EVIDENCE}


@pytest.mark.parametrize("kind", ["absolute", "above", "link"])
def test_no_file_outside_of_the_run_is_taken_over(tmp_path: Path, kind: str) -> None:
    """A run folder that others wrote does not bring a file of this machine into the new one."""
    secret = tmp_path / "secret.json"
    secret.write_text("{}", encoding="utf-8")
    run = write_run(tmp_path / "before", setup=SETUP)
    evidence = str(run.observations[2].evidence)
    if kind == "link":
        (run.folder / evidence).unlink()
        (run.folder / evidence).symlink_to(secret)
    else:
        name = str(secret) if kind == "absolute" else "evidence/../../secret.json"
        lines = (run.folder / "observations.jsonl").read_text(encoding="utf-8")
        (run.folder / "observations.jsonl").write_text(
            lines.replace(f'"{evidence}"', f'"{name}"'), encoding="utf-8"
        )
    assert compare(run.folder).decision.reasons == {run.observations[2].cell: NO_EVIDENCE}


@pytest.mark.parametrize(
    ("main_cf", "service", "names"),
    [
        ("", Service.SMTP, NO_NAMES),
        ("smtpd_client_restrictions = reject_unknown_client_hostname\n", Service.SMTP, OWN_NAMES),
        (
            "smtpd_client_restrictions = reject_unknown_client_hostname\n",
            Service.OUTBOUND,
            PEER_NAMES,
        ),
    ],
)
def test_the_name_server_is_that_of_the_whole_plan(
    main_cf: str, service: Service, names: str
) -> None:
    """As ``run.run_resources`` chooses it: the peers' where there are any, else one if needed."""
    scenario = replace(LINES, main_cf=main_cf)
    plan = replace(
        PLAN,
        scenarios=("lines",),
        services=(service,),
        clients=("peer-plaintext",) if service is Service.OUTBOUND else PLAN.clients,
        offers=PLAN.offers if service is Service.SMTP else PLAN.offers[:1],
        unpinned=frozenset(),
    )
    assert make_setup(plan, {"lines": scenario}, 10.0).names == names


def test_the_controls_cells_come_first_or_last_as_they_were(tmp_path: Path) -> None:
    """The order of the earlier run's lines is kept, so that the reports are the same."""
    mixed = [observe(CONTROLS[0]), *all_observations()[::-1][1:], observe(CELLS[0])]
    before = write_run(tmp_path / "before", mixed, SETUP)
    after = take_over(compare(before.folder), tmp_path / "runs")
    assert [cell.cell for cell in after.observations] == [
        cell.cell
        for cell in before.observations
        if cell.cell in {o.cell for o in after.observations}
    ]
