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
from harness.errors import InfrastructureError
from harness.targets.stream import LineStream


@dataclass(frozen=True, slots=True)
class ShellOutput:
    """The result of a command: its exit status, and its output (both streams, in order)."""

    status: int
    output: str


class Shell:
    """``/bin/sh`` in a container; commands run one after another."""

    def __init__(self, container: Any) -> None:
        self._name = container.name
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._lock = threading.Lock()
        api = container.client.api
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

    def run(self, script: str, *, time_limit: float = 60.0) -> ShellOutput:
        """Run a script in a subshell and wait for it. ``time_limit`` is in seconds.

        Raises:
            InfrastructureError: the shell died, or did not answer in time.
        """
        mark = uuid.uuid4().hex
        with self._lock:
            try:
                self._stream.write(f"( {script}\n) </dev/null 2>&1\nprintf '\\n{mark} %s\\n' $?\n")
            except OSError as error:
                raise self._shell_error(str(error)) from error
            return self._collect_output(mark, time_limit)

    def close(self) -> None:
        """End the shell; a command that is still running fails at once."""
        self._stream.close()
        self._lines.put(None)

    def _take_lines(self, lines: list[str]) -> None:
        for line in lines:
            self._lines.put(line)

    def _collect_output(self, mark: str, time_limit: float) -> ShellOutput:
        output: list[str] = []
        end = time.monotonic() + time_limit
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise self._shell_error(f"no answer in {time_limit:g} s") from None
            if line is None:
                raise self._shell_error("it ended")
            if line.startswith(mark):
                text = "\n".join(output)
                return ShellOutput(int(line.split()[1]), text.removesuffix("\n"))
            output.append(line)

    def _shell_error(self, reason: str) -> InfrastructureError:
        return InfrastructureError(
            f"the shell in container {self._name} does not answer: {reason}",
            cause="the container died, or the machine is out of memory",
            next_step="run again with --keep and look at 'docker logs' of that container",
        )
