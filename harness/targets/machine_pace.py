"""How slow the machine is now, by round trips that the harness makes anyway; limits follow it.

A limit is for a machine that has time. Beside other work the same answer takes many times as long,
and must not be taken for none. So a limit is stretched by as much as a known round trip, such as
the echo of a shell in a container, has lately taken longer than it does on a busy machine.
"""

from __future__ import annotations

import threading
import time
from collections import deque

#: The longest that these take while a run keeps a machine with two cores busy, in seconds.
ECHO_LIMIT = 0.25
EXEC_LIMIT = 1.0
TIMER_LIMIT = 0.1
#: A limit is stretched this many times at most: what is lost must be noticed in the end.
MOST = 12.0
#: For so many seconds a slow round trip stretches the limits.
_MEMORY = 60.0


class MachinePace:
    """Collects round trips; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slow: deque[tuple[float, float]] = deque()
        #: By how much a limit was stretched at most.
        self.most_stretched = 1.0
        #: How many round trips were measured.
        self.round_trips = 0

    def note(self, seconds: float, limit: float) -> None:
        """Take a round trip into account that takes at most ``limit`` seconds in a usual run."""
        factor = min(MOST, seconds / limit)
        with self._lock:
            self.round_trips += 1
            if factor > 1:
                self._slow.append((time.monotonic(), factor))

    @property
    def factor(self) -> float:
        """By how much limits are stretched now: from 1 to :data:`MOST`."""
        oldest = time.monotonic() - _MEMORY
        with self._lock:
            while self._slow and self._slow[0][0] < oldest:
                self._slow.popleft()
            return max((factor for _, factor in self._slow), default=1.0)

    def stretch(self, seconds: float) -> float:
        """A limit as it is to be used now, in seconds."""
        factor = self.factor
        with self._lock:
            self.most_stretched = max(self.most_stretched, factor)
        return seconds * factor
