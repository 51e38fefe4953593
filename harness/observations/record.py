"""One observation: what happened in a cell. Written once, never rewritten.

The vocabulary is closed (design: "Outcomes"); no outcome is ever relabelled as another afterwards.
The JSON form is one object per line: the contract with every report and other people's scripts.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, Lt

from harness.catalog.cells import is_simulated
from harness.data_models import DataError, DataProblem, read_json_data, show_value
from harness.outcomes import SIMULATED
from harness.outcomes import Outcome as Outcome

#: Version of the observation's form; raised when a field changes its meaning.
SCHEMA = 1
#: Types of values that come back from files: pydantic checks them (``data_models``).
Count = Annotated[int, Ge(0)]
Seconds = Annotated[float, Ge(0), Lt(math.inf)]
SchemaOne = Annotated[int, Ge(SCHEMA), Le(SCHEMA)]
#: For a dataclass: no other keys.
NO_OTHER_KEYS: dict[str, Any] = {"extra": "forbid"}
#: It says of an observation what its client and outcome say; for people's scripts.
_SIMULATED_KEY = re.compile(r',\s*"simulated"\s*:\s*true(?=\s*[,}])')
_SCHEMA_KEY = re.compile(r'"schema"\s*:')


class Stage(StrEnum):
    """How far the client's dialogue had got when it ended, in the order of the dialogue."""

    CONNECT = "connect"
    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    QUIT = "quit"


#: Stages before the client could ask the server for TLS.
BEFORE_TLS = frozenset({Stage.CONNECT, Stage.BANNER, Stage.EHLO})
#: Stages before the client begins a handshake.
BEFORE_HANDSHAKE = BEFORE_TLS | {Stage.STARTTLS}


@dataclass(frozen=True, slots=True)
class TlsView:
    """What one side reports as negotiated. ``bits`` is the cipher's strength; None: unknown."""

    __pydantic_config__: ClassVar[dict[str, Any]] = NO_OTHER_KEYS
    protocol: str | None = None
    cipher: str | None = None
    bits: Count | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class CertificateView:
    """The server's certificate as the client saw it.

    ``sha256`` is the fingerprint of the whole, in small hexadecimal digits; ``names`` are its DNS
    names, or its subject's common name where it has none (RFC 6125, section 6.4.4); ``issuer`` is
    the issuer's common name.
    """

    sha256: str
    names: tuple[str, ...]
    issuer: str


@dataclass(frozen=True, slots=True)
class MeasuredWith:
    """With what a run measured, beside its images and candidates (``observations.reuse``).

    ``version`` is the digest of the code that measures and decides; ``time_limit`` a dialogue's, in
    seconds; ``names`` the name server that Postfix asked: ``dns``, ``peers`` or ``none``.
    """

    version: str
    time_limit: Seconds
    names: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Where an observation was taken over from (``observations.reuse``).

    ``run`` is the id of the run that measured it, ``measured`` when that run began: UTC, ISO 8601.
    """

    run: str
    measured: str


class AgainReason(StrEnum):
    """Why a cell was measured again in the same run."""

    #: It timed out; the second measurement was made when nothing else was measured any more.
    TIMEOUT = "timeout"
    #: The client's driver failed.
    ERROR = "error"
    #: What it was measured with was ended, stopped or cut off before it had a result.
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Again:
    """That a cell was measured again, and why; ``evidence`` is the file of the measurement before.

    None: there was none to record. What happened is in the evidence of the cell (``faults``).
    """

    why: AgainReason
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One line of ``observations.jsonl``.

    ``stage``, ``reason`` and ``decided_by`` say where, why and by whom it ended; they are None for
    an accepted cell. ``obstacles`` are all known obstacles (``observations.obstacles``) of a cell
    in which Postfix is the server. ``agree`` is None where one of the two sides has no view.
    ``control`` is the id of the control cell that makes a refusal or an incapability believable.
    ``trust`` is how smtp(8) rates a peer's certificate, or smtpd(8) that of a client whose offer
    has ``+cert=``. ``certificate`` is the server's, where the client shows it. ``resumed`` is about
    a second connection (``+resume``): whether it resumed the session of the first; None where the
    offer has none, or no control shows that the client could. ``seconds`` is the wall time of the
    client's dialogue. ``evidence`` is a path relative to the run folder. ``taken_over`` is None
    where the run measured the cell itself; its key is then left out of the JSON form. ``run``,
    ``measured`` (the time in UTC, ISO 8601), ``tool`` (its version), ``postfix`` and ``openssl``
    (the build's versions) let a line stand alone; None in lines of earlier versions, and where not
    known.
    """

    cell: str
    build: str
    scenario: str
    config: str
    service: str
    client: str
    offer: str
    outcome: Outcome
    stage: Stage | None = None
    reason: str | None = None
    decided_by: str | None = None
    client_saw: TlsView | None = None
    server_saw: TlsView | None = None
    agree: bool | None = None
    control: str | None = None
    seconds: Seconds | None = None
    evidence: str | None = None
    trust: str | None = None
    obstacles: tuple[str, ...] = ()
    certificate: CertificateView | None = None
    resumed: bool | None = None
    taken_over: TakenOver | None = None
    run: str | None = None
    measured: str | None = None
    tool: str | None = None
    postfix: str | None = None
    openssl: str | None = None
    again: Again | None = None
    schema: SchemaOne = SCHEMA
    __pydantic_config__: ClassVar[dict[str, Any]] = NO_OTHER_KEYS

    @property
    def is_simulated(self) -> bool:
        """Whether no client was there: a recorded hello was sent (``would-negotiate``, …)."""
        return is_simulated(self.client) or self.outcome in SIMULATED

    def to_json(self) -> str:
        """The observation as one line of JSON, without the line's end."""
        data = asdict(self)
        for key in ("taken_over", "again"):
            if data[key] is None:
                del data[key]
        if self.is_simulated:
            data["simulated"] = True
        return json.dumps(data, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Observation:
        """Read one line back.

        Raises:
            DataError: not JSON, another schema, a key is missing or unknown, or a value has a wrong
                type or is not of its vocabulary.
        """
        observation = read_json_data(cls, _SIMULATED_KEY.sub("", line, count=1))
        if not _SCHEMA_KEY.search(line):
            raise DataError([DataProblem(("schema",), "this key is missing", str(SCHEMA))])
        return observation


def parse_observation(line: bytes) -> Observation:
    """Read a line of observations.jsonl.

    Raises:
        ValueError: it is not UTF-8.
        DataError: as :meth:`Observation.from_json`, or its cell is not that of its other names.
    """
    observation = Observation.from_json(line.decode("utf-8"))
    names = (
        observation.build,
        observation.scenario,
        observation.service,
        observation.client,
        observation.offer,
    )
    if observation.cell != (cell := "/".join(names)):
        raise DataError([DataProblem(("cell",), f"cannot be {show_value(observation.cell)}", cell)])
    return observation
