"""Values of run.json that its dataclasses keep as plain texts, and what pydantic checks of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from harness.catalog.versions import Constraint
from harness.errors import UsageError
from harness.outcomes import Outcome
from harness.scenarios.expectations import Effect, Trust
from harness.tls import Offer, Protocol, read_service


def _check_offer(text: str) -> str:
    try:
        Offer.parse(text)
    except UsageError as error:
        raise ValueError(error.what) from None
    return text


def _check_constraint(text: str) -> str:
    try:
        Constraint.parse(text)
    except UsageError as error:
        raise ValueError(error.what) from None
    return text


_Offer = Annotated[str, AfterValidator(_check_offer)]
_Constraint = Annotated[str, AfterValidator(_check_constraint)]
_Service = Annotated[str, AfterValidator(lambda text: str(read_service(text)))]
_Texts = tuple[str, ...]


class _Strict(BaseModel):
    """A part that no version of this tool writes with other keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Open(BaseModel):
    """A part whose other keys are checked elsewhere."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Where(_Strict):
    """Selectors of cells."""

    builds: _Texts = ()
    postfix: _Constraint | None = None
    openssl: _Constraint | None = None
    services: _Texts = ()
    clients: _Texts = ()
    offers: _Texts = ()


class _Expectation(_Strict):
    """What ``Expectation.to_data`` writes."""

    where: tuple[_Where, ...]
    outcome: tuple[Outcome, ...] = ()
    protocol: tuple[Protocol, ...] = ()
    cipher: _Texts = ()
    cipher_not: _Texts = ()
    reason: _Texts = ()
    trust: tuple[Trust, ...] = ()
    certificate: _Texts = ()
    resumed: bool | None = None
    effect: Effect | None = None
    says: str | None = None
    policy: str | None = None
    line: Annotated[int, Field(ge=1)] | None = None


class _Scenario(_Open):
    """What a scenario promises."""

    expect: tuple[_Expectation, ...] = ()
    applies: _Where = _Where()


class _Axes(_Open):
    """What can be measured."""

    services: tuple[_Service, ...] = ()
    offers: tuple[_Offer, ...] = ()
    scopes: Mapping[str, _Axes] = {}


class _Shard(_Open):
    """The plan that a run is a part of."""

    axes: _Axes | None = None


class _Summary(_Open):
    """Figures that no report reads."""

    outcomes: Mapping[Outcome, Annotated[int, Field(ge=0)]] = {}
    views_compared: Annotated[int, Field(ge=0)] | None = None
    disagreements: Annotated[int, Field(ge=0)] | None = None


class RunVocabularies(_Open):
    """The parts of run.json with values of closed vocabularies."""

    axes: _Axes
    scenarios: Mapping[str, _Scenario] = {}
    shard: _Shard | None = None
    summary: _Summary | None = None
