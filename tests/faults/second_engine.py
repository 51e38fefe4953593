"""A second Docker engine with its own data and network, which may be restarted as one likes."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import docker
from docker.errors import DockerException

_BRIDGE, _ADDRESS, _POOL = "pmfaultbr", "10.226.0.1/24", "base=10.227.0.0/16,size=24"
#: Seconds in which it must answer.
_LIMIT = 60.0


class SecondEngine:
    """A dockerd of its own; needs root. ``environment`` leads a client to it."""

    def __init__(self, place: Path) -> None:
        self._place = place / "engine"
        self._data = Path("/var/lib/postfix-matrix-faults")
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = f"unix://{self._place}/docker.sock"

    @property
    def environment(self) -> dict[str, str]:
        """What leads docker's clients to it."""
        return {"DOCKER_HOST": self._socket}

    def connect(self) -> docker.DockerClient:
        """A client of it."""
        return docker.DockerClient(base_url=self._socket)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._place.mkdir(parents=True, exist_ok=True)
        if subprocess.run(["ip", "link", "show", _BRIDGE], capture_output=True).returncode:
            subprocess.run(["ip", "link", "add", _BRIDGE, "type", "bridge"], check=True)
            subprocess.run(["ip", "addr", "add", _ADDRESS, "dev", _BRIDGE], check=True)
            subprocess.run(["ip", "link", "set", _BRIDGE, "up"], check=True)
        self._run()

    def restart(self) -> None:
        """End it as a machine's operator does, and start it again."""
        self._end()
        self._run()

    def stop(self) -> None:
        """End it; its images stay for the next time."""
        self._end()
        subprocess.run(["ip", "link", "del", _BRIDGE], check=False)

    def _run(self) -> None:
        place = self._place
        with (place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["dockerd", "--data-root", str(self._data), "--exec-root", str(place / "exec"),
                 "-H", self._socket, "-p", str(place / "pid"), "--bridge", _BRIDGE,
                 "--default-address-pool", _POOL],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + _LIMIT
        while True:
            with suppress(DockerException):
                if self.connect().ping():
                    return
            if time.monotonic() > end:
                raise SystemExit(f"the second engine does not answer: {place / 'log'}")
            time.sleep(0.2)

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
