"""The cells of a run that are measured a second time, each once, and why.

A cell that a fault took away, with what it was measured on, is measured again when the others are
done. A time-out is no result: a cell that timed out is measured again at the end, when nothing else
is measured any more, and so is one whose client's driver failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType

from harness.catalog.cells import Cell
from harness.errors import BuildError, HarnessError, InfrastructureError, SourceError
from harness.observations.record import Observation, Outcome
from harness.targets.machine_pace import MachinePace

#: Seconds from the begin of one dialogue to the next; one that does not wait takes milliseconds.
_STEP = 0.25
#: The reason of an error that the client's driver reported (observations.decide).
_DRIVER = "driver"


class SecondTries:
    """What is to be measured again; belongs to one run and its event loop.

    ``cells`` are the run's, ``prior`` the observations of the run that it goes on with: what timed
    out there, and was not measured again, is measured again here.
    """

    def __init__(self, cells: Iterable[Cell], prior: Mapping[str, Observation]) -> None:
        self._measured: set[Cell] = set()
        #: What kept cells from being measured; the cells that it keeps from their second try too.
        self._faults: dict[Cell, list[str]] = {}
        self._faulted: dict[Cell, None] = {}
        self._timed_out: dict[Cell, None] = {}
        #: Those that had their second try after a fault, or after a time-out.
        self._tried: set[Cell] = set()
        self._tried_apart: set[Cell] = set()
        for cell in cells:
            known = prior.get(cell.id)
            if known is not None and known.again is None:
                self.note_result(cell, known)

    @property
    def timed_out(self) -> tuple[Cell, ...]:
        """The cells that are to be measured when nothing else is."""
        return tuple(self._timed_out)

    def note_result(self, cell: Cell, observation: Observation) -> None:
        """Take a cell's observation into account."""
        self._measured.add(cell)
        if cell not in self._tried_apart and _is_unsettled(observation):
            self._timed_out[cell] = None

    def note_faults(self, cells: Iterable[Cell], error: HarnessError) -> bool:
        """Note that an error kept cells from being measured; whether none is lost by it.

        No other try helps where an image or a source is at fault, or the user's input. A time-out
        stays what it is where its second measurement fails.
        """
        left = [cell for cell in cells if cell not in self._measured]
        is_fault = isinstance(error, InfrastructureError)
        if not is_fault or isinstance(error, BuildError | SourceError):
            return False
        for cell in left:
            self._faults.setdefault(cell, []).append(error.what)
            if cell not in self._tried:
                self._faulted[cell] = None
        return all(cell not in self._tried for cell in left)

    def take_faulted(self) -> list[Cell]:
        """The cells that faults took away; they have their second try now."""
        cells = list(self._faulted)
        self._faulted.clear()
        self._tried.update(cells)
        return cells

    def take_timed_out(self) -> list[Cell]:
        """The cells that timed out; they have their second try now."""
        cells = list(self._timed_out)
        self._timed_out.clear()
        self._tried_apart.update(cells)
        return cells

    def faults_of(self, cell: Cell) -> list[str]:
        """What has kept a cell from being measured so far."""
        return self._faults.get(cell, [])


class Stagger:
    """Lets dialogues begin one after another, so that each has the machine for itself at first.

    Those that wait for something may do so at the same time. A context manager for each of them.
    """

    def __init__(self, pace: MachinePace) -> None:
        self._pace = pace
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        asyncio.get_running_loop().call_later(self._pace.stretch(_STEP), self._lock.release)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The next one does not wait for the end of this."""


def group_by_build(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Cells by their builds, in order."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.build, []).append(cell)
    return groups


def _is_unsettled(observation: Observation) -> bool:
    if observation.outcome is Outcome.ERROR:
        return observation.reason == _DRIVER
    return observation.outcome is Outcome.TIMEOUT
