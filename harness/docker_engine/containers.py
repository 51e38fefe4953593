"""Short-lived containers: run one command in an image, take its output, remove the container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import docker
import requests
from docker.errors import APIError
from docker.models.containers import Container

from harness.docker_engine.cancel import Cancel
from harness.docker_engine.session import discard_container
from harness.errors import InfrastructureError


@dataclass(frozen=True, slots=True)
class FinishedCommand:
    """A command that ended: its container (which still exists), exit code and output."""

    container: Container
    code: int
    out: str
    err: str


@contextmanager
def run_container(
    client: docker.DockerClient,
    image: str,
    command: Sequence[str],
    *,
    labels: Mapping[str, str],
    cancel: Cancel,
    network: Literal["none", "bridge"] = "none",
    time_limit: float = 60.0,
) -> Iterator[FinishedCommand]:
    """Run a command to its end; inside the ``with`` its files can still be copied.

    The container is removed in any case. ``time_limit`` is in seconds.

    Raises:
        InfrastructureError: it could not be started, or took too long.
        Cancelled: the user cancelled the work.
    """
    container = _create_container(client, image, command, labels, network)
    try:
        with cancel.closing(container.kill):
            code, out, err = _run_to_end(container, image, time_limit)
            yield FinishedCommand(container, code, out, err)
    finally:
        discard_container(container)


def _create_container(
    client: docker.DockerClient,
    image: str,
    command: Sequence[str],
    labels: Mapping[str, str],
    network: str,
) -> Container:
    try:
        # The image's entry point must not run instead.
        return client.containers.create(
            image,
            list(command[1:]),
            entrypoint=[command[0]],
            labels=dict(labels),
            network_mode=network,
            user="root",
        )
    except APIError as error:
        raise _not_run_error(image, str(error.explanation or error)) from error


def _run_to_end(container: Container, image: str, time_limit: float) -> tuple[int, str, str]:
    try:
        container.start()
        code = int(container.wait(timeout=time_limit)["StatusCode"])
        out = container.logs(stdout=True, stderr=False).decode(errors="replace")
        err = container.logs(stdout=False, stderr=True).decode(errors="replace")
    except APIError as error:
        raise _not_run_error(image, str(error.explanation or error)) from error
    except requests.RequestException as error:
        raise _not_run_error(
            image, f"no end after {time_limit:.0f} s, or the engine is gone"
        ) from error
    return code, out, err


def _not_run_error(image: str, reason: str) -> InfrastructureError:
    return InfrastructureError(
        f"a command could not be run in the image {image}: {reason}",
        next_step="see that 'docker info' answers and that the image has a shell, then try again",
    )
