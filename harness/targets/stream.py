"""Lines to and from a process in a container, over the engine's attach socket.

Docker multiplexes standard output and error in frames (Engine API, "attach"); docker-py separates
the frames. A thread reads, so that all transports (unix, tcp, ssh) work the same way.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from docker.utils.socket import STDOUT, frames_iter

#: Lines of standard error that are kept to explain why a process died.
ERROR_TAIL = 40
#: Seconds in which a reading thread must notice that its socket was closed.
JOIN_LIMIT = 2.0


class LineStream:
    """Reads a socket's frames; calls ``on_lines`` with each batch of lines of standard output.

    ``on_lines`` and ``on_end`` are called on the reading thread.
    """

    def __init__(
        self,
        sock: Any,
        on_lines: Callable[[list[str]], None],
        on_end: Callable[[], None] = lambda: None,
        name: str = "stream",
    ) -> None:
        # docker-py returns a SocketIO around the real socket for plain connections, and the
        # socket itself for TLS and ssh.
        self._io = sock
        self._sock = getattr(sock, "_sock", sock)
        self._on_lines = on_lines
        self._on_end = on_end
        self._rest = b""
        self._closing = False
        #: Whether the other side has ended the stream.
        self.ended = False
        self.error_tail: deque[str] = deque(maxlen=ERROR_TAIL)
        self._write_lock = threading.Lock()
        self._thread = threading.Thread(target=self._read_frames, name=name, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def write(self, text: str) -> None:
        """Send text to the process's standard input.

        Raises:
            OSError: the process has ended, or the engine.
        """
        with self._write_lock:
            self._sock.sendall(text.encode())

    def close(self) -> None:
        """Close the socket and end the reading thread; neither callback is called any more."""
        self._closing = True
        self._hang_up()
        if self._thread.is_alive():
            self._thread.join(JOIN_LIMIT)

    def _hang_up(self) -> None:
        # A socket that is closed already needs no closing.
        with contextlib.suppress(OSError):
            self._sock.shutdown(2)
        # Closing the outer of the two leaves the real socket open.
        for sock in (self._io, self._sock):
            with contextlib.suppress(OSError):
                sock.close()

    def _read_frames(self) -> None:
        # The end is reported once, whatever caused it, also a closed socket.
        with contextlib.suppress(OSError, ValueError):
            frames: Iterator[tuple[int, bytes]] = frames_iter(self._io, tty=False)  # type: ignore[no-untyped-call]
            for kind, chunk in frames:
                self._take_chunk(kind, chunk)
        self.ended = True
        self._hang_up()
        if not self._closing:
            self._on_end()

    def _take_chunk(self, kind: int, chunk: bytes) -> None:
        if kind != STDOUT:
            self.error_tail.extend(chunk.decode(errors="replace").splitlines())
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if lines and not self._closing:
            self._on_lines([line.decode(errors="replace") for line in lines])
