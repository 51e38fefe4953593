"""What a test asks of the engine, and what the answers are: plain data that pickle can carry.

The engine may be in another process (``engine_socket``), so an answer has no running object in it.
Every run of pytest-xdist imports this module, so it imports nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import HarnessError, InfrastructureError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.catalog.cells import Cell
    from harness.catalog.plan import Plan
    from harness.observations.record import Observation
    from harness.scenarios.scenario import Scenario
    from harness.tools.tool_file import HardeningTool


@dataclass(frozen=True, slots=True)
class PrepareBuild:
    """Make the image of a build, unless it is there; the answer is None."""

    build: str


@dataclass(frozen=True, slots=True)
class HoldServer:
    """Start a build's Postfix with a candidate; the answer is a :class:`ServerRecord`."""

    build: str
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class TryTool:
    """Run a hardening tool on a build; the answer is a ``tools.trial.ToolTrial``."""

    build: str
    tool: HardeningTool


@dataclass(frozen=True, slots=True)
class MeasureCells:
    """Measure cells of a server, by its number; the answer has a :class:`CellAnswer` for each."""

    server: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class ListCiphers:
    """Scan a service of a server; the answer is a :class:`CipherAnswer`."""

    server: int
    service: str


@dataclass(frozen=True, slots=True)
class ReleaseServer:
    """A test needs a server no longer; the answer is None."""

    server: int


@dataclass(frozen=True, slots=True)
class MeasureAhead:
    """Begin to measure a plan of scenarios, unless it was begun; the answer is None."""

    plan: Plan
    scenarios: Mapping[str, Scenario]


@dataclass(frozen=True, slots=True)
class AwaitScenario:
    """Wait for a scenario's cells on a build; the answer is a :class:`ScenarioRecord`."""

    build: str
    scenario: str


EngineRequest = (
    PrepareBuild
    | HoldServer
    | TryTool
    | MeasureCells
    | ListCiphers
    | ReleaseServer
    | MeasureAhead
    | AwaitScenario
)


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """A build's versions as its running image reports them; "" where it does not.

    ``library`` is the output of ``openssl version``. ``image`` is what run.json records of it.
    """

    build: str
    postfix: str
    openssl: str
    library: str = ""
    image: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A server that was started: its number, its services, what master(8) logged.

    ``folder`` is the run folder with the evidence of its cells.
    """

    number: int
    facts: BuildFacts
    started: bool
    services: tuple[str, ...]
    startup_log: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class CellAnswer:
    """A cell's observation, or None and why there is none."""

    cell: str
    observation: Observation | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class CipherAnswer:
    """The names of the accepted cipher suites, and what could not be measured of them."""

    ciphers: tuple[str, ...]
    not_measured: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ScenarioRecord:
    """What was measured of a scenario on a build, and of its baseline configuration.

    ``cells`` are the scenario's planned cells, ``baselines`` the measured ones of its baseline by
    service, client and offer. ``check`` is what Postfix's own tools print of the candidate.
    """

    facts: BuildFacts
    cells: tuple[CellAnswer, ...]
    baselines: Mapping[str, Observation]
    check: str
    folder: Path


class NoEngineError(InfrastructureError):
    """The session has no engine. The session's summary has the reason, once."""


class EngineConnection(Protocol):
    """The way from a test to the engine."""

    def ask(self, request: EngineRequest) -> Any:
        """The answer to a request.

        Raises:
            HarnessError: it cannot be answered; a NoEngineError, UsageError or InfrastructureError.
        """


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error, as plain data: not every HarnessError can be pickled."""

    what: str
    cause: str = ""
    next_step: str = ""
    kind: type[HarnessError] = InfrastructureError

    @classmethod
    def of(cls, error: BaseException) -> ErrorAnswer:
        """The answer that reports an error."""
        if not isinstance(error, HarnessError):
            return cls(f"the harness failed: {error!r}")
        kinds = (kind for kind in (NoEngineError, UsageError) if isinstance(error, kind))
        kind = next(kinds, InfrastructureError)
        return cls(error.what, error.cause, error.next_step, kind)

    def to_error(self) -> HarnessError:
        """The error to raise where the answer arrives."""
        return self.kind(self.what, cause=self.cause, next_step=self.next_step)
