"""How many connections at a time a scan makes, and how far apart. Pure.

Few, because a Postfix starts a process for each connection at a time: three to a machine nearby
take no longer than eight, and start fewer. Where a round trip takes long, eight are better. And a
server that says no to so many gets fewer, further apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Connections at a time, and what round trip (seconds) makes a server a far one.
NEAR, FAR, FAR_OFF = 3, 8, 0.005
#: Seconds from one connection's end to the next one's start, once a probe came to nothing, and at
#: most: a server that counts connections takes a moment to see that one has ended.
SPACING, SPACING_MOST = 0.01, 0.1


@dataclass(slots=True)
class Pace:
    """``round_trip``: the least that was seen, in seconds, since all else is the server's work."""

    width: int = NEAR
    spacing: float = 0.0
    round_trip: float = math.inf

    def heard(self, seconds: float) -> None:
        """A reply came so long after what it answers."""
        self.round_trip = min(self.round_trip, seconds)
        if not self.spacing:
            self.width = FAR if self.round_trip > FAR_OFF else NEAR

    def failed(self) -> None:
        """A probe came to nothing: the server may allow no more."""
        self.width = max(1, self.width // 2)
        self.spacing = min(max(SPACING, 2 * self.spacing), SPACING_MOST)
