"""The run's authentication service: a real Dovecot, which every Postfix uses over TCP."""

from __future__ import annotations

import time
from typing import Any

from harness.docker_engine.session import engine_errors
from harness.errors import InfrastructureError
from harness.targets.lab import Lab, Role

PORT = 12345
USERNAME = "webshop"
PASSWORD = "s3cret-webshop"  # of a throw-away user on a network without access to the outside


def start_sasl(lab: Lab, reference: str, *, time_limit: float = 20.0) -> str:
    """Start Dovecot and wait until it listens; return the value for ``smtpd_sasl_path``.

    It is an address, not a name: an smtpd in a chroot cannot resolve names.

    Raises:
        InfrastructureError: it did not listen within ``time_limit`` seconds.
    """
    container = lab.start(reference, "sasl", Role(tmpfs={"/run/dovecot": "uid=110,gid=110"}))
    end = time.monotonic() + time_limit
    while not _is_listening(container):
        if time.monotonic() > end:
            log = container.logs(tail=5).decode(errors="replace").strip()
            raise InfrastructureError(
                f"Dovecot does not listen after {time_limit:g} s: {log or 'it logged nothing'}",
                next_step="run again with --keep and look at its container's log",
            )
        time.sleep(0.05)
    return f"inet:{lab.address(container)}:{PORT}"


def _is_listening(container: Any) -> bool:
    listening = ["grep", "-qi", f":{PORT:04X} 00000000:0000 0A", "/proc/net/tcp"]
    with engine_errors("looking whether Dovecot listens"):
        return bool(container.exec_run(listening).exit_code == 0)
