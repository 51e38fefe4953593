"""The types of a site's state.json, which pydantic checks before a publication takes it over."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from harness.observations.run_json import ImageInfo, ScenarioInfo


class _Part(BaseModel):
    """What all have in common: further keys are left as they are."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _ScenarioState(_Part):
    """A scenario, and the run that it is from."""

    info: ScenarioInfo
    run: str
    builds: tuple[str, ...]
    lines: tuple[object, ...]


class _ImageState(_Part):
    """An image, and the run that it is from."""

    info: ImageInfo
    run: str


class _MissingState(_Part):
    """Something that was unavailable in a run."""

    name: str
    run: str


class _VerdictState(_Part):
    """The verdict on a scenario for a build."""

    verdict: str
    run: str


class _RunState(_Part):
    """A run that cells are from."""

    started: str


class SiteStateForm(_Part):
    """The whole file."""

    scenarios: Mapping[str, _ScenarioState] = {}
    images: Mapping[str, _ImageState] = {}
    missing: Mapping[str, _MissingState] = {}
    verdicts: Mapping[str, Mapping[str, _VerdictState]] = {}
    runs: Mapping[str, _RunState] = {}
    kept: tuple[str, ...] = ()
    axes: Mapping[str, tuple[str, ...]] = {}
    generated_at: str = ""
