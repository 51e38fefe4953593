"""A run's laboratory: a network without access to the outside, and hardened containers on it.

They are started through testcontainers. Its reaper (Ryuk), which would need another image, is
disabled: sessions remove their containers and networks by label, also after a kill
(``docker_engine/session.py``).
"""

from __future__ import annotations

import io
import ipaddress
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from docker.errors import DockerException
from requests import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from harness.docker_engine.session import (
    CALL_LIMIT,
    DockerSession,
    engine_errors,
)
from harness.errors import FaultError
from harness.targets.build_facts import Facts
from harness.targets.machine_pace import MachinePace
from harness.targets.pki import SERVER_NAME, Pki

testcontainers_config.ryuk_disabled = True

#: Capabilities of Postfix's master and its children: other users, a chroot, ownership of files.
POSTFIX_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
    "SYS_CHROOT",
)

#: Seconds that an engine which is being restarted is waited for.
_ENGINE_LIMIT = 60.0
#: testcontainers' own limit is a minute, in which a busy engine may not start a container.
_CLIENT: dict[str, Any] = {"timeout": int(CALL_LIMIT)}
#: The most containers that a run can have on its network: a bridge of Docker has 1023 ports.
_MOST_CONTAINERS = 1023
#: Where the harness puts the run's certificates in each container.
PKI_DIR = "/run/postfix-matrix"


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file to put into a container: its text, its mode and its owner's numeric id."""

    text: str
    mode: int = 0o644
    uid: int = 0


@dataclass(frozen=True, slots=True)
class Role:
    """How a container is started: its capabilities, and what it needs from the engine.

    ``hosts`` are names for its /etc/hosts, with their addresses. ``domain`` is that of its host
    name, which software sends in EHLO.
    """

    capabilities: tuple[str, ...] = ()
    interactive: bool = False
    tmpfs: Mapping[str, str] | None = None
    hosts: Mapping[str, str] | None = None
    domain: str = ""


class Lab:
    """The network of a session and the containers on it. A context manager."""

    def __init__(self, session: DockerSession) -> None:
        self.session = session
        self.pki = Pki()
        #: How slow the machine is; all limits of waits for containers follow it.
        self.pace = MachinePace()
        #: What each image's Postfix and OpenSSL are, by the image's id.
        self.facts: dict[str, Facts] = {}
        self._lock = threading.Lock()
        self._names: Counter[str] = Counter()
        self._network = Network(_CLIENT, {"internal": True, "labels": session.labels})
        self._network.name = f"postfix-matrix-{session.id}"
        # testcontainers opens a connection to the engine for the network and for each container.
        self._calls: list[Callable[[], None]] = [self._network._docker.client.close]

    def __enter__(self) -> Lab:
        with engine_errors(
            "making the run's network ('docker network prune' frees address ranges)"
        ):
            self._network.create()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the connections; the session removes network and containers by label."""
        for hang_up in self._calls:
            hang_up()

    def start(self, reference: str, name: str, role: Role) -> Any:
        """Start a container that the other containers reach as ``NAME.mx.test``.

        Returns docker-py's container, with ``attrs`` loaded. An engine that is being restarted is
        waited for.

        Raises:
            InfrastructureError: the engine could not start it.
        """
        try:
            return self._start_container(reference, name, role)
        except FaultError:
            if self._check_answers():
                raise
        self._await_engine()
        return self._start_container(reference, name, role)

    def _check_answers(self) -> bool:
        try:
            return bool(self.session.client.ping())
        except (DockerException, RequestException):
            return False

    def _await_engine(self) -> None:
        end = time.monotonic() + self.pace.stretch(_ENGINE_LIMIT)
        while not self._check_answers():
            if time.monotonic() > end:
                raise FaultError(
                    f"the Docker engine has not answered for {_ENGINE_LIMIT:g} s",
                    cause="it was stopped",
                    next_step="start it, then go on with --resume",
                )
            time.sleep(0.2)

    def _unused_name(self, name: str) -> str:
        """A container that was killed keeps its name until the session ends."""
        with self._lock:
            self._names[name] += 1
            number = self._names[name]
        return f"{name}.{number}" if number > 1 else name

    def _start_container(self, reference: str, name: str, role: Role) -> Any:
        called = self._unused_name(name.replace("+", "-"))
        spec = (
            DockerContainer(reference, _CLIENT)
            .with_name(f"postfix-matrix-{self.session.id}-{called}")
            .with_network(self._network)
            .with_network_aliases(host_name(name))
            .with_kwargs(**_container_options(role, name, self.session.labels))
        )
        self._calls.append(spec.get_docker_client().client.close)
        for path, options in (role.tmpfs or {}).items():
            spec.with_tmpfs_mount(path, options)
        with engine_errors(f"starting container {name} ({reference})"):
            spec.start()
            container = spec.get_wrapped_container()
            container.reload()
        return container

    def client_addresses(self) -> list[str]:
        """The addresses that the network's containers can have: Docker assigns the lowest first."""
        with engine_errors("looking at the run's network"):
            network = self._network._docker.client.networks.get(self._network.id or "")
        subnet = ipaddress.ip_network(network.attrs["IPAM"]["Config"][0]["Subnet"])
        return [str(address) for address in islice(subnet.hosts(), _MOST_CONTAINERS)]

    def address(self, container: Any) -> str:
        """The container's IPv4 address on the lab's network."""
        address: str = container.attrs["NetworkSettings"]["Networks"][self._network.name][
            "IPAddress"
        ]
        return address

    def has_address(self, container: Any, address: str) -> bool:
        """Whether a container is on the lab's network, at the address that it had.

        Raises:
            FaultError: the engine does not answer.
        """
        with engine_errors(f"looking whether container {container.name} is on the network"):
            container.reload()
        known = container.attrs["NetworkSettings"]["Networks"].get(self._network.name) or {}
        return bool(known.get("IPAddress") == address)


def host_name(name: str) -> str:
    """The name by which clients reach a container: one label, below the certificate's wildcard."""
    return f"{name.replace('+', '-').replace('.', '-')}.{SERVER_NAME}"


def put_files(container: Any, files: Mapping[str, FileSpec]) -> None:
    """Write files into a container by absolute path, in one archive; creates their folders."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, spec in files.items():
            data = spec.text.encode()
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode, entry.uid = len(data), spec.mode, spec.uid
            archive.addfile(entry, io.BytesIO(data))
    with engine_errors(f"copying files into container {container.name}"):
        container.put_archive("/", buffer.getvalue())


def attach_socket(container: Any, *, stdin: bool) -> Any:
    """A socket on the container's streams; output just before it may be lost."""
    params = {"stdin": int(stdin), "stdout": 1, "stderr": 1, "stream": 1, "logs": 1}
    with engine_errors(f"attaching to container {container.name}"):
        return container.attach_socket(params=params)


def _container_options(role: Role, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "cap_drop": ["ALL"],
        "cap_add": list(role.capabilities),
        "security_opt": ["no-new-privileges:true"],
        "labels": dict(labels),
        "hostname": ".".join(filter(None, (host_name(name).partition(".")[0], role.domain))),
        # Postfix's master leaves orphan processes behind; the engine's init reaps them.
        "init": True,
    }
    if role.interactive:
        options["stdin_open"] = True
    if role.hosts:
        options["extra_hosts"] = dict(role.hosts)
    return options
