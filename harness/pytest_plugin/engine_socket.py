"""The way from the processes of pytest-xdist to the controller's engine: a Unix socket.

It is in a folder that only its user can enter, and a connection begins with a key that the
controller gives to its workers. A process opens one connection that it never uses: its end is the
process's end, however that comes about.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import select
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
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
#: What a process gets that has as many files open as it may have, or the system has.
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
#: Seconds in which the controller must take a connection. A socket whose controller is no more may
#: still be open in a process that it forked, where nothing answers.
ACCEPT_LIMIT = 30.0
#: Connections that wait to be taken.
_BACKLOG = 64
#: Seconds between two tries to connect where that many wait.
_PAUSE = 0.05
#: The controller's first message; any other one says why it takes no connection.
_WELCOME = b"welcome"


class EngineSocket:
    """The controller's end: a thread for each connection."""

    def __init__(
        self, answer: Callable[[EngineRequest, str], Any], release_owner: Callable[[str], None]
    ) -> None:
        """``answer`` gets a request and the process that it is of; the second one its end.

        Raises:
            InfrastructureError: the socket cannot be made.
        """
        self.key = secrets.token_hex(32)
        self._answer_request = answer
        self._release_owner = release_owner
        self._folder = _make_folder()
        self.path = str(self._folder / "engine")
        try:
            self._listener = _listen_at(self.path)
            # Without a file to give up, a connection could not even be refused.
            self._spare = os.open(os.devnull, os.O_RDONLY)
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise _no_socket(error) from error
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
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        while not self._is_closing:
            try:
                # accept(2) would fail for want of a file also where nothing connects.
                poller.poll()
                accepted, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _TOO_MANY_FILES:
                    self._refuse_connection(error)
                    continue
                # With the socket itself gone there is no more; else a process died meanwhile.
                if not Path(self.path).exists():
                    return
                time.sleep(_PAUSE)
                continue
            self._begin_serving(Connection(accepted.detach()))

    def _begin_serving(self, connection: Connection[Any, Any]) -> None:
        thread = threading.Thread(
            target=self._serve_connection,
            args=(connection,),
            name="postfix-matrix worker",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError:
            # The system allows no more threads; the process gets an error, and others are served.
            connection.close()

    def _refuse_connection(self, error: OSError) -> None:
        """Take a connection with the file that is kept for it, say why it is refused, and end it.

        Left alone it would wait for ever, and this thread would be told of it without a pause.
        """
        os.close(self._spare)
        with suppress(OSError):
            accepted, _ = self._listener.accept()
            with Connection(accepted.detach()) as connection:
                connection.send_bytes(f"{error.strerror} in pytest-xdist's controller".encode())
        while True:
            with suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY)
                return
            time.sleep(_PAUSE)

    def _serve_connection(self, connection: Connection[Any, Any]) -> None:
        """Answer one connection until it ends."""
        with connection, suppress(*_BROKEN):
            connection.send_bytes(_WELCOME)
            deliver_challenge(connection, self._auth_key)
            answer_challenge(connection, self._auth_key)
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
            connection = _connect_to(self._path, time.monotonic() + ACCEPT_LIMIT)
            answer_challenge(connection, self._key)
            deliver_challenge(connection, self._key)
            connection.send((self._owner, is_watch))
        except OSError as error:
            if error.errno in _TOO_MANY_FILES:
                raise _too_many_files(f"{error.strerror} in this process") from error
            raise _no_controller() from error
        except _BROKEN as error:
            raise _no_controller() from error
        return connection


def _connect_to(path: str, deadline: float) -> Connection[Any, Any]:
    """A connection that the controller has taken.

    Raises:
        OSError: there is no such socket, or nothing listens at it, or nothing takes connections.
        InfrastructureError: the controller refuses it.
    """
    with socket.socket(socket.AF_UNIX) as connecting:
        # Where too many wait, a socket that may wait does so for ever (unix(7)).
        connecting.setblocking(False)
        while True:
            try:
                connecting.connect(path)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
        connecting.setblocking(True)
        connection: Connection[Any, Any] = Connection(connecting.detach())
    try:
        if not connection.poll(max(0.0, deadline - time.monotonic())):
            raise TimeoutError(f"nothing takes connections at {path}")
        message = connection.recv_bytes()
        if message != _WELCOME:
            raise _too_many_files(message.decode(errors="replace"))
    except BaseException:
        connection.close()
        raise
    return connection


def _listen_at(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _no_controller() -> InfrastructureError:
    return InfrastructureError(
        "the process with the engine does not answer",
        cause="pytest-xdist's controller has ended, or its socket was removed",
        next_step="run the tests again",
    )


def _too_many_files(what: str) -> InfrastructureError:
    return InfrastructureError(
        f"the process with the engine cannot be reached: {what}",
        cause="tests, or their plugins, keep files or sockets open",
        next_step="allow more open files ('ulimit -n 4096'), or use fewer processes",
    )


def _no_socket(error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"the socket for pytest-xdist's processes cannot be made: {error.strerror or error}",
        cause="too many files are open, or the folder for temporary files cannot be written",
        next_step="allow more open files ('ulimit -n 4096'), or set TMPDIR to another folder",
    )


def _make_folder() -> Path:
    """A folder of the user's own with a short path; what dead processes left is removed.

    Raises:
        InfrastructureError: it cannot be made.
    """
    try:
        parent = Path(tempfile.gettempdir())
        if len(str(parent)) > _LONGEST_PARENT:
            parent = Path("/tmp")
        for folder in parent.glob(f"{_PREFIX}*"):
            match = _FOLDER.match(folder.name)
            if match and not Path(f"/proc/{match['process']}").exists():
                shutil.rmtree(folder, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
    except OSError as error:
        raise _no_socket(error) from error
