"""Checks of the Docker engine: whether it answers, and what it is."""

from __future__ import annotations

import grp
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException
from requests import RequestException

from harness.diagnosis.machine_finding import MachineFinding, MachineStanding
from harness.docker_engine.session import connect
from harness.errors import InfrastructureError

#: Seconds that the engine has for one answer.
_TIME_LIMIT = 10.0
#: The same once it has answered.
_LIST_LIMIT = 60
_DEFAULT_SOCKET = Path("/var/run/docker.sock")
#: Of /_ping: the builder that the engine prefers ("Builder-Version" in Docker's API).
_BUILDERS = {"1": "the classic builder", "2": "BuildKit"}
_NEXT_WITHOUT_ENGINE = (
    "'make setup' installs and starts one on Debian and Ubuntu as root; elsewhere install Docker, "
    "or set DOCKER_HOST to the address of an engine"
)


@dataclass(frozen=True, slots=True)
class EngineAnswers:
    """What an engine reports of itself; without a client, it did not answer."""

    client: docker.DockerClient | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    version: Mapping[str, Any] = field(default_factory=dict)
    builder: str = ""
    error: str = ""

    @property
    def is_local(self) -> bool:
        """Whether its disk is one of this machine."""
        root = str(self.info.get("DockerRootDir") or "")
        return self.client is not None and _find_socket() is not None and Path(root).is_dir()


def ask_engine() -> EngineAnswers:
    """Connect, and ask for what the checks need."""
    path = _find_socket()
    if path is not None and (problem := _find_socket_problem(path)):
        return EngineAnswers(error=problem)
    try:
        client = connect(_TIME_LIMIT)
        # A busy engine may take long to list its images.
        client.api.timeout = _LIST_LIMIT
        info, version = client.info(), client.version()
        # docker-py has no method for the headers of /_ping.
        ping = client.api.get(f"{client.api.base_url}/_ping", timeout=_TIME_LIMIT)
    except (InfrastructureError, DockerException, RequestException, OSError, ValueError) as error:
        text = error.what if isinstance(error, InfrastructureError) else str(error)
        return EngineAnswers(error=text)
    builder = _BUILDERS.get(ping.headers.get("Builder-Version", "1"), "an unknown builder")
    return EngineAnswers(client, info, version, builder)


def _find_socket_problem(path: Path) -> str:
    """Why nothing accepts a connection there, "" where something does.

    Tried before Docker's client is, which leaves its socket open where it cannot connect.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_TIME_LIMIT)
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def check_engine(answers: EngineAnswers) -> Iterator[MachineFinding]:
    """The engine itself, and how it keeps images and limits containers."""
    if answers.client is None:
        yield _explain_no_answer(answers)
        return
    version = answers.version
    text = (
        f"Docker {version.get('Version', '?')}, API {version.get('ApiVersion', '?')}, "
        f"{answers.builder}, at {_find_address()}"
    )
    if str(answers.info.get("OSType", "linux")) != "linux":
        yield MachineFinding(
            "engine",
            MachineStanding.FAILED,
            f"{text}: it runs {answers.info['OSType']} containers",
            "switch it to Linux containers",
        )
    else:
        yield MachineFinding("engine", MachineStanding.OK, text)
    yield _check_storage(answers.info)


def _check_storage(info: Mapping[str, Any]) -> MachineFinding:
    driver = str(info.get("Driver") or "unknown")
    control = f"cgroup {info.get('CgroupVersion') or 'version unknown'}"
    rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    text = f"storage {driver}, {control}{', rootless' if rootless else ''}"
    if driver == "vfs":
        return MachineFinding(
            "containers",
            MachineStanding.WARNING,
            f"{text}: vfs copies every image whole for each container",
            "have the engine use overlay2, which needs a disk that is not an overlay itself",
        )
    return MachineFinding("containers", MachineStanding.OK, text)


def _explain_no_answer(answers: EngineAnswers) -> MachineFinding:
    """Why nothing answers, as far as the socket's file shows it."""
    what, next_step = f"no engine answers at {_find_address()}", _NEXT_WITHOUT_ENGINE
    path = _find_socket()
    if path is None:
        what = answers.error or what
        next_step = "see that DOCKER_HOST is right, and that the engine there is running"
    elif not path.exists():
        what = f"there is no socket at {path}"
    elif not stat.S_ISSOCK(path.stat().st_mode):
        what, next_step = f"{path} is no socket", "set DOCKER_HOST to the engine's address"
    elif not os.access(path, os.R_OK | os.W_OK):
        group = _find_group(path)
        what = f"this user may not use {path}, which belongs to the group {group}"
        next_step = f"'sudo usermod -aG {group} $USER', then log in again"
    else:
        what = f"the socket {path} is there, and no engine answers on it"
        next_step = (
            "start the engine: 'sudo systemctl start docker', or 'sudo service docker start'"
        )
    return MachineFinding("engine", MachineStanding.FAILED, what, next_step)


def _find_address() -> str:
    return os.environ.get("DOCKER_HOST") or f"unix://{_DEFAULT_SOCKET}"


def _find_socket() -> Path | None:
    """The socket's file; None where the engine is reached in another way."""
    scheme, _, path = _find_address().partition("://")
    return Path(path) if scheme == "unix" else None


def _find_group(path: Path) -> str:
    number = path.stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
