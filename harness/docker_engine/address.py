"""Which Docker engine is meant: the one that the ``docker`` command would talk to.

The order is that of docs.docker.com/engine/manage-resources/contexts: ``DOCKER_HOST``, then
``DOCKER_CONTEXT``, then the current context of ``~/.docker/config.json``, then the system's socket.
Where that socket is not there, the sockets of engines that belong to a user are tried.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from docker.context import Context, ContextAPI
from docker.context.config import get_current_context_name, get_meta_dir
from docker.errors import DockerException
from docker.utils import parse_host

from harness.errors import InfrastructureError, UsageError, suggest_names

HOST, CONTEXT = "DOCKER_HOST", "DOCKER_CONTEXT"
SYSTEM_SOCKET = Path("/var/run/docker.sock")
_DEFAULT = "default"
_FORMS = (
    "write it as unix:///var/run/docker.sock, tcp://host:2375, tcp://[::1]:2375 or ssh://user@host"
)
#: What no address has, and what the library would pass on.
_NOT_IN_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """An engine's address, such as ``unix:///var/run/docker.sock``.

    ``origin`` says where it was named, for messages; ``certificates`` is the folder of the TLS
    files that belong to it.
    """

    url: str
    origin: str
    certificates: Path | None = None

    @property
    def socket(self) -> Path | None:
        """The path of a unix socket; None for an address of another kind."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None

    def __str__(self) -> str:
        return f"{self.url} ({self.origin})"


def find_engine(environment: Mapping[str, str] | None = None) -> EngineAddress:
    """The engine that these environment variables and the user's Docker contexts mean.

    Raises:
        UsageError: a variable or a context has no address of an engine.
        InfrastructureError: it is an address for which a library is missing.
    """
    environment = os.environ if environment is None else environment
    if url := environment.get(HOST, ""):
        return _check_address(EngineAddress(url, f"by {HOST}"))
    if name := environment.get(CONTEXT, ""):
        return _find_context(name, f"by {CONTEXT}")
    name = get_current_context_name()
    if name and name != _DEFAULT:
        return _find_context(str(name), "the current context")
    return _find_socket(environment)


def use_engine(address: EngineAddress, environment: MutableMapping[str, str] | None = None) -> None:
    """Have every library and program of this process talk to this engine.

    testcontainers reads no ``DOCKER_CONTEXT``: each of them reads these variables.
    """
    environment = os.environ if environment is None else environment
    if address.url == f"unix://{SYSTEM_SOCKET}":
        return
    environment[HOST] = address.url
    if address.certificates is not None:
        environment["DOCKER_CERT_PATH"] = str(address.certificates)
        environment["DOCKER_TLS_VERIFY"] = "1"


def _check_address(address: EngineAddress) -> EngineAddress:
    """The address itself.

    Raises:
        UsageError: it is none.
        InfrastructureError: paramiko is missing for ssh.
    """
    try:
        if _NOT_IN_ADDRESS.search(address.url):
            raise ValueError("it has a space or a control character")
        parse_host(address.url)
    except (DockerException, ValueError) as error:
        raise UsageError(
            f"{address.url!r} is no address of a Docker engine ({address.origin}): {error}",
            next_step=_FORMS,
        ) from error
    if address.url.startswith("ssh://") and find_spec("paramiko") is None:
        raise InfrastructureError(
            f"{address}: the Python package paramiko is not installed, which ssh:// needs",
            next_step="install it where postfix-matrix is installed: pip install 'docker[ssh]'",
        )
    return address


def _find_context(name: str, origin: str) -> EngineAddress:
    """The engine of a Docker context.

    Raises:
        UsageError: there is no such context, or its file cannot be read.
    """
    try:
        # Its annotation leaves None out.
        context: Context | None = ContextAPI.get_context(name)
    # docker-py raises plain exceptions for a file with another content.
    except Exception as error:
        raise UsageError(
            f"the Docker context {name!r} ({origin}) cannot be read: {error}",
            next_step=f"'docker context inspect' shows it; or set {HOST}",
        ) from error
    if context is None:
        close = suggest_names(name, _list_contexts())
        raise UsageError(
            f"there is no Docker context {name!r} ({origin})" + (f": {close}" if close else ""),
            next_step=f"'docker context ls' lists all; 'docker context use default', or unset "
            f"{CONTEXT}, goes back to the system's engine",
        )
    if name == _DEFAULT:
        return EngineAddress(f"unix://{SYSTEM_SOCKET}", origin)
    described = f"the context {name!r}, {origin}"
    return _check_address(
        EngineAddress(str(context.Host or ""), described, _find_certificates(context))
    )


def _find_certificates(context: Context) -> Path | None:
    """The folder of a context's TLS files; None where it has none."""
    folder = Path(str(context.tls_path)) / "docker"
    return folder if (folder / "ca.pem").is_file() else None


def _list_contexts() -> list[str]:
    """The names of the user's contexts, as far as they can be read."""
    names = []
    for file in Path(get_meta_dir()).glob("*/meta.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            names.append(str(json.loads(file.read_text("utf-8"))["Name"]))
    return names


def _find_socket(environment: Mapping[str, str]) -> EngineAddress:
    """The system's engine, or else one that belongs to the user."""
    for socket, origin in _list_sockets(environment):
        if socket.is_socket():
            return EngineAddress(f"unix://{socket}", origin)
    return EngineAddress(f"unix://{SYSTEM_SOCKET}", "the system's engine")


def _list_sockets(environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Where engines listen that no variable and no context names."""
    yield SYSTEM_SOCKET, "the system's engine"
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, "docker.sock"), "rootless Docker"
    if home := environment.get("HOME"):
        yield Path(home, ".docker/desktop/docker.sock"), "Docker Desktop"
        yield Path(home, ".docker/run/docker.sock"), "Docker Desktop"
        yield Path(home, ".colima/default/docker.sock"), "colima"
