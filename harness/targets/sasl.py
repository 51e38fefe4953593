"""The run's authentication service: a real Dovecot, which every Postfix uses over TCP."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from harness.docker_engine.session import engine_errors
from harness.errors import InfrastructureError
from harness.targets.lab import Lab, Role, attach_socket
from harness.targets.stream import LineStream

PORT = 12345
#: Seconds until it must listen.
_LISTEN_LIMIT = 20.0
USERNAME = "webshop"
PASSWORD = "s3cret-webshop"  # of a throw-away user on a network without access to the outside


@dataclass(frozen=True, slots=True)
class SaslServer:
    """A Dovecot that runs; ``path`` is the value for ``smtpd_sasl_path``.

    It is an address, not a name: an smtpd in a chroot cannot resolve names.
    """

    path: str
    stream: LineStream

    @property
    def ended(self) -> bool:
        """Whether its container has died, or was removed."""
        return self.stream.ended

    def close(self) -> None:
        """Close its stream; the session removes the container."""
        self.stream.close()


def start_sasl(lab: Lab, reference: str) -> str:
    """Start Dovecot and wait until it listens; return the value for ``smtpd_sasl_path``. Blocks.

    Raises:
        InfrastructureError: it did not listen in time.
    """
    path, _ = _start_container(lab, reference)
    return path


def start_sasl_server(lab: Lab, reference: str) -> SaslServer:
    """Start a Dovecot whose end is noticed, and wait until it listens. Blocks.

    Raises:
        InfrastructureError: it did not listen in time.
    """
    path, container = _start_container(lab, reference)
    stream = LineStream(attach_socket(container, stdin=False), lambda _: None, name="sasl")
    stream.start()
    return SaslServer(path, stream)


def _start_container(lab: Lab, reference: str) -> tuple[str, Any]:
    container = lab.start(reference, "sasl", Role(tmpfs={"/run/dovecot": "uid=110,gid=110"}))
    began = time.monotonic()
    while not _is_listening(container):
        if time.monotonic() > began + lab.pace.stretch(_LISTEN_LIMIT):
            log = container.logs(tail=5).decode(errors="replace").strip()
            raise InfrastructureError(
                f"Dovecot does not listen after {_LISTEN_LIMIT:g} s: {log or 'it logged nothing'}",
                next_step="run again with --keep and look at its container's log",
            )
        time.sleep(0.05)
    return f"inet:{lab.address(container)}:{PORT}", container


def _is_listening(container: Any) -> bool:
    listening = ["grep", "-qi", f":{PORT:04X} 00000000:0000 0A", "/proc/net/tcp"]
    with engine_errors("looking whether Dovecot listens"):
        return bool(container.exec_run(listening).exit_code == 0)
