"""Many cells in little memory: columns of numbers over tables of names.

A million observations as objects need a gigabyte; as columns they need 60 MB, since their results
and names repeat. What two cells share (an outcome with both sides' views) is one *result*.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.observations.record import Observation

#: What of an observation is its result; the rest says which cell it is of, and when and where it
#: was measured. A certificate counts by its names and issuer: each run has keys of its own.
RESULT_FIELDS = (
    "outcome", "stage", "reason", "decided_by", "client_saw", "server_saw", "agree", "trust",
    "obstacles", "resumed",
)  # fmt: skip
NONE = -1


class NameTable:
    """Names and their numbers, in the order of their first appearance."""

    __slots__ = ("names", "numbers")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """The number of a name, which is added where it is new."""
        known = self.numbers.get(name)
        if known is None:
            known = self.numbers[name] = len(self.names)
            self.names.append(name)
        return known

    def optional(self, name: str | None) -> int:
        """The same; :data:`NONE` for None."""
        return NONE if name is None else self.number(name)

    def name(self, number: int) -> str | None:
        """The name with a number; None for :data:`NONE`."""
        return None if number == NONE else self.names[number]


class ResultTable(NameTable):
    """Results by number: as text (JSON), and as observations without a cell."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        super().__init__()
        self._read: dict[int, Observation] = {}

    def add(self, record: Mapping[str, Any]) -> int:
        """The number of the result of an observation, given as its line's JSON object.

        Raises:
            ValueError, TypeError, KeyError: it is no observation.
        """
        number = self.number(_result_text(record))
        if number not in self._read:
            try:
                self.observation(number)
            except Exception:
                del self.numbers[self.names.pop()]
                raise
        return number

    def observation(self, number: int) -> Observation:
        """A result as an observation of no cell."""
        known = self._read.get(number)
        if known is None:
            known = self._read[number] = _read_result(self.names[number])
        return known


class CellRow(NamedTuple):
    """One cell: a number into a table of :class:`CellTables` for each column.

    ``milliseconds`` of the client's dialogue, ``offset`` of its line in the run's
    observations.jsonl (bytes): :data:`NONE` where unknown. ``shard`` has its evidence. Where the
    newest result shows nothing (a time-out, an error), ``known`` is the newest one that does, with
    its run, image and configuration. ``origin`` is the run that a cell was taken over from, and
    ``measured`` when it was measured (seconds since 1970, UTC).
    """

    scenario: int
    build: int
    service: int
    client: int
    offer: int
    result: int
    config: int
    control: int
    certificate: int
    image: int
    run: int
    milliseconds: int
    shard: int = NONE
    known: int = NONE
    known_run: int = NONE
    known_image: int = NONE
    known_config: int = NONE
    origin: int = NONE
    measured: int = NONE
    offset: int = NONE


class CellTables:
    """The names that columns of cells refer to; shared by all columns of one publication."""

    def __init__(self) -> None:
        self.scenario, self.build, self.service = NameTable(), NameTable(), NameTable()
        self.client, self.offer = NameTable(), NameTable()
        self.config, self.control, self.certificate = NameTable(), NameTable(), NameTable()
        self.image, self.run, self.shard = NameTable(), NameTable(), NameTable()
        self.result = ResultTable()

    def cell_id(self, row: CellRow) -> str:
        """The cell's id, ``build/scenario/service/client/offer``."""
        return f"{self.build.names[row.build]}/{self.scenario.names[row.scenario]}/{self.spot(row)}"

    def spot(self, row: CellRow) -> str:
        """The last three parts of the id."""
        return (
            f"{self.service.names[row.service]}/{self.client.names[row.client]}"
            f"/{self.offer.names[row.offer]}"
        )


class CellColumns:
    """Rows as columns, with the rows of each scenario and build together on demand."""

    def __init__(self) -> None:
        self._columns = tuple(array("q" if name == "offset" else "i") for name in CellRow._fields)
        self._groups: dict[tuple[int, int], array[int]] = {}
        self._builds: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._columns[0])

    def append(self, row: CellRow) -> None:
        """Add a row."""
        key = (row.scenario, row.build)
        if key not in self._groups:
            self._groups[key] = array("i")
            self._builds.setdefault(row.scenario, []).append(row.build)
        self._groups[key].append(len(self))
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def __getitem__(self, number: int) -> CellRow:
        return CellRow._make([column[number] for column in self._columns])

    def __iter__(self) -> Iterator[CellRow]:
        return (CellRow(*values) for values in zip(*self._columns, strict=True))

    def column(self, name: str) -> array[int]:
        """One column."""
        return self._columns[CellRow._fields.index(name)]

    def groups(self) -> Iterator[tuple[int, int]]:
        """The scenarios and builds that have cells, in the order of their first appearance."""
        return iter(self._groups)

    def group(self, scenario: int, build: int) -> list[CellRow]:
        """The rows of a scenario on a build."""
        numbers = self._groups.get((scenario, build))
        if not numbers:
            return []
        first, after = numbers[0], numbers[-1] + 1
        if after - first == len(numbers):
            # As a merged column has them: one slice of each column is much faster.
            parts = [column[first:after] for column in self._columns]
            return [CellRow._make(values) for values in zip(*parts, strict=True)]
        return [self[number] for number in numbers]

    def builds_of(self, scenario: int) -> Sequence[int]:
        """The builds on which a scenario has cells, in the order of their first appearance."""
        return self._builds.get(scenario, ())


def _result_text(record: Mapping[str, Any]) -> str:
    result = {name: record.get(name) for name in RESULT_FIELDS if record.get(name) is not None}
    certificate = record.get("certificate")
    if certificate is not None:
        result["certificate"] = [certificate["names"], certificate["issuer"]]
    if "outcome" not in result:
        raise KeyError("outcome")
    return json.dumps(result, ensure_ascii=False, separators=(",", ":"))


def _read_result(text: str) -> Observation:
    data: dict[str, Any] = dict.fromkeys(RESULT_FIELDS) | json.loads(text)
    certificate = data.pop("certificate", None)
    if certificate is not None:
        data["certificate"] = {"sha256": "", "names": certificate[0], "issuer": certificate[1]}
    places = dict.fromkeys(
        ("cell", "build", "scenario", "config", "service", "client", "offer"), ""
    )
    return Observation.from_json(json.dumps({**places, **data, "schema": 1}))
