"""A shell that stays open in a container: one ``docker exec`` for a target's whole life.

An exec takes a tenth of a second, a command in a shell that is open already a millisecond.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

from harness.docker_engine.session import engine_errors
from harness.errors import FaultError
from harness.targets.machine_pace import ECHO_LIMIT, EXEC_LIMIT, MachinePace
from harness.targets.stream import LineStream

#: Seconds until a script, and until a shell whose script goes on, is asked after.
SCRIPT_LIMIT = 60.0
_FIRST_LOOK = 20.0
_STEP = 1.0
#: The states of a process that will not go on by itself: stopped, traced, ended (proc(5)).
_STANDS_STILL = frozenset("TtZX")


@dataclass(frozen=True, slots=True)
class ShellOutput:
    """The result of a command: its exit status, and its output (both streams, in order)."""

    status: int
    output: str


class ShellLostError(FaultError):
    """A shell has ended, or does not answer any more; its container may go on."""

    def __init__(self, container: str, reason: str) -> None:
        super().__init__(
            f"the shell in container {container} does not answer: {reason}",
            cause="it was killed or stopped, the container died, or the machine is out of memory",
            next_step="run again with --keep and look at 'docker logs' of that container",
        )


class Shell:
    """``/bin/sh`` in a container; commands run one after another."""

    def __init__(self, container: Any, pace: MachinePace | None = None) -> None:
        """``pace`` is what limits follow, and what the shell's own round trips go into."""
        self._name = container.name
        self._container = container
        self._pace = pace or MachinePace()
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._lock = threading.Lock()
        api = container.client.api
        began = time.monotonic()
        with engine_errors(f"opening a shell in container {container.name}"):
            created = api.exec_create(container.id, ["/bin/sh"], stdin=True)
            sock = api.exec_start(created["Id"], socket=True)
        self._stream = LineStream(
            sock,
            self._take_lines,
            lambda: self._lines.put(None),
            name=f"shell {container.name}",
        )
        self._stream.start()
        self._pid = ""
        try:
            #: Its process id in the container.
            self._pid = self.run("echo $$").output.strip()
        except BaseException:
            self.close()
            raise
        self._pace.note(time.monotonic() - began, EXEC_LIMIT)

    def run(self, script: str, *, time_limit: float = SCRIPT_LIMIT) -> ShellOutput:
        """Run a script in a subshell and wait for it.

        ``time_limit`` is in seconds, on a machine that has time.

        Raises:
            ShellLostError: the shell died, or did not answer in time.
        """
        with self._lock:
            return self._run_script(script, time_limit)

    def measure_echo(self) -> None:
        """Measure a round trip, unless a script is running.

        Raises:
            ShellLostError: the shell died, or did not answer in time.
        """
        if self._lock.acquire(blocking=False):
            try:
                began = time.monotonic()
                self._run_script(":", SCRIPT_LIMIT)
                self._pace.note(time.monotonic() - began, ECHO_LIMIT)
            finally:
                self._lock.release()

    def close(self) -> None:
        """End the shell; a command that is still running fails at once."""
        self._stream.close()
        self._lines.put(None)

    def replace(self) -> Shell:
        """Another shell in the same container; this one is closed, and its process killed.

        Raises:
            InfrastructureError: the container has died.
        """
        self.close()
        successor = Shell(self._container, self._pace)
        if self._pid:
            successor.run(f"kill -KILL {self._pid} 2>/dev/null || true")
        return successor

    def _take_lines(self, lines: list[str]) -> None:
        for line in lines:
            self._lines.put(line)

    def _run_script(self, script: str, time_limit: float) -> ShellOutput:
        mark = uuid.uuid4().hex
        try:
            self._stream.write(f"( {script}\n) </dev/null 2>&1\nprintf '\\n{mark} %s\\n' $?\n")
        except OSError as error:
            raise ShellLostError(self._name, str(error)) from error
        return self._collect_output(mark, time_limit)

    def _collect_output(self, mark: str, time_limit: float) -> ShellOutput:
        output: list[str] = []
        began = time.monotonic()
        looked = False
        while True:
            try:
                line = self._lines.get(timeout=_STEP)
            except queue.Empty:
                waited = time.monotonic() - began
                if not looked and waited > self._pace.stretch(min(_FIRST_LOOK, time_limit)):
                    looked = True
                    self._check_process()
                if waited > self._pace.stretch(time_limit):
                    self._check_process()
                    # That look may have shown that the machine is slower than was known.
                    if waited > self._pace.stretch(time_limit):
                        raise ShellLostError(self._name, f"no answer in {waited:.0f} s") from None
                continue
            if line is None:
                raise ShellLostError(self._name, "it ended")
            if line.startswith(mark):
                text = "\n".join(output)
                return ShellOutput(int(line.split()[1]), text.removesuffix("\n"))
            output.append(line)

    def _check_process(self) -> None:
        """See whether the shell's process can still go on, and how slow the machine is.

        Raises:
            ShellLostError: it cannot.
            InfrastructureError: the container has died.
        """
        if not self._pid:
            return
        began = time.monotonic()
        with engine_errors(f"looking after the shell in container {self._name}"):
            # proc(5): the name of the process is in parentheses, and its state follows.
            status = self._container.exec_run(["cat", f"/proc/{self._pid}/stat"]).output
        self._pace.note(time.monotonic() - began, EXEC_LIMIT)
        state = status.decode(errors="replace").rpartition(") ")[2][:1]
        if not state or state in _STANDS_STILL:
            raise ShellLostError(self._name, f"its process stands still or is gone ({state})")


class LastingShell:
    """A shell in a container which another one takes the place of when it is lost."""

    def __init__(self, container: Any, pace: MachinePace) -> None:
        self._shell = Shell(container, pace)
        self._replacing = threading.Lock()
        self._is_closed = False

    def run(self, script: str, *, time_limit: float = SCRIPT_LIMIT) -> ShellOutput:
        """Run a script that may run twice: once more where the shell is lost.

        Raises:
            InfrastructureError: the container has died, or both shells were lost.
        """
        try:
            return self.run_once(script, time_limit=time_limit)
        except ShellLostError:
            return self.run_once(script, time_limit=time_limit)

    def run_once(self, script: str, *, time_limit: float = SCRIPT_LIMIT) -> ShellOutput:
        """Run a script; what has become of it is unknown where the shell is lost.

        Raises:
            ShellLostError: the shell was lost, and there is another one now.
            InfrastructureError: the container has died.
        """
        shell = self._shell
        try:
            return shell.run(script, time_limit=time_limit)
        except ShellLostError:
            self._replace_shell(shell)
            raise

    def measure_echo(self) -> None:
        """Measure a round trip, unless a script is running.

        Raises:
            InfrastructureError: the container has died.
        """
        shell = self._shell
        try:
            shell.measure_echo()
        except ShellLostError:
            self._replace_shell(shell)

    def close(self) -> None:
        """End the shell for good; a command that is still running fails at once."""
        self._is_closed = True
        self._shell.close()

    def _replace_shell(self, lost: Shell) -> None:
        with self._replacing:
            # Another thread may have done it.
            if self._shell is lost and not self._is_closed:
                self._shell = lost.replace()
            if self._is_closed:
                # Closed while another one was opened.
                self._shell.close()
