"""Standard output that its reader has closed, as ``head`` does when it has its lines."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress


def is_output_closed() -> bool:
    """True if nothing reads standard output any more.

    A broken pipe may also be a connection's, such as Docker's: only the pipe itself can tell.
    """
    with suppress(OSError, ValueError):
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLOUT)
        return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
    return False


def discard_output() -> None:
    """Let what is still written to standard output go nowhere, so that no later flush fails."""
    with suppress(OSError, ValueError):
        empty = os.open(os.devnull, os.O_WRONLY)
        os.dup2(empty, sys.stdout.fileno())
        os.close(empty)
