"""What smtp(8) logged of each message it tried to deliver, from the mail log as it streams in.

One smtp process delivers one message at a time and logs the outcome of each recipient last
(``to=<...>, relay=..., status=...``); what it said since the outcome before is of that delivery.
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
#: Programs that end a message's way: smtp(8) for "relay" too, and error(8) for what has no way.
_AGENTS = frozenset({"smtp", "lmtp", "error", "relay"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of one recipient: ``status`` sent, deferred or bounced, and why in ``text``.

    ``lines`` are all that the process said of it, the outcome last.
    """

    to: str
    relay: str
    dsn: str
    status: str
    text: str
    lines: tuple[LogLine, ...]


class SentLog:
    """Collects deliveries by recipient, and lets askers wait for theirs."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, int], list[LogLine]] = defaultdict(list)
        self._found: dict[str, Delivery] = {}
        self._wanted: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        #: What was said before each outcome that was no success, by syslog_name and text.
        self._causes: dict[tuple[str, str], tuple[LogLine, ...]] = {}

    def feed(self, line: LogLine) -> None:
        """Take one line of the log in."""
        if line.process not in _AGENTS:
            return
        said = self._said[line.tag, line.pid]
        said.append(line)
        match = _SENT.match(line.text)
        if match is None:
            return
        to, text = match["to"], match["text"]
        lines = (*self._cause(line, text), *said)
        self._found[to] = Delivery(to, match["relay"], match["dsn"], match["status"], text, lines)
        said.clear()
        self._wanted[to].set()

    def _cause(self, line: LogLine, text: str) -> tuple[LogLine, ...]:
        """What was said of the message for which this one's way was closed, by the same instance.

        qmgr(8) tries no further message where one has just failed, and hands it to error(8) with
        the other's text: "delivery temporarily suspended: TEXT".
        """
        name = line.tag.rpartition("/")[0]
        if text.startswith(_SUSPENDED):
            return self._causes.get((name, text.removeprefix(_SUSPENDED)), ())
        self._causes[name, text] = tuple(self._said[line.tag, line.pid])
        return ()

    def unfinished(self, tag: str) -> list[LogLine]:
        """What the processes of one tag said since their last outcome, in the log's order."""
        return [line for (of, _), said in self._said.items() if of == tag for line in said]

    async def delivery(self, to: str, time_limit: float) -> Delivery | None:
        """The outcome of a recipient; None where there is none within ``time_limit`` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(time_limit):
                await self._wanted[to].wait()
        self._wanted.pop(to, None)
        return self._found.pop(to, None)
