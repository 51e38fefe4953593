"""How many connections a scan has at the same time, and how long it waits between them.

Few, because a Postfix starts a process for each open connection: to a near machine, three take no
longer than eight and start fewer processes. Where a round trip takes long, eight are better. A
server that refuses so many gets fewer of them, and with longer pauses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Connections to a near and to a far server; above this round trip (seconds) a server is far.
NEAR, FAR, FAR_OFF = 3, 8, 0.005
#: Seconds from one connection's end to the next one's start, after the first failed probe and at
#: most: a server that counts connections takes a moment to notice that one has ended.
SPACING, SPACING_MOST = 0.01, 0.1


@dataclass(slots=True)
class Concurrency:
    """``round_trip``: the least that was measured, in seconds; the rest is the server's work."""

    width: int = NEAR
    spacing: float = 0.0
    round_trip: float = math.inf

    def note_reply(self, seconds: float) -> None:
        """Note how long after a command its reply was received."""
        self.round_trip = min(self.round_trip, seconds)
        if not self.spacing:
            self.width = FAR if self.round_trip > FAR_OFF else NEAR

    def note_failure(self) -> None:
        """Note that a probe failed: the server may not allow more connections."""
        self.width = max(1, self.width // 2)
        self.spacing = min(max(SPACING, 2 * self.spacing), SPACING_MOST)
