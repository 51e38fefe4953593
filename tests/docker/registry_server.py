"""A real image registry on a loopback address, for the tests: Debian's docker-registry."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Where scripts/setup --dev unpacks it.
UNPACKED = ROOT / ".setup" / "docker-registry" / "usr" / "bin" / "docker-registry"
USER, PASSWORD = "tester", "secret"
#: The password's bcrypt hash, the only kind that the registry knows.
HTPASSWD = f"{USER}:$2b$04$7eVmQCXxjF3Fu6Mn0YliNudfBL5/RQoTads1/6bSMXYXxY.35tvHq\n"


@dataclass(frozen=True, slots=True)
class RegistryServer:
    """A running registry: ``host`` is HOST:PORT, ``storage`` the folder of its files."""

    host: str
    storage: Path

    @property
    def repository(self) -> str:
        """A repository of this registry."""
        return f"{self.host}/images"

    def list_blobs(self) -> list[Path]:
        """The files of its layers, configurations and manifests, the largest first."""
        blobs = self.storage.glob("docker/registry/v2/blobs/sha256/*/*/data")
        return sorted(blobs, key=lambda blob: blob.stat().st_size, reverse=True)


@contextmanager
def start_registry(folder: Path, *, with_password: bool = False) -> Iterator[RegistryServer]:
    """Start a registry with its files in ``folder``, and stop it."""
    program = shutil.which("docker-registry") or str(UNPACKED)
    assert Path(program).exists(), "no docker-registry; scripts/setup --dev unpacks it"
    host, storage = f"127.0.0.1:{find_free_port()}", folder / "storage"
    lines = [
        "version: 0.1",
        f"storage: {{filesystem: {{rootdirectory: {storage}}}}}",
        f"http: {{addr: '{host}'}}",
    ]
    if with_password:
        passwords = folder / "htpasswd"
        passwords.write_text(HTPASSWD)
        lines.append(f"auth: {{htpasswd: {{realm: tests, path: {passwords}}}}}")
    config = folder / "config.yml"
    config.write_text("\n".join(lines))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    try:
        _wait_until_it_answers(host, process)
        yield RegistryServer(host, storage)
    finally:
        process.terminate()
        process.wait(10)


def find_free_port() -> int:
    """A port of the loopback address on which nothing listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _wait_until_it_answers(host: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((host.partition(":")[0], int(host.partition(":")[2]))).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the registry does not start; see registry.log")
