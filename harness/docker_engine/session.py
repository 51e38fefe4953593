"""The Docker engine, and whose things on it are ours.

Everything that the harness starts carries the id of the session that started it. A session holds a
lock file while it lives, and the kernel lets go of the lock however the session ends; so the next
one can tell what a killed session left behind and remove that, and nothing else.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import platformdirs
from docker.errors import APIError, DockerException, NotFound
from filelock import FileLock, Timeout
from requests import RequestException

from harness.errors import InfrastructureError

_Filters = dict[str, str | list[str] | bool]

#: Containers that are removed at a time: each waits for its processes to end.
_REMOVALS = 8
LABEL_RUN = "org.postfix-matrix.run"
LABEL_HOST = "org.postfix-matrix.host"


def connect(time_limit: float = 600.0) -> docker.DockerClient:
    """A client of the engine that ``DOCKER_HOST``, or the default socket, leads to.

    ``time_limit`` is for one call, in seconds; a build step may take minutes.

    Raises:
        InfrastructureError: no engine answers.
    """
    try:
        client = docker.from_env(timeout=int(time_limit))
        client.ping()
    except DockerException as error:
        where = os.environ.get("DOCKER_HOST", "the default socket")
        raise InfrastructureError(
            f"no Docker engine answers at {where}: {error}",
            cause="Docker is not installed, not running, or this user may not talk to it",
            next_step="'make setup' installs and starts one on Debian and Ubuntu as root; "
            "elsewhere install Docker, or set DOCKER_HOST",
        ) from error
    return client


@contextmanager
def talking(what: str) -> Iterator[None]:
    """Turn whatever the engine, or the way to it, says into an InfrastructureError.

    ``what`` was being done, in words that follow "Docker: ".
    """
    try:
        yield
    except (DockerException, RequestException) as error:
        raise InfrastructureError(
            f"Docker: {what} failed: {error}",
            cause="the container or the engine is gone, or out of disk or memory",
            next_step="'docker info' tells whether the engine answers, 'docker system df' its disk",
        ) from error


def default_state_dir() -> Path:
    """Where the locks of living sessions are."""
    return Path(platformdirs.user_state_dir("postfix-matrix")) / "sessions"


def new_session_id() -> str:
    """The time in UTC and a random number: an id that sorts by time."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stamp}-{secrets.token_hex(2)}"


class DockerSession:
    """One process's right to its containers and networks. A context manager.

    Entering sweeps what dead sessions of this machine left; leaving removes our own things, unless
    ``keep``.
    """

    def __init__(
        self, client: docker.DockerClient, *, state_dir: Path | None = None, keep: bool = False
    ) -> None:
        self.client = client
        self.keep = keep
        self._dir = state_dir or default_state_dir()
        self.id = new_session_id()
        self._lock = FileLock(self._path(self.id))

    @property
    def labels(self) -> dict[str, str]:
        """What each container and network of this session must carry."""
        return {LABEL_RUN: self.id, LABEL_HOST: socket.gethostname()}

    def __enter__(self) -> DockerSession:
        self._dir.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        with talking("removing what a killed run left"):
            sweep(self.client, self._dir)
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            if not self.keep:
                with talking("removing the run's containers and network"):
                    remove_labelled(self.client, {LABEL_RUN: self.id})
            # Only now: a lock file that nobody holds tells the next session to remove the rest.
            self._path(self.id).unlink(missing_ok=True)
        finally:
            self._lock.release()

    def _path(self, session: str) -> Path:
        return self._dir / f"{session}.lock"


def sweep(client: docker.DockerClient, state_dir: Path) -> list[str]:
    """Remove what dead sessions of this machine left; returns their ids.

    A session whose lock file is gone was kept on purpose (``--keep``) or ended long ago: a missing
    lock file counts as kept, a file that nobody holds as dead.
    """
    dead, stuck = [], set()
    for session in _sessions_seen(client):
        path = state_dir / f"{session}.lock"
        if path.exists() and _nobody_holds(path):
            try:
                remove_labelled(client, {LABEL_RUN: session})
                dead.append(session)
            except APIError:
                # A container that was starting when the session died may still hold its network:
                # that is no reason for this run not to begin. Its file stays, for the next one.
                stuck.add(path)
    for path in state_dir.glob("*.lock"):
        if path not in stuck and _nobody_holds(path):
            path.unlink(missing_ok=True)
    return dead


def remove_labelled(client: docker.DockerClient, labels: Mapping[str, str]) -> None:
    """Remove the containers, then the networks, that carry all of these labels."""
    filters: _Filters = {"label": [f"{key}={value}" for key, value in labels.items()]}
    # docker-py's own list() asks the engine once more for each container.
    containers = client.api.containers(all=True, filters=filters)

    def remove(container: Mapping[str, str]) -> None:
        # Another process, or the engine itself, may be removing it at this moment.
        with suppress(NotFound, APIError):
            client.api.remove_container(container["Id"], force=True, v=True)

    with ThreadPoolExecutor(_REMOVALS) as executor:
        list(executor.map(remove, containers))
    for network in client.networks.list(filters=filters):
        with suppress(NotFound):
            _remove_network(network)


def _remove_network(network: Any) -> None:
    """Remove a network, also one that still counts endpoints of containers that are gone."""
    try:
        network.remove()
    except NotFound:
        raise
    except APIError:
        network.reload()
        for endpoint in network.attrs.get("Containers") or {}:
            with suppress(NotFound, APIError):
                network.disconnect(endpoint, force=True)
        network.remove()


def _sessions_seen(client: docker.DockerClient) -> set[str]:
    wanted: _Filters = {"label": [LABEL_RUN, f"{LABEL_HOST}={socket.gethostname()}"]}
    things: list[Any] = [
        *client.containers.list(all=True, filters=wanted, ignore_removed=True),
        *client.networks.list(filters=wanted),
    ]
    return {_labels(thing)[LABEL_RUN] for thing in things}


def _labels(thing: Any) -> dict[str, str]:
    attrs = thing.attrs
    labels: dict[str, str] = attrs.get("Labels") or attrs.get("Config", {}).get("Labels") or {}
    return labels


def _nobody_holds(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    lock.release()
    return True
