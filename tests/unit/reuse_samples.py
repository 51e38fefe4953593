"""A small synthetic run, finished with everything that a later run needs to take its cells over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from harness.catalog.cells import Cell
from harness.catalog.plan import Plan
from harness.observations.evidence_names import evidence_path
from harness.observations.journal import Journal
from harness.observations.record import MeasuredWith, Observation, Outcome
from harness.observations.reuse import NO_NAMES, Surroundings
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import ImageInfo
from harness.observations.run_record import RunOpening, closing_figures, describe_image
from harness.scenarios.scenario import Scenario
from harness.tls import Offer, Service

DEFAULTS = Scenario("defaults", "Defaults", "tests", "Nothing is set.")
LINES = Scenario(
    "lines", "Lines", "tests", "One line is set.", main_cf="smtpd_tls_protocols = >=TLSv1.2\n"
)
SCENARIOS = {scenario.id: scenario for scenario in (DEFAULTS, LINES)}
CLIENT = "openssl-1.0.2h"
PLAN = Plan(
    builds=("debian-12", "debian-13"),
    scenarios=tuple(SCENARIOS),
    services=(Service.SMTP,),
    clients=(CLIENT,),
    offers=(Offer.parse("TLSv1.2"), Offer.parse("plaintext")),
)
CONTROL = Cell("control-openssl-3.5", "permissive", Service.SMTP, CLIENT, Offer.parse("TLSv1.2"))
FORBIDDING = replace(CONTROL, build="control-forbidding", scenario="forbidding")
#: The permissive copy of one of the two builds.
COPY = Cell("control-debian-13", "open", Service.SMTP, CLIENT, Offer.parse("TLSv1.2"))
CONTROLS = (CONTROL, FORBIDDING, COPY)
SETUP = MeasuredWith("sha256:" + "ab" * 32, 10.0, NO_NAMES)
KINDS = {
    "debian-12": "build", "debian-13": "build", CLIENT: "client", "sasl": "sasl",
    "control-openssl-3.5": "control", "control-forbidding": "control",
}  # fmt: skip
IMAGES = {name: f"sha256:{number:064x}" for number, name in enumerate(KINDS, 1)}
NOW = Surroundings(SETUP, IMAGES, {name: each.digest for name, each in SCENARIOS.items()})
STARTED = "2026-11-30T12:43:26Z"


def write_run(
    folder: Path,
    observations: Iterable[Observation] | None = None,
    setup: MeasuredWith | None = SETUP,
) -> RunData:
    """Write a run folder, and read it; without ``observations`` those of all cells."""
    every = all_observations() if observations is None else list(observations)
    journal = Journal(folder)
    for observation in every:
        journal.append(observation, {"cell": observation.cell, "log": ["a line"]})
    for place in dict.fromkeys((cell.build, cell.scenario) for cell in every):
        journal.write_instance(*place, {"build": place[0], "scenario": place[1]})
    opening = RunOpening(
        folder.name,
        ["postfix-matrix", "run"],
        PLAN,
        SCENARIOS,
        STARTED,
        folder,
        measured_with=setup,
    )
    images = {
        name: describe_image(ImageInfo(kind, f"postfix-matrix/{name}:1", IMAGES[name]))
        for name, kind in KINDS.items()
    }
    journal.write_run(opening.record(images, (), closing_figures(PLAN, every, len(every), 1.0)))
    journal.close()
    return load_run(folder)


def all_observations() -> list[Observation]:
    """Every cell of the plan, and the controls' cells."""
    return [observe(cell) for cell in (*PLAN.cells(), *CONTROLS)]


def observe(cell: Cell, outcome: Outcome = Outcome.ACCEPTED) -> Observation:
    """One cell's observation."""
    config = LINES.digest if cell.is_control else SCENARIOS[cell.scenario].digest
    return Observation(
        cell.id, cell.build, cell.scenario, config, str(cell.service), cell.client,
        str(cell.offer), outcome, evidence=evidence_path(cell.id), seconds=0.012,
        control=CONTROL.id if outcome is Outcome.REFUSED else None,
    )  # fmt: skip


def with_outcome(
    cell: Cell, outcome: Outcome, observations: Iterable[Observation] | None = None
) -> list[Observation]:
    """The observations, that of one cell with another outcome."""
    every = all_observations() if observations is None else observations
    return [observe(cell, outcome) if known.cell == cell.id else known for known in every]
