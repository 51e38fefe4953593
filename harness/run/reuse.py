"""What a run takes over from the folder of an earlier one, and the copies of its evidence."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from harness.catalog.cells import Cell
from harness.catalog.plan import Plan
from harness.observations.evidence_names import (
    again_path,
    earlier_instance_path,
    evidence_path,
    instance_path,
)
from harness.observations.journal import Journal
from harness.observations.record import MeasuredWith, Observation, Outcome
from harness.observations.reuse import (
    FLAKY,
    NO_EVIDENCE,
    NO_NAMES,
    OWN_NAMES,
    PEER_NAMES,
    ReuseDecision,
    Surroundings,
    decide_reuse,
)
from harness.observations.run_folder import RunData
from harness.observations.run_record import describe_image
from harness.run.measuring_version import measuring_version
from harness.scenarios.lab_names import needs_names
from harness.scenarios.scenario import Scenario
from harness.tls import Offer, Service

#: What a second measurement may follow on without a contradiction; only the last line counts.
_NO_RESULTS = (Outcome.ERROR, Outcome.TIMEOUT)
_CELL = re.compile(rb'\{"cell": ?"([^"\\]+)"')


@dataclass(frozen=True, slots=True)
class RunReuse:
    """An earlier run, and what of it a plan takes over (``run.known_cells.KnownCells``)."""

    source: RunData
    decision: ReuseDecision
    image_ids: Mapping[str, str]

    @property
    def images(self) -> Mapping[str, dict[str, Any]]:
        """What the earlier run recorded of the images, as far as they are the same."""
        if not self.decision.taken and not self.decision.controls:
            return {}
        return {
            name: describe_image(image)
            for name, image in self.source.run.images.items()
            if image.id == self.image_ids.get(name)
        }

    def take_cells(self, journal: Journal) -> Sequence[Observation]:
        """Record what is taken over, controls included, with its evidence.

        Raises:
            OSError: the new folder cannot be written.
        """
        taken = list(_take_files(self.source.folder, journal, self._list_observations()))
        for place in dict.fromkeys((cell.build, cell.scenario) for cell in taken):
            for name in (instance_path(*place), earlier_instance_path(*place)):
                if journal.take_file(self.source.folder / name, instance_path(*place)):
                    break
        return taken

    def take_control(self, _cell: Cell, _journal: Journal) -> Observation | None:
        """None: all were taken with the cells."""
        return None

    def knows_controls_of(self, _client: str, _offer: Offer) -> bool:
        """False: all were taken with the cells."""
        return False

    def _list_observations(self) -> Iterator[Observation]:
        """In the order of the earlier run."""
        marked = {**self.decision.taken, **self.decision.controls}
        return (marked[cell.cell] for cell in self.source.observations if cell.cell in marked)


def compare_with_run(
    source: RunData,
    plan: Plan,
    scenarios: Mapping[str, Scenario],
    image_ids: Mapping[str, str],
    time_limit: float,
) -> RunReuse:
    """What a plan takes over from an earlier run.

    ``image_ids`` are those on this machine, by the names in run.json; ``time_limit`` in seconds.
    """
    now = surroundings_of(plan, scenarios, image_ids, time_limit)
    return RunReuse(
        source, decide_reuse(source, plan.cells(), now, find_unusable(source)), image_ids
    )


def surroundings_of(
    plan: Plan,
    scenarios: Mapping[str, Scenario],
    image_ids: Mapping[str, str],
    time_limit: float,
) -> Surroundings:
    """With what this process would measure a plan."""
    chosen = [scenarios[name] for name in plan.scenarios]
    return Surroundings(
        setup=make_setup(plan, scenarios, time_limit),
        images=image_ids,
        configs={scenario.id: scenario.digest for scenario in chosen},
        proxied=frozenset(scenario.id for scenario in chosen if _may_be_proxied(scenario)),
    )


def make_setup(plan: Plan, scenarios: Mapping[str, Scenario], time_limit: float) -> MeasuredWith:
    """With what this process measures, beside images and candidates."""
    names = NO_NAMES
    if any(needs_names(scenarios[name]) for name in plan.scenarios):
        names = OWN_NAMES
    if any(Service.OUTBOUND in plan.scope(name).services for name in plan.scenarios):
        names = PEER_NAMES
    return MeasuredWith(measuring_version(), time_limit, names)


def find_unusable(source: RunData) -> dict[str, str]:
    """The cells of a run that cannot be taken over, with the reason.

    They were measured twice with unequal results, or their evidence is missing.
    """
    reasons = dict.fromkeys(_find_flaky(source.folder / "observations.jsonl"), FLAKY)
    for cell in source.observations:
        if cell.evidence is None or not _is_evidence(source.folder, cell.evidence):
            reasons.setdefault(cell.cell, NO_EVIDENCE)
    return reasons


def _take_files(
    folder: Path, journal: Journal, observations: Iterable[Observation]
) -> Iterator[Observation]:
    for observation in observations:
        # Versions of this tool may name files differently.
        name = evidence_path(observation.cell)
        if observation.evidence and journal.take_file(folder / observation.evidence, name):
            taken = replace(observation, evidence=name)
            if (again := observation.again) is not None:
                earlier = None
                if again.evidence and journal.take_file(folder / again.evidence, again_path(name)):
                    earlier = again_path(name)
                taken = replace(taken, again=replace(again, evidence=earlier))
            journal.add_line(taken)
            yield taken


def _is_evidence(folder: Path, name: str) -> bool:
    """Whether a run folder has this file: others may have written it, so none outside of it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return False
    try:
        return stat.S_ISREG((folder / path).lstat().st_mode)
    except (OSError, ValueError):
        return False


def _find_flaky(path: Path) -> set[str]:
    """The cells with lines that say different things.

    An error or a time-out that was measured again says nothing.
    """
    lines: dict[bytes, list[bytes]] = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        if (match := _CELL.match(line)) is not None:
            lines.setdefault(match[1], []).append(line)
    repeated = {name: known for name, known in lines.items() if len(known) > 1}
    return {name.decode() for name, known in repeated.items() if len(_list_results(known)) > 1}


def _list_results(lines: Iterable[bytes]) -> set[str]:
    results = set()
    for line in lines:
        try:
            data = json.loads(line)
        except ValueError:  # The last line of a run that was killed.
            continue
        if data["outcome"] not in _NO_RESULTS:
            telling = ("outcome", "stage", "reason", "client_saw", "server_saw", "trust", "resumed")
            results.add(json.dumps([data.get(key) for key in telling]))
    return results


def _may_be_proxied(scenario: Scenario) -> bool:
    """Whether HAProxy may stand before some of its services; a mention is enough."""
    texts = (scenario.main_cf, scenario.master_cf)
    return not scenario.as_is and any("haproxy" in text for text in texts)
