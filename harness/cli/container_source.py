"""Reads a configuration out of a running container through Docker's archive call.

Users of docker-mailserver or mailcow can check theirs in one line. Nothing in the container is
changed (``targets/container_tree.py``).
"""

from __future__ import annotations

from docker.errors import DockerException, NotFound
from docker.models.containers import Container
from requests import RequestException

from harness.docker_engine.session import connect
from harness.errors import UsageError
from harness.scenarios.configuration_source import ConfigurationSource
from harness.targets.container_tree import (
    find_config_directory,
    format_engine_error,
    read_configuration_of,
)

#: In seconds, for one call to the engine.
_TIME_LIMIT = 60.0


def read_container(name: str) -> ConfigurationSource:
    """Read main.cf and master.cf of a running container, and give access to its other files.

    Raises:
        UsageError: there is no such container, it does not run, or has no configuration.
        InfrastructureError: no engine answers.
    """
    container = _find_container(name)
    source = read_configuration_of(container, name)
    if not source.texts:
        raise UsageError(
            f"the container {name!r} has no Postfix configuration in "
            f"{find_config_directory(container)}",
            next_step="name the container that Postfix runs in ('docker ps' lists all)",
        )
    return source


def _find_container(name: str) -> Container:
    client = connect(_TIME_LIMIT)
    try:
        container = client.containers.get(name)
    except NotFound:
        raise UsageError(
            f"there is no container {name!r}", next_step="'docker ps' lists those that run"
        ) from None
    except (DockerException, RequestException, ValueError) as error:
        raise UsageError(
            f"the container {name!r} cannot be read: {format_engine_error(error)}"
        ) from error
    if container.status != "running":
        raise UsageError(
            f"the container {name!r} is not running, but {container.status}",
            next_step=f"start it ('docker start {name}'), then try again",
        )
    return container
