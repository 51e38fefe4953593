"""HAProxy in front of services that expect the PROXY protocol, as in real installations."""

from __future__ import annotations

import threading
from itertools import count
from typing import Any

from harness.docker_engine.session import engine_errors
from harness.errors import InfrastructureError
from harness.targets.lab import FileSpec, Lab, Role, host_name, put_files

NAME = "haproxy"
_FIRST_PORT = 20010
_FOLDER = "/run/haproxy"
#: Seconds that HAProxy waits for either side: longer than the time limit of any dialogue.
_PATIENCE = 600
_CONFIG = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client {patience}s
    timeout server {patience}s
listen postfix
    bind :{port}
    server postfix {address}:{target} send-proxy
"""


class ProxyServer:
    """A container with one HAProxy for each service. Safe for threads."""

    def __init__(self, lab: Lab, container: Any) -> None:
        self.host = host_name(NAME)
        self.address = lab.address(container)
        self._container = container
        self._numbers = count(_FIRST_PORT)
        self._lock = threading.Lock()

    def forward(self, address: str, target: int) -> int:
        """Listen for clients of a service at ``address:target``; return the port. Blocks.

        Raises:
            InfrastructureError: HAProxy does not start.
        """
        with self._lock:
            port = next(self._numbers)
        path = f"{_FOLDER}/{port}.cfg"
        text = _CONFIG.format(patience=_PATIENCE, port=port, address=address, target=target)
        put_files(self._container, {path: FileSpec(text)})
        with engine_errors("starting HAProxy before a service"):
            started = self._container.exec_run(["haproxy", "-D", "-f", path])
        if started.exit_code != 0:
            output = started.output.decode(errors="replace").strip()
            raise InfrastructureError(f"HAProxy does not start before port {target}: {output}")
        return port


def start_proxy(lab: Lab, reference: str) -> ProxyServer:
    """Start the container for the HAProxy processes. Blocks.

    Raises:
        InfrastructureError: the engine could not start it.
    """
    return ProxyServer(lab, lab.start(reference, NAME, Role()))
