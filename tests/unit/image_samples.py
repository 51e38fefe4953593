"""What the commands about images and the catalog print as JSON, made without Docker."""

from __future__ import annotations

from typing import Any

from harness.catalog.releases import all_packages, all_releases
from harness.cli.images_json import (
    built_data,
    client_report_data,
    image_report_data,
    image_states_data,
    pushed_data,
)
from harness.conformance.client_checks import ClientReport
from harness.conformance.image_checks import Check, CheckVerdict, ImageReport
from harness.errors import DoesNotBuildError, InfrastructureError
from harness.images.batch_build import BuildResult, BuildState
from harness.images.image import Image
from harness.images.image_states import ImageState
from harness.images.provenance import Versions
from harness.images.registry import ImageRegistry
from harness.images.registry_pusher import PushResult, PushState
from harness.reports.catalog_json import catalog_data
from harness.reports.reachability_json import reachability_data
from tests.unit.catalog.test_reachability import ANSWERS

REFERENCE = "postfix-matrix/debian-12:2ded1b120cc6"
DIGEST = f"sha256:{'a' * 64}"
REGISTRY = ImageRegistry("registry.example/images")
CHECKS = tuple(
    Check("tools", "on PATH are awk, cat", verdict, "there is no awk", "add it")
    for verdict in CheckVerdict
)
VERSIONS = Versions("3.7.11", "OpenSSL 3.0.14", "OpenSSL 3.0.22", "OpenSSL 3.0.22")

BUILT = ImageState(
    "debian-12", REFERENCE, "there", "3.7.11", "3.0.22", 151_431_883, "2026-11-30T01:35:06+00:00"
)
#: An image in each state in which 'images list' can show it.
LISTED = (
    BUILT,
    ImageState("debian-11", REFERENCE, "not built"),
    ImageState("debian-10", REFERENCE, "does not build: x.c:1: error\nno"),
    ImageState("mine", REFERENCE, "there, unverified source", "3.7.11", "1.1.1w-legacy", 1),
    ImageState(
        "debian-9", REFERENCE, "there, pulled", pulled=f"registry.example/images@{DIGEST}", size=1
    ),
)
#: An outcome of 'images build' in each state.
ORDERED = tuple(
    BuildResult("debian-12", state, 12.34, Image("debian-12", REFERENCE, DIGEST, {}))
    if state in (BuildState.BUILT, BuildState.PULLED, BuildState.THERE)
    else BuildResult("debian-12", state, 0.0, error=DoesNotBuildError("debian-12", "x.c: error"))
    for state in BuildState
)
PUSHED = (
    PushResult("debian-12", PushState.PUSHED, 1.23, "debian-12-2ded1b120cc6", DIGEST),
    PushResult("debian-11", PushState.NOT_BUILT),
    PushResult("mine", PushState.NEVER),
    PushResult(
        "debian-10",
        PushState.FAILED,
        5.0,
        "debian-10-2ded1b120cc6",
        error=InfrastructureError("no"),
    ),
)


def documents() -> dict[str, dict[str, Any]]:
    """One document of each command, by the name of its schema."""
    described = {"contract": 1, "client": "mine", "mood": "good"}
    return {
        "images-list": image_states_data(LISTED),
        "images-reachable": reachability_data(ANSWERS),
        "images-build": built_data(ORDERED),
        "images-push": pushed_data(PUSHED, REGISTRY),
        "images-check": image_report_data(ImageReport(REFERENCE, DIGEST, CHECKS, VERSIONS)),
        "clients-check": client_report_data(ClientReport("mine:1", DIGEST, described, CHECKS)),
        "catalog-list": catalog_data([all_releases("openssl")[0], *all_packages("openssl")]),
    }
