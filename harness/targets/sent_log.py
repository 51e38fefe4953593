"""The log lines of smtp(8) for each message that it tried to deliver, as the log streams in.

One smtp process delivers one message at a time and logs the outcome of each recipient last
(``to=<...>, relay=..., status=...``); its lines since the previous outcome are of that delivery.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

from harness.targets.mail_log import LogLine

_SENT = re.compile(
    r"(?P<queue_id>[0-9A-Za-z]+): to=<(?P<to>[^>]*)>,(?: orig_to=<[^>]*>,)? relay=(?P<relay>[^,]+),"
    r".* dsn=(?P<dsn>[\d.]+), status=(?P<status>\S+) \((?P<text>.*)\)$"
)
_SUSPENDED = "delivery temporarily suspended: "
#: Programs that deliver a message: smtp(8), also as "relay", and error(8) if it has no route.
_AGENTS = frozenset({"smtp", "lmtp", "error", "relay"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome for a recipient: ``status`` sent, deferred or bounced, the reason in ``text``.

    ``lines`` are all lines of the process about it, the outcome last.
    """

    to: str
    relay: str
    dsn: str
    status: str
    text: str
    lines: tuple[LogLine, ...]


class SentLog:
    """Collects deliveries by recipient, and lets callers wait for one."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int], list[LogLine]] = defaultdict(list)
        self._outcomes: dict[str, Delivery] = {}
        self._arrived: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        #: The lines before each outcome that was no success, by syslog_name and text.
        self._causes: dict[tuple[str, str], tuple[LogLine, ...]] = {}

    def feed(self, line: LogLine) -> None:
        """Process one line of the log."""
        if line.process not in _AGENTS:
            return
        pending = self._lines[line.tag, line.pid]
        pending.append(line)
        match = _SENT.match(line.text)
        if match is None:
            return
        to, text = match["to"], match["text"]
        lines = (*self._find_cause(line, text), *pending)
        self._outcomes[to] = Delivery(
            to, match["relay"], match["dsn"], match["status"], text, lines
        )
        pending.clear()
        self._arrived[to].set()

    def _find_cause(self, line: LogLine, text: str) -> tuple[LogLine, ...]:
        """The lines of an earlier message, because of which this one was not tried.

        After a failure qmgr(8) tries no further message to that destination, but passes it to
        error(8) with the text of the failure: "delivery temporarily suspended: TEXT".
        """
        name = line.tag.rpartition("/")[0]
        if text.startswith(_SUSPENDED):
            return self._causes.get((name, text.removeprefix(_SUSPENDED)), ())
        self._causes[name, text] = tuple(self._lines[line.tag, line.pid])
        return ()

    def unfinished(self, tag: str) -> list[LogLine]:
        """The lines of the processes with a tag since their last outcome, in the log's order."""
        return [line for (owner, _), lines in self._lines.items() if owner == tag for line in lines]

    async def delivery(self, to: str, time_limit: float) -> Delivery | None:
        """The outcome for a recipient; None if there is none within ``time_limit`` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(time_limit):
                await self._arrived[to].wait()
        self._arrived.pop(to, None)
        return self._outcomes.pop(to, None)
