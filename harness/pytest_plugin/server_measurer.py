"""Measures scenarios on the build of a test's server (``snapshots.blame.Measure``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from harness.catalog.cells import Cell
from harness.observations.record import Observation
from harness.observations.record_reading import read_image
from harness.pytest_plugin.engine_requests import CellAnswer
from harness.pytest_plugin.servers import TestedServer
from harness.scenarios.scenario import Scenario
from harness.snapshots.snapshot import Measurement, versions_of
from harness.snapshots.values import CellPlace, place_of


class ServerMeasurer:
    """Measures the server's own candidate on it, and others on servers that it starts.

    ``observations`` are all that were made, by cell.
    """

    def __init__(self, server: TestedServer) -> None:
        self.observations: dict[str, Observation] = {}
        self._server = server

    def __call__(
        self, scenarios: Sequence[Scenario], places: Collection[CellPlace], alone: bool
    ) -> Mapping[str, Measurement]:
        """See ``snapshots.blame.Measure``; places of other builds are passed over."""
        return {
            scenario.id: self._measure_places(scenario, places, alone) for scenario in scenarios
        }

    def _measure_places(
        self, scenario: Scenario, places: Collection[CellPlace], alone: bool
    ) -> Measurement:
        if scenario.id == self._server.scenario.id:
            return self._measure_on(self._server, places, alone)
        with self._server.start_another(scenario) as other:
            return self._measure_on(other, places, alone)

    def _measure_on(
        self, server: TestedServer, places: Collection[CellPlace], alone: bool
    ) -> Measurement:
        build = server.facts.build
        cells = [place.cell(server.scenario.id) for place in places if place.build == build]
        cells = [cell for cell in cells if str(cell.service) in server.services]
        groups: list[list[Cell]] = [[cell] for cell in cells] if alone else [cells]
        answers = [answer for group in groups if group for answer in server.measure(group)]
        self.observations |= {a.cell: a.observation for a in answers if a.observation is not None}
        return _read_measurement(server, answers)


def _read_measurement(server: TestedServer, answers: Sequence[CellAnswer]) -> Measurement:
    observations = [answer.observation for answer in answers if answer.observation is not None]
    facts = server.facts
    versions = {"kind": "build", "postfix": facts.postfix, "openssl": facts.openssl}
    image = read_image({**facts.image, **versions})
    return Measurement(
        cells={place_of(observation): observation for observation in observations},
        builds=versions_of({facts.build: image}),
        unavailable={
            Cell.parse(answer.cell).client: answer.why
            for answer in answers
            if answer.observation is None
        },
    )
