"""An image that the user names: the engine's copy, else pulled from its registry."""

from __future__ import annotations

from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound

from harness.docker_engine.cancel import Cancel
from harness.docker_engine.transfers import pull
from harness.errors import InfrastructureError

#: Seconds to reach the engine, and to wait for its next report of progress.
TIME_LIMITS = (5.0, 60.0)


def ensure_present(client: docker.DockerClient, reference: str, cancel: Cancel) -> dict[str, Any]:
    """What the engine reports about an image, which is pulled if it is not there.

    Raises:
        InfrastructureError: it is not there and cannot be pulled, or the engine does not answer.
        Cancelled: the user cancelled the work.
    """
    try:
        return dict(client.images.get(reference).attrs)
    except ImageNotFound:
        pull_image(client, reference, cancel)
    except DockerException as error:
        raise InfrastructureError(f"the Docker engine does not answer: {error}") from error
    return dict(client.images.get(reference).attrs)


def pull_image(client: docker.DockerClient, reference: str, cancel: Cancel) -> None:
    """Pull an image; a reference without tag or digest means the tag ``latest``.

    Raises:
        InfrastructureError: no registry gives it.
        Cancelled: the user cancelled the work.
    """
    if reason := pull_error(client, reference, cancel, TIME_LIMITS):
        raise InfrastructureError(
            f"there is no image {reference}: {reason}",
            cause="its name is mistyped, or its registry is not reached from here",
            next_step="'docker images' shows what the engine has; build, pull or load it, "
            "then try again",
        )


def pull_error(
    client: docker.DockerClient, reference: str, cancel: Cancel, time_limits: tuple[float, float]
) -> str:
    """Pull an image; the reason why that failed, "" if it did not (as ``transfers.pull``).

    Raises:
        Cancelled: the user cancelled the work.
    """
    return pull(client, reference, cancel, time_limits).error
