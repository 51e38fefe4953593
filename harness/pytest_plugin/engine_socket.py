"""The way from the processes of pytest-xdist to the controller's engine: a Unix socket.

It is in a folder that only its user can enter, and a connection begins with a key that the
controller gives to its workers. A process opens one connection that it never uses: its end is the
process's end, however that comes about.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from harness.errors import InfrastructureError, UsageError
from harness.pytest_plugin.engine_requests import EngineRequest, ErrorAnswer

#: Letters of the folder that has ours: the longest path of a socket is 107 bytes (unix(7)).
_LONGEST_PARENT = 60
_PREFIX = "postfix-matrix-pytest-"
_FOLDER = re.compile(rf"{_PREFIX}(?P<process>\d+)-")
#: What is wrong with a connection whose other end is no more.
_BROKEN = (EOFError, OSError, AuthenticationError)


class EngineSocket:
    """The controller's end: a thread for each connection."""

    def __init__(
        self, answer: Callable[[EngineRequest, str], Any], release_owner: Callable[[str], None]
    ) -> None:
        """``answer`` gets a request and the process that it is of; the second one its end."""
        self.key = secrets.token_hex(32)
        self._answer_request = answer
        self._release_owner = release_owner
        self._folder = _make_folder()
        self.path = str(self._folder / "engine")
        self._listener = Listener(self.path, family="AF_UNIX", backlog=64, authkey=self._auth_key)
        self._is_closing = False
        threading.Thread(
            target=self._accept_connections, name="postfix-matrix socket", daemon=True
        ).start()

    @property
    def _auth_key(self) -> bytes:
        return self.key.encode()

    def close(self) -> None:
        """Take no more connections, and remove the folder."""
        self._is_closing = True
        # The thread waits in accept(2), which the end of the socket would not interrupt. Nothing
        # waits for an answer: the thread may have ended just before.
        with suppress(OSError), socket.socket(socket.AF_UNIX) as waker:
            waker.settimeout(1)
            waker.connect(self.path)
        with suppress(OSError):
            self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept_connections(self) -> None:
        while not self._is_closing:
            try:
                connection = self._listener.accept()
            except _BROKEN:
                # A process died while it connected; with the socket itself gone there is no more.
                if not Path(self.path).exists():
                    return
                continue
            threading.Thread(
                target=self._serve_connection,
                args=(connection,),
                name="postfix-matrix worker",
                daemon=True,
            ).start()

    def _serve_connection(self, connection: Connection[Any, Any]) -> None:
        """Answer one connection until it ends."""
        with connection, suppress(*_BROKEN):
            owner, is_watch = connection.recv()
            if is_watch:
                self._watch_process(connection, owner)
                return
            while True:
                request: EngineRequest = connection.recv()
                connection.send(self._answer_worker(request, owner))

    def _watch_process(self, connection: Connection[Any, Any], owner: str) -> None:
        """Wait for the end of a process, and release what it held."""
        with suppress(*_BROKEN):
            connection.recv()
        self._release_owner(owner)

    def _answer_worker(self, request: EngineRequest, owner: str) -> Any:
        try:
            return self._answer_request(request, owner)
        except BaseException as error:
            return ErrorAnswer.of(error)


class SocketConnection:
    """A worker's end; may be used by any thread, each request over a connection of its own."""

    def __init__(self, path: str, key: str, owner: str) -> None:
        self._path, self._key, self._owner = path, key.encode(), owner
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[Connection[Any, Any]] = []
        self._watch = self._open_connection(is_watch=True)
        os.register_at_fork(after_in_child=self._close_ends)

    def ask(self, request: EngineRequest) -> Any:
        """See :class:`~harness.pytest_plugin.engine_requests.EngineConnection`."""
        if os.getpid() != self._process:
            raise UsageError(
                "a forked process cannot measure",
                cause="its way to the engine belongs to the process that was forked",
                next_step="measure in the test itself, before or after the fork",
            )
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._open_connection()
        try:
            connection.send(request)
            answer = connection.recv()
        except _BROKEN as error:
            connection.close()
            raise _no_controller() from error
        except BaseException:
            # An answer that is on its way would be taken for that to the next request.
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        if isinstance(answer, ErrorAnswer):
            raise answer.to_error()
        return answer

    def close(self) -> None:
        """End all connections, by which the controller knows that this process needs no more."""
        if os.getpid() == self._process:
            self._close_ends()

    def _close_ends(self) -> None:
        """Close this process's ends; in a fork they would hide the end of the process itself."""
        for connection in (self._watch, *self._idle):
            connection.close()
        self._idle.clear()

    def _open_connection(self, *, is_watch: bool = False) -> Connection[Any, Any]:
        try:
            connection = Client(self._path, family="AF_UNIX", authkey=self._key)
            connection.send((self._owner, is_watch))
        except _BROKEN as error:
            raise _no_controller() from error
        return connection


def _no_controller() -> InfrastructureError:
    return InfrastructureError(
        "the process with the engine does not answer",
        cause="pytest-xdist's controller has ended, or its socket was removed",
        next_step="run the tests again",
    )


def _make_folder() -> Path:
    """A folder of the user's own with a short path; what dead processes left is removed."""
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) > _LONGEST_PARENT:
        parent = Path("/tmp")
    for folder in parent.glob(f"{_PREFIX}*"):
        match = _FOLDER.match(folder.name)
        if match and not Path(f"/proc/{match['process']}").exists():
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
