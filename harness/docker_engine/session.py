"""The connection to the Docker engine, and the session that owns containers and networks.

Each container and network that the harness starts carries the id of its session as a label. A
session holds a lock file while it lives, and the kernel releases the lock however the session
ends; so the next session recognises what a killed one left behind, and removes only that.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import platformdirs
from docker.errors import APIError, DockerException, NotFound
from filelock import FileLock, Timeout
from requests import RequestException

from harness.docker_engine.address import EngineAddress, find_engine, use_engine
from harness.docker_engine.trouble import ANSWER_LIMIT, explain_silence
from harness.errors import FaultError

_Filters = dict[str, str | list[str] | bool]

#: Containers that are removed at a time: each waits for its processes to end.
_REMOVALS = 8
#: Seconds until all of a run can be removed.
_REMOVAL_LIMIT = 60.0
#: Seconds between two tries to remove a network that a dead session left in use, and for which a
#: dead session's lock file stays.
_PAUSE = 600.0
#: Beside a dead session's lock file: when its network was in use.
_TRIED = ".tried"
#: For a client that only asks for the version of the engine's interface.
_ANY_VERSION = "1.41"
#: For one call to the engine, in seconds.
CALL_LIMIT = 600.0
LABEL_RUN = "org.postfix-matrix.run"
LABEL_HOST = "org.postfix-matrix.host"


def connect(time_limit: float = CALL_LIMIT) -> docker.DockerClient:
    """A client of the engine that the ``docker`` command would use (``address.py``).

    ``time_limit`` is for one call, in seconds; a build step may take minutes. The first call has a
    shorter one, so that an engine that hangs is noticed.

    Raises:
        UsageError: DOCKER_HOST or a Docker context has no address of an engine.
        InfrastructureError: no engine answers.
    """
    address = find_engine()
    use_engine(address)
    try:
        _try_socket(address)
        # With a version given, the constructor does not speak: its connections could not be closed.
        with closing(docker.from_env(timeout=ANSWER_LIMIT, version=_ANY_VERSION)) as first:
            version = first.api.version(api_version=False)["ApiVersion"]
        return docker.from_env(timeout=int(time_limit), version=str(version))
    except (DockerException, RequestException, OSError, ValueError, KeyError, TypeError) as error:
        raise explain_silence(address, error) from error


def _try_socket(address: EngineAddress) -> None:
    """Connect once to a unix socket: docker-py leaves a socket open where nothing answers.

    Raises:
        OSError: it is not there, nothing listens, or this user may not use it.
    """
    if address.socket is not None:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.settimeout(ANSWER_LIMIT)
            trial.connect(str(address.socket))


@contextmanager
def engine_errors(what: str) -> Iterator[None]:
    """Turn an error of the engine, or of the connection to it, into a FaultError.

    ``what`` names the action, in a form that can follow "Docker: ".
    """
    try:
        yield
    except (DockerException, RequestException) as error:
        raise FaultError(
            f"Docker: {what} failed: {error}",
            cause="the container or the engine is gone, or out of disk or memory",
            next_step="'docker info' shows whether the engine answers, 'docker system df' its disk",
        ) from error


def discard_container(container: Any) -> None:
    """Remove a container, running or not.

    What an engine that does not answer leaves is removed with the session whose label it has.
    """
    with suppress(DockerException, RequestException):
        container.remove(force=True, v=True)


def default_state_dir() -> Path:
    """The folder with the locks of living sessions."""
    return Path(platformdirs.user_state_dir("postfix-matrix")) / "sessions"


def new_session_id() -> str:
    """The time in UTC and a random number: an id that sorts by time."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stamp}-{secrets.token_hex(2)}"


class DockerSession:
    """The owner of one process's containers and networks. A context manager.

    Entering removes what dead sessions of this machine left; leaving removes what this session
    started, unless ``keep``.
    """

    def __init__(
        self, client: docker.DockerClient, *, state_dir: Path | None = None, keep: bool = False
    ) -> None:
        self.client = client
        self.keep = keep
        self._dir = state_dir or default_state_dir()
        self.id = new_session_id()
        self._lock = FileLock(self._lock_path(self.id))

    @property
    def labels(self) -> dict[str, str]:
        """The labels that each container and network of this session must carry."""
        return {LABEL_RUN: self.id, LABEL_HOST: socket.gethostname()}

    def __enter__(self) -> DockerSession:
        self._dir.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        with engine_errors("removing what a killed run left"):
            remove_leftovers(self.client, self._dir)
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            if not self.keep:
                with engine_errors("removing the run's containers and network"):
                    if not remove_labelled(self.client, {LABEL_RUN: self.id}):
                        # After a lock file that is not locked, the next session removes the rest.
                        return
            self._lock_path(self.id).unlink(missing_ok=True)
        finally:
            self._lock.release()

    def _lock_path(self, session: str) -> Path:
        return self._dir / f"{session}.lock"


def remove_leftovers(client: docker.DockerClient, state_dir: Path) -> list[str]:
    """Remove what dead sessions of this machine left; return their ids.

    A session without a lock file was kept on purpose (``--keep``) or ended long ago: its containers
    stay. A session whose lock file is there but not locked is dead. The file stays until nothing is
    left, and for some minutes, since the engine may still start what the session asked for.
    """
    dead, listed = [], set()
    for session in _list_sessions(client):
        path = state_dir / f"{session}.lock"
        if not path.exists() or not _is_unlocked(path):
            continue
        listed.add(path)
        if _is_young(path.with_suffix(_TRIED)):
            # The engine takes its time to say no once more.
            _remove_containers(client, {"label": [f"{LABEL_RUN}={session}"]})
            continue
        try:
            remove_labelled(client, {LABEL_RUN: session}, limit=0.0)
            dead.append(session)
        except APIError:
            # A network that the engine calls in use must not keep this run from starting.
            path.with_suffix(_TRIED).touch()
    for path in state_dir.glob("*.lock"):
        if path not in listed and not _is_young(path):
            _remove_unlocked(path)
    return dead


def _is_young(path: Path) -> bool:
    """Whether a file was written a short time ago."""
    with suppress(OSError):
        return time.time() < path.stat().st_mtime + _PAUSE
    return False


def _remove_unlocked(path: Path) -> None:
    """Remove a lock file, unless it is locked; a new session cannot lock it meanwhile."""
    lock = FileLock(path)
    with suppress(Timeout), lock.acquire(blocking=False):
        path.unlink(missing_ok=True)
        path.with_suffix(_TRIED).unlink(missing_ok=True)


def remove_labelled(
    client: docker.DockerClient, labels: Mapping[str, str], limit: float = _REMOVAL_LIMIT
) -> bool:
    """Remove the containers, then the images and networks, that carry all of these labels.

    An image has them that was made of such a container, and no other. What is still there, since
    the engine was starting or removing it, is removed again for ``limit`` seconds. Whether nothing
    is left.
    """
    filters: _Filters = {"label": [f"{key}={value}" for key, value in labels.items()]}
    end = time.monotonic() + limit
    while True:
        _remove_containers(client, filters)
        for image in _list_images(client, filters):
            # One that another image was made from goes with that.
            with suppress(NotFound, APIError):
                client.api.remove_image(image["Id"], force=True)
        in_use = _remove_networks(client, filters)
        if in_use is None and not client.api.containers(all=True, filters=filters):
            return True
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    if in_use is not None:
        raise in_use
    return False


def _list_images(client: docker.DockerClient, filters: _Filters) -> list[Mapping[str, Any]]:
    """A session's images, which have no tag; to list hundreds of tagged ones takes seconds."""
    images: list[Mapping[str, Any]] = client.api.images(filters={**filters, "dangling": True})
    return images


def _remove_containers(client: docker.DockerClient, filters: _Filters) -> None:
    def remove(container: Mapping[str, str]) -> None:
        # Another process, or the engine itself, may be removing it at this moment.
        with suppress(NotFound, APIError):
            client.api.remove_container(container["Id"], force=True, v=True)

    # docker-py's own list() queries the engine once more for each container.
    containers = client.api.containers(all=True, filters=filters)
    with ThreadPoolExecutor(_REMOVALS) as executor:
        list(executor.map(remove, containers))


def _remove_networks(client: docker.DockerClient, filters: _Filters) -> APIError | None:
    """Remove networks, also those that list endpoints; the engine's answer if one is in use."""
    answer: APIError | None = None
    for network in client.api.networks(filters=filters):
        try:
            _remove_network(client, network["Id"])
        except NotFound:
            continue
        except APIError as error:
            answer = error
    return answer


def _remove_network(client: docker.DockerClient, network: str) -> None:
    try:
        client.api.remove_network(network)
    except NotFound:
        raise
    except APIError:
        endpoints = client.api.inspect_network(network).get("Containers")
        if not endpoints:
            raise
        for endpoint in endpoints:
            with suppress(NotFound, APIError):
                client.api.disconnect_container_from_network(endpoint, network, force=True)
        client.api.remove_network(network)


def _list_sessions(client: docker.DockerClient) -> set[str]:
    filters: _Filters = {"label": [LABEL_RUN, f"{LABEL_HOST}={socket.gethostname()}"]}
    # docker-py's own list() asks for each resource once more; some may have been removed by then.
    resources: list[Mapping[str, Any]] = [
        *client.api.containers(all=True, filters=filters),
        *client.api.networks(filters=filters),
        *_list_images(client, filters),
    ]
    return {resource["Labels"][LABEL_RUN] for resource in resources}


def _is_unlocked(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    lock.release()
    return True
