"""Images, and checks of images and clients, for other programs: docs/schemas.

Not among the reports, which work without Docker: what is written here are classes of modules that
work with its engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from harness.conformance.client_checks import ClientReport
from harness.conformance.image_checks import ImageReport
from harness.images.batch_build import BuildResult
from harness.images.image_states import ImageState
from harness.images.registry import ImageRegistry
from harness.images.registry_pusher import PushResult

#: Version of each of these forms; raised when a field changes its meaning.
SCHEMA = 1


def image_states_data(states: Iterable[ImageState]) -> dict[str, Any]:
    """docs/schemas/images-list.schema.json."""
    return {"schema": SCHEMA, "images": [_state_data(state) for state in states]}


def built_data(results: Iterable[BuildResult]) -> dict[str, Any]:
    """docs/schemas/images-build.schema.json."""
    return {"schema": SCHEMA, "images": [_build_data(result) for result in results]}


def pushed_data(results: Iterable[PushResult], registry: ImageRegistry) -> dict[str, Any]:
    """docs/schemas/images-push.schema.json."""
    return {"schema": SCHEMA, "images": [_push_data(result, registry) for result in results]}


def image_report_data(report: ImageReport) -> dict[str, Any]:
    """docs/schemas/images-check.schema.json."""
    return {"schema": SCHEMA, "keeps_contract": report.ok, **asdict(report)}


def client_report_data(report: ClientReport) -> dict[str, Any]:
    """docs/schemas/clients-check.schema.json."""
    return {"schema": SCHEMA, "keeps_contract": report.ok, **asdict(report)}


def _state_data(state: ImageState) -> dict[str, Any]:
    return {
        "name": state.name,
        "state": state.state,
        "reference": state.reference,
        "postfix": state.postfix or None,
        "openssl": state.openssl or None,
        "bytes": state.size or None,
        "made": state.made or None,
        "pulled": state.pulled or None,
    }


def _build_data(result: BuildResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "state": result.state,
        "seconds": round(result.seconds, 1),
        "reference": result.image.reference if result.image else None,
        "id": result.image.id if result.image else None,
        "why": str(result.error) if result.error else None,
    }


def _push_data(result: PushResult, registry: ImageRegistry) -> dict[str, Any]:
    return {
        "name": result.name,
        "state": result.state,
        "seconds": round(result.seconds, 1),
        "reference": f"{registry.repository}:{result.tag}" if result.tag else None,
        "digest": result.digest or None,
        "why": str(result.error) if result.error else None,
    }
