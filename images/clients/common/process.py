"""Running a program as cheaply as Python can, with its output handed over as it comes.

asyncio's own subprocesses take three times as much processor time to start and reap; this is
posix_spawn, three pipes, and the event loop.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

CHUNK = 65536


class Process:
    """A running program. ``output`` and ``errors`` grow; ``ended`` is done when both have ended.

    ``on_output`` is called after each piece of output.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        on_output: Callable[[Process], None],
    ) -> None:
        """Start ``command``, whose first word is the program's absolute path.

        Raises:
            OSError: it cannot be run.
        """
        self.output = b""
        self.errors = b""
        #: The exit status once it has ended; negative: the signal that ended it.
        self.status: int | None = None
        self._loop = asyncio.get_running_loop()
        self._on_output = on_output
        self.ended: asyncio.Future[None] = self._loop.create_future()
        our_ends, program_ends = _make_pipes()
        self._input, self._output, self._errors = our_ends
        actions = [(os.POSIX_SPAWN_DUP2, each, number) for number, each in enumerate(program_ends)]
        try:
            self._pid = os.posix_spawn(command[0], list(command), environment, file_actions=actions)
        except BaseException:
            _close_all(our_ends)
            raise
        finally:
            _close_all(program_ends)
        self._open = {self._output, self._errors}
        for each in self._open:
            self._loop.add_reader(each, self._read_pipe, each)

    def write_input(self, data: bytes) -> None:
        """Give the program something to read; a program that is gone reads nothing."""
        with suppress(BrokenPipeError):
            os.write(self._input, data)

    def close_input(self) -> None:
        """Let the program's standard input end."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def kill(self) -> None:
        """End the program if it still runs, and let go of everything."""
        if self._open:
            os.kill(self._pid, signal.SIGKILL)
            for each in tuple(self._open):
                self._close_pipe(each)

    def _read_pipe(self, pipe: int) -> None:
        data = os.read(pipe, CHUNK)
        if not data:
            self._close_pipe(pipe)
        elif pipe == self._output:
            self.output += data
            self._on_output(self)
        else:
            self.errors += data

    def _close_pipe(self, pipe: int) -> None:
        self._loop.remove_reader(pipe)
        os.close(pipe)
        self._open.discard(pipe)
        if not self._open:
            self.close_input()
            # Both its outputs have ended: it is on its way out, and this does not wait.
            self.status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            if not self.ended.done():
                self.ended.set_result(None)


def _make_pipes() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Our ends and the program's ends of standard input, output and error."""
    their_input, our_input = os.pipe()
    our_output, their_output = os.pipe()
    our_errors, their_errors = os.pipe()
    return (our_input, our_output, our_errors), (their_input, their_output, their_errors)


def _close_all(pipes: Sequence[int]) -> None:
    for each in pipes:
        os.close(each)


@dataclass(frozen=True)
class Ended:
    """What a program that ran to its end said on its two outputs, and its exit status."""

    status: int
    output: str
    errors: str

    @property
    def both_outputs(self) -> str:
        """Both outputs, errors first."""
        return "\n".join(text for text in (self.errors.strip(), self.output.strip()) if text)


async def run_program(
    command: Sequence[str], environment: Mapping[str, str], given: bytes = b""
) -> Ended:
    """Run a program with ``given`` as its whole standard input (up to a pipe's size, 64 KiB).

    Cancelled, it is killed.

    Raises:
        OSError: it cannot be run.
    """
    process = Process(command, environment, lambda _: None)
    try:
        process.write_input(given)
        process.close_input()
        await process.ended
    finally:
        process.kill()
    assert process.status is not None
    output, errors = (text.decode("utf-8", "replace") for text in (process.output, process.errors))
    return Ended(process.status, output, errors)
