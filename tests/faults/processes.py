"""The processes of a run on this machine: the harness's own, and those of its containers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException
from docker.models.containers import Container

from harness.docker_engine.session import LABEL_RUN


@dataclass(frozen=True, slots=True)
class ContainerProcess:
    """A process of a container: its id on this machine, its program's name, its container."""

    pid: int
    program: str
    container: str


def list_containers(client: docker.DockerClient, session: str) -> list[Container]:
    """The running containers of a session; one may end while it is looked at."""
    filters: dict[str, str | list[str] | bool] = {"label": [f"{LABEL_RUN}={session}"]}
    with suppress(DockerException):
        return list(client.containers.list(filters=filters, ignore_removed=True))
    return []


def list_processes(client: docker.DockerClient, session: str) -> list[ContainerProcess]:
    """The processes of all containers of a session, by the namespace that each is in."""
    spaces: dict[str, str] = {}
    for container in list_containers(client, session):
        pid = container.attrs.get("State", {}).get("Pid")
        with suppress(OSError):
            spaces[str(Path(f"/proc/{pid}/ns/pid").readlink())] = str(container.name)
    return [
        ContainerProcess(pid, program, spaces[space])
        for pid, program, space in _scan_processes()
        if space in spaces
    ]


def _scan_processes() -> Iterator[tuple[int, str, str]]:
    for entry in Path("/proc").glob("[0-9]*"):
        # A process may end between two looks at it.
        with suppress(OSError):
            name = (entry / "comm").read_text().strip()
            yield int(entry.name), name, str((entry / "ns" / "pid").readlink())
