"""The run's name server: zones that it validates, and the names of the test's clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.adaptation.harness_settings import SENDER_DOMAIN
from harness.docker_engine.session import engine_errors
from harness.errors import InfrastructureError
from harness.scenarios.lab_names import name_server_data
from harness.targets.lab import FileSpec, Lab, Role, put_files

_ZONES_DIR = "/srv/zones"


def start_resolver(
    lab: Lab,
    image: str,
    zones_at: Callable[[str], Mapping[str, str]] = lambda _: {},
    insecure: Iterable[str] = (),
    bogus: Iterable[str] = (),
    probe: str = SENDER_DOMAIN,
    name: str = "dns",
) -> str:
    """Start the name server and wait until it answers; return its address.

    Args:
        zones_at: returns the zones' texts by name, given the name server's address.
        insecure: the zones that are not signed.
        bogus: zones whose signatures do not match their trust anchors, so that it answers SERVFAIL.
        probe: a name for which it answers when all zones are loaded.
        name: the name of its container.

    Raises:
        InfrastructureError: it does not answer in time.
    """
    role = Role(capabilities=("NET_BIND_SERVICE", "DAC_OVERRIDE"))
    container = lab.start(image, name, role)
    address = lab.address(container)
    files = {f"{_ZONES_DIR}/{name}.zone": FileSpec(text) for name, text in
             zones_at(address).items()}  # fmt: skip
    files[f"{_ZONES_DIR}/insecure"] = FileSpec("".join(f"{name}\n" for name in insecure))
    files[f"{_ZONES_DIR}/bogus"] = FileSpec("".join(f"{name}\n" for name in bogus))
    files[f"{_ZONES_DIR}/names.conf"] = FileSpec(name_server_data(lab.client_addresses()))
    put_files(container, files)
    put_files(container, {f"{_ZONES_DIR}/ready": FileSpec("")})
    _await_answer(container, probe)
    return address


def _await_answer(container: Any, name: str, *, time_limit: float = 20.0) -> None:
    end = time.monotonic() + time_limit
    while True:
        with engine_errors("asking the name server"):
            query = container.exec_run(["drill", "-p", "53", "@127.0.0.1", name, "A"])
        if "rcode: NOERROR" in query.output.decode(errors="replace"):
            return
        if time.monotonic() > end:
            log = container.logs(tail=8).decode(errors="replace").strip()
            raise InfrastructureError(
                f"the name server does not answer for {name} after {time_limit:g} s: {log}",
                next_step="run again with --keep and look at its container's log",
            )
        time.sleep(0.1)
