"""How many connections a scan has at the same time, and how long it waits between them.

Few, because a Postfix starts a process for each open connection: to a near machine, three take no
longer than eight and start fewer processes. Where a round trip takes long, or the server waits
before it greets (postscreen(8), stunnel), eight are better. A server that refuses so many gets
fewer of them, and with longer pauses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Connections to a near and to a far server; above this round trip (seconds) a server is far.
NEAR, FAR, FAR_OFF = 3, 8, 0.005
#: A server that takes longer to greet (seconds) waits, rather than works.
SLOW_GREETING = 0.1
#: Seconds from one connection's end to the next one's start, after the first failed probe and at
#: most: a server that counts connections takes a moment to notice that one has ended.
SPACING, SPACING_MOST = 0.01, 0.1


@dataclass(slots=True)
class Concurrency:
    """``round_trip``: the least that was measured, in seconds; the rest is the server's work.

    ``greeting``: the least number of seconds that the server took to greet.
    """

    width: int = NEAR
    spacing: float = 0.0
    round_trip: float = math.inf
    greeting: float = math.inf

    def note_reply(self, seconds: float) -> None:
        """Note how long after a command its reply was received."""
        self.round_trip = min(self.round_trip, seconds)
        self._choose_width()

    def note_greeting(self, seconds: float) -> None:
        """Note how long after the connection's begin the server greeted."""
        self.greeting = min(self.greeting, seconds)
        self._choose_width()

    def note_failure(self) -> None:
        """Note that a probe failed: the server may not allow more connections."""
        self.width = max(1, self.width // 2)
        self.spacing = min(max(SPACING, 2 * self.spacing), SPACING_MOST)

    def _choose_width(self) -> None:
        if self.spacing:
            return
        is_slow = self.round_trip > FAR_OFF or SLOW_GREETING < self.greeting < math.inf
        self.width = FAR if is_slow else NEAR
