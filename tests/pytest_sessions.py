"""Runs pytest with the plugin in a process of its own, for the plugin's tests."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from socket import AF_UNIX, socket
from tempfile import TemporaryDirectory
from threading import Thread

import pytest

ROOT = Path(__file__).parents[1]
_NAME = "postfix_matrix.pytest_plugin"
#: Where the environment does not have the entry point, as in a checkout that is not installed.
LOADING = () if any(e.value == _NAME for e in entry_points(group="pytest11")) else ("-p", _NAME)
#: Where the harness keeps images' facts and sessions' locks; pytester changes HOME.
_HOMES = {"XDG_CACHE_HOME": ".cache", "XDG_STATE_HOME": ".local/state"}


def run_pytest(
    pytester: pytest.Pytester, *arguments: str, timeout: float = 900
) -> pytest.RunResult:
    """Run pytest on the files of ``pytester``."""
    return pytester.runpytest_subprocess(*LOADING, *arguments, timeout=timeout)


def prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes import this checkout, and find what the machine's user has cached."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name, folder in _HOMES.items():
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)
        monkeypatch.setenv(name, os.environ.get(name, str(home / folder)))


class Tripwire:
    """A socket in Docker's place that counts who connects, and answers nothing."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix://{path}"
        self.connections = 0
        self._socket = socket(AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = Thread(target=self._count, daemon=True)
        self._thread.start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        """Take no more connections."""
        self._socket.shutdown(2)
        self._socket.close()
        self._thread.join()


@contextmanager
def no_docker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tripwire]:
    """No Docker engine; who tries to reach one is counted."""
    with TemporaryDirectory(dir="/tmp") as folder:
        wire = Tripwire(Path(folder) / "docker.sock")
        monkeypatch.setenv("DOCKER_HOST", wire.address)
        try:
            yield wire
        finally:
            wire.close()
