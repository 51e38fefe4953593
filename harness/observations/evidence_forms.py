"""The types of what evidence files hold, which pydantic checks (docs/schemas/evidence, instance).

No key is required: earlier versions wrote fewer. Further keys are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.clients.contract import ClientOutcome, ClientResult

_Lines = tuple[str, ...]


class _Evidence(BaseModel):
    """What all have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Grounds(_Evidence):
    """What shows the obstacles of a refusal."""

    controls: Mapping[str, str] = {}
    protocol_list: str | None = Field(None, alias="list")
    excluded: _Lines | None = None
    files: _Lines = ()


@dataclass(frozen=True, slots=True)
class _ClientEvidence(ClientResult):
    """A client's result, with the version of its contract."""

    id: str = ""
    outcome: ClientOutcome = "error"
    contract: Annotated[int, Field(ge=1, le=1)] = 1


class _RequestedVersions(_Evidence):
    """What a client was to offer."""

    lowest: str = ""
    highest: str = ""
    ciphers: _Lines = ()
    groups: _Lines = ()


class _RequestedMessage(_Evidence):
    """The message that it was to send."""

    sender: str = Field("", alias="from")
    to: str = ""
    subject: str = ""


class _RequestEvidence(_Evidence):
    """What a client was asked to do, without its password."""

    contract: Annotated[int, Field(ge=1, le=1)] = 1
    id: str = ""
    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    server_name: str = ""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    offer: _RequestedVersions | None = None
    ca_file: str = ""
    credentials: Mapping[str, str] | None = None
    message: _RequestedMessage = Field(default_factory=lambda: _RequestedMessage.model_validate({}))
    time_limit: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    extras: Mapping[str, object] = {}


class CellEvidence(_Evidence):
    """What both sides said in one cell."""

    cell: str = ""
    request: _RequestEvidence | None = None
    client: _ClientEvidence | None = None
    log: _Lines = ()
    peer_log: _Lines = ()
    received: str | None = None
    notes: _Lines = ()
    grounds: _Grounds = Field(default_factory=lambda: _Grounds.model_validate({}))


class _Replaced(_Evidence):
    """A setting that a stand-in replaced."""

    where: str = ""
    setting: str = ""
    value: str = ""
    instead: str | None = None
    kind: str = ""
    reason: str = ""


class _ServiceEvidence(_Evidence):
    """A service of an instance."""

    service: str = ""
    entry: str = ""
    program: str = ""
    level: str = ""
    speaks: str = ""
    proxy_protocol: str = ""
    settings: Mapping[str, str] = {}
    defaults: Mapping[str, str] = {}


class InstanceEvidence(_Evidence):
    """What one Postfix instance was configured with, and how it started."""

    build: str = ""
    scenario: str = ""
    config: str = ""
    main_cf: str = Field("", alias="main.cf")
    master_cf: str = Field("", alias="master.cf")
    files: Mapping[str, str] = {}
    base: _Lines = ()
    notes: _Lines = ()
    replaced: tuple[_Replaced, ...] = ()
    services: tuple[_ServiceEvidence, ...] = ()
    added: _Lines = ()
    postconf_n: str = ""
    check: str = ""
    checked: bool = True
    startup: _Lines = ()
    started: bool = True
