"""An image of the user's: the one that the engine has, else pulled."""

from __future__ import annotations

from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound

from harness.docker_engine.calls import stream
from harness.docker_engine.cancel import (
    Cancel,
    Cancelled,
)
from harness.errors import HarnessError, InfrastructureError

#: Seconds to reach the engine, and without a word of progress from it.
TIME_LIMITS = (5.0, 60.0)


def present(client: docker.DockerClient, reference: str, cancel: Cancel) -> dict[str, Any]:
    """What the engine tells of an image, which is pulled if it is not there.

    Raises:
        InfrastructureError: it is not there and cannot be pulled, or the engine does not answer.
        Cancelled: broken off.
    """
    try:
        return dict(client.images.get(reference).attrs)
    except ImageNotFound:
        pull(client, reference, cancel)
    except DockerException as error:
        raise InfrastructureError(f"the Docker engine does not answer: {error}") from error
    return dict(client.images.get(reference).attrs)


def pull(client: docker.DockerClient, reference: str, cancel: Cancel) -> None:
    """Pull an image; a reference without tag or digest means the tag ``latest``.

    Raises:
        InfrastructureError: no registry gives it.
        Cancelled: broken off.
    """
    if why := refusal(client, reference, cancel, TIME_LIMITS):
        raise InfrastructureError(
            f"there is no image {reference}: {why}",
            cause="its name is mistyped, or its registry is not reached from here",
            next_step="'docker images' shows what the engine has; build, pull or load it, "
            "then try again",
        )


def refusal(
    client: docker.DockerClient, reference: str, cancel: Cancel, time_limits: tuple[float, float]
) -> str:
    """Pull an image; why that failed, "" if it did not.

    ``time_limits``: seconds to reach the engine, and without a word of progress from it.

    Raises:
        Cancelled: broken off.
    """
    tagged = "@" in reference or ":" in reference.rpartition("/")[2]
    params = {"fromImage": reference if tagged else f"{reference}:latest"}
    try:
        items = stream(client.api, "/images/create", params, cancel, time_limits=time_limits)
        errors = [str(item["error"]) for item in items if "error" in item]
    except Cancelled:
        raise
    except HarnessError as error:
        return error.what
    return errors[0] if errors else ""
