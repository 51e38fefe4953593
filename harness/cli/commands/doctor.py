"""``postfix-matrix doctor``: whether this machine can measure, and what a run would need."""

from __future__ import annotations

from pathlib import Path

import click
from docker.errors import DockerException
from requests import RequestException

from harness.catalog.builds import Build
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.image_selection import needed_orders
from harness.cli.output_forms import JSON, TEXT, format_option
from harness.cli.printing import print_json, print_text
from harness.diagnosis.diagnosis_output import diagnosis_data, diagnosis_lines
from harness.diagnosis.engine_checks import EngineAnswers, ask_engine, check_engine
from harness.diagnosis.machine_checks import (
    check_certificates,
    check_disk,
    check_folders,
    check_memory,
)
from harness.diagnosis.machine_finding import Diagnosis, RunNeeds
from harness.diagnosis.place_check import check_places, list_places
from harness.diagnosis.run_needs import check_images, estimate_needs
from harness.docker_engine.session import default_state_dir
from harness.errors import ExitCode
from harness.images.image_states import list_states
from harness.images.pruning import TaggedImage, our_images
from harness.images.pulled_images import PulledRecords
from harness.images.refusals import Refusals
from harness.paths import cache_dir, images_dir
from harness.run.choosing import Selection, choose_builds, read_scenarios
from harness.run.planning import make_plan
from harness.run.run_folders import RUNS


@click.command(
    "doctor",
    cls=GroupedCommand,
    epilog=format_examples("postfix-matrix doctor", "postfix-matrix doctor --format json"),
)
@grouped_option(
    OptionGroup.SOURCES,
    "--offline",
    is_flag=True,
    help="Do not ask registries and package archives whether they answer.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--runs",
    type=click.Path(path_type=Path),
    default=RUNS,
    show_default=True,
    help="The folder that runs are written to.",
)
@format_option("JSON has every check and the estimates (docs/schemas).", (TEXT, JSON))
def doctor_command(offline: bool, runs: Path, form: str) -> int:
    """Check whether this machine can measure.

    The checks are of the Docker engine, its disk and memory, registries and package archives, CA
    certificates, and the folders that a run writes. Below them is what a run without a selection
    would need: images, downloads, room and minutes. Nothing is changed, built or downloaded. The
    exit code is 3 where no run can work.
    """
    diagnosis = _examine_machine(runs, offline=offline)
    if form == JSON:
        print_json(diagnosis_data(diagnosis))
    else:
        for line in diagnosis_lines(diagnosis):
            print_text(line)
    return ExitCode.OK if diagnosis.can_run else ExitCode.INFRASTRUCTURE


def _examine_machine(runs: Path, *, offline: bool) -> Diagnosis:
    answers = ask_engine()
    builds = choose_builds(())
    needs = _estimate_run(answers, builds)
    has_work = needs.missing is None or bool(needs.missing)
    places = () if offline else check_places(list_places(builds.values()), is_needed=has_work)
    findings = (
        *check_engine(answers),
        check_images(needs),
        check_disk(answers, needs.disk),
        check_memory(answers),
        *check_folders(cache_dir(), default_state_dir(), runs.absolute()),
        check_certificates(),
        *places,
    )
    return Diagnosis(findings, needs)


def _estimate_run(answers: EngineAnswers, builds: dict[str, Build]) -> RunNeeds:
    """What a run without a selection needs; ``builds`` are all of its builds."""
    plan = make_plan(Selection(), read_scenarios(None), builds)
    orders = needed_orders(builds, plan.clients)
    cache = cache_dir()
    existing = _list_images(answers)
    states = None
    if existing is not None:
        refusals, pulled = Refusals(cache), PulledRecords(cache)
        states = list_states(orders.values(), existing, refusals, pulled, images_dir())
    cores = int(answers.info.get("NCPU") or 1)
    return estimate_needs(plan, orders, states, existing or (), cache, cores)


def _list_images(answers: EngineAnswers) -> list[TaggedImage] | None:
    """Our images; None where no engine lists them."""
    if answers.client is None:
        return None
    try:
        return our_images(answers.client)
    except (DockerException, RequestException):
        return None
