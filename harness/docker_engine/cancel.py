"""Cancelling what may take minutes: builds, downloads, other programs."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Event, Lock

from harness.errors import BuildError, ExitCode


class Cancelled(BuildError):
    """The user cancelled the work (Ctrl-C); nothing is wrong with what was being made."""

    exit_code = ExitCode.INTERRUPTED


class Cancel:
    """A flag that is raised once, and ends the work that waits. Safe to use from any thread."""

    def __init__(self) -> None:
        self._event = Event()
        self._lock = Lock()
        self._closers: dict[int, Callable[[], None]] = {}
        self._numbers = count()

    def set(self) -> None:
        """Raise the flag, and call the functions that ``closing`` was given. Never raises."""
        self._event.set()
        with self._lock:
            closers = list(self._closers.values())
        for close in closers:
            # Each must be called; a connection that fails to close ends by its own time limit.
            with suppress(Exception):
                close()

    @property
    def is_set(self) -> bool:
        """Whether the flag is raised."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise an exception once the flag is raised.

        Raises:
            Cancelled: it is raised.
        """
        if self._event.is_set():
            raise Cancelled("cancelled")

    @contextmanager
    def closing(self, close: Callable[[], None]) -> Iterator[None]:
        """Have ``close`` called from another thread if the flag is raised meanwhile.

        Raises:
            Cancelled: the flag is raised at the start or at the end, whatever else went wrong.
        """
        number = next(self._numbers)
        with self._lock:
            self._closers[number] = close
        try:
            self.check()
            yield
        except Exception:
            # A connection that was closed on purpose fails like a broken one: report the reason.
            self.check()
            raise
        finally:
            with self._lock:
                del self._closers[number]
        self.check()


def run_program(
    command: Sequence[str], cancel: Cancel, *, time_limit: float, cwd: Path
) -> tuple[int, str]:
    """Run a program; its exit code, and its output (standard output and error together).

    ``time_limit`` is in seconds; when it has passed, or on cancelling, the program and its children
    are ended.

    Raises:
        Cancelled: the user cancelled the work.
        OSError: the program cannot be started.
        TimeoutError: it took too long.
    """
    with tempfile.TemporaryFile() as output_file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output_file,
            stderr=output_file,
            cwd=cwd,
            start_new_session=True,
        )
        try:
            with cancel.closing(lambda: _end_process(process)):
                process.wait(time_limit)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{command[0]} took more than {time_limit:.0f} s") from None
        finally:
            _end_process(process)
        output_file.seek(0)
        return process.returncode, output_file.read().decode(errors="replace")


def _end_process(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    # The group, since mmdebstrap and npm have children; SIGTERM lets them clean up.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return
