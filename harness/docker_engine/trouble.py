"""Why no engine answers, and what to do: what the errors of Docker's client mean to a user."""

from __future__ import annotations

import grp
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import requests

from harness.docker_engine.address import EngineAddress
from harness.errors import InfrastructureError

#: Seconds in which an engine must answer the first call.
ANSWER_LIMIT = 60
_START = (
    "'make setup' installs and starts one on Debian and Ubuntu as root; elsewhere install Docker, "
    "or set DOCKER_HOST"
)


def explain_silence(address: EngineAddress, error: BaseException) -> InfrastructureError:
    """The error for an engine that gives no usable answer."""
    causes = list(_list_causes(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return _explain_permission(address)
    what = f"no Docker engine answers at {address}"
    if any(isinstance(cause, FileNotFoundError) for cause in causes):
        return InfrastructureError(
            f"{what}: the socket is not there",
            cause="Docker is not installed, or not running",
            next_step=_START,
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return InfrastructureError(
            f"{what}: nothing listens there", cause="Docker is not running", next_step=_START
        )
    if any(isinstance(cause, requests.Timeout | TimeoutError) for cause in causes):
        return InfrastructureError(
            f"{what}: no answer in {ANSWER_LIMIT} s",
            cause="the engine hangs, or something else listens there",
            next_step="see whether 'docker info' answers, and restart the engine",
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return InfrastructureError(
            f"{what}: the host's name is unknown", next_step="check the name, or write its address"
        )
    return InfrastructureError(
        f"{what}: {error}",
        cause="what listens there is no Docker engine, or wants TLS",
        next_step="check the address; for TLS set DOCKER_TLS_VERIFY and DOCKER_CERT_PATH",
    )


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was raised from, also those that libraries put in its arguments."""
    waiting, known = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in known:
            continue
        known.add(id(cause))
        yield cause
        linked = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [each for each in linked if isinstance(each, BaseException)]


def _explain_permission(address: EngineAddress) -> InfrastructureError:
    """The error for a user who may not use the engine's socket."""
    user = _name_user()
    group, members = _find_group(address.socket)
    what = f"{user} may not talk to the Docker engine at {address}: permission denied"
    rootless = "or run an engine of your own (docs.docker.com/engine/security/rootless)"
    if user in members:
        return InfrastructureError(
            what,
            cause=f"{user} is a member of the group {group} since after this login",
            next_step=f"log in again, or run 'newgrp {group}' in this shell",
        )
    return InfrastructureError(
        what,
        cause=f"the socket is for the group {group}, of which {user} is no member",
        next_step=f"have an administrator run 'usermod -aG {group} {user}', then log in again or "
        f"run 'newgrp {group}'; {rootless}",
    )


def _name_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"the user {os.geteuid()}"


def _find_group(path: Path | None) -> tuple[str, list[str]]:
    """The group that a socket belongs to, and its members; ``docker`` where that is root's."""
    gid = 0
    with suppress(OSError):
        gid = path.stat().st_gid if path is not None else 0
    with suppress(KeyError):
        group = grp.getgrgid(gid)
        if gid != 0:
            return group.gr_name, list(group.gr_mem)
    with suppress(KeyError):
        return "docker", list(grp.getgrnam("docker").gr_mem)
    return "docker", []
