"""Joins a client's connection with the server's log lines of it, as the log streams in.

``mail_log.py`` parses the log and never waits; the waiting is done here. All of it runs on the
event loop's thread.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress

from harness.targets.mail_log import (
    Death,
    LogLine,
    MailLog,
    SmtpSession,
)
from harness.targets.sent_log import SentLog


def _has_queue_id(line: LogLine, queue_id: str) -> bool:
    return line.text.startswith(f"{queue_id}: client=")


class LogJoin:
    """Passes each closed session to the cell that made the connection."""

    def __init__(self) -> None:
        self.log = MailLog()
        self.sent = SentLog()
        #: By client, held during a dialogue where its connection cannot be told from another one.
        self.turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._sessions: dict[str, deque[SmtpSession]] = defaultdict(deque)
        self._waiters: dict[str, deque[asyncio.Future[SmtpSession]]] = defaultdict(deque)
        self._removed: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._death_waiters: list[tuple[Callable[[Death], bool], asyncio.Future[Death]]] = []

    def feed(self, lines: list[str]) -> None:
        """Process raw log lines."""
        now = time.monotonic()
        for raw in lines:
            events = self.log.feed(raw, now)
            if events.line is not None:
                self.sent.feed(events.line)
            if events.closed is not None:
                self._pass_session(events.closed)
            if events.removed is not None:
                self._removed[events.removed].set()
            if events.died is not None:
                self._report_death(events.died)

    async def session(self, peer: str, since: float, time_limit: float) -> SmtpSession | None:
        """The session of the client at ``address:port``; a partial one if it did not close in time.

        ``since`` is a time of the monotonic clock before the client began: ports are reused, and
        the session of an earlier dialogue is not this one's. ``time_limit`` is in seconds. None:
        the server logged no such client.
        """
        left = self._sessions.pop(peer, deque())
        fresh = [session for session in left if session.opened >= since]
        if fresh:
            return fresh[-1]
        future: asyncio.Future[SmtpSession] = asyncio.get_running_loop().create_future()
        self._waiters[peer].append(future)
        try:
            async with asyncio.timeout(time_limit):
                return await future
        except TimeoutError:
            return self.log.find_open(peer, since)
        finally:
            self._waiters[peer].remove(future)
            if not self._waiters[peer]:
                del self._waiters[peer]

    async def session_of_address(
        self, address: str, since: float, time_limit: float, count: int = 1
    ) -> SmtpSession | None:
        """The last session of a client on a server that logs no ports, by its address alone.

        The caller has the client's turn (:attr:`turns`), so that it has no other dialogue with this
        container; ``count`` is the number of connections that it made. ``since``, ``time_limit``
        and None are as in :meth:`session`.
        """
        end = time.monotonic() + time_limit
        while True:
            closed = [s for s in self._sessions.get(address, ()) if s.opened >= since]
            last_open = self.log.find_open(address, since)
            if (last_open is None and len(closed) >= count) or time.monotonic() > end:
                self._sessions.pop(address, None)
                return last_open or (closed[-1] if closed else None)
            await asyncio.sleep(0.01)

    async def death(
        self, matches: Callable[[Death], bool], time_limit: float | None = None
    ) -> Death | None:
        """The first death from now on that matches; None: there was none in time (seconds)."""
        future: asyncio.Future[Death] = asyncio.get_running_loop().create_future()
        waiter = (matches, future)
        self._death_waiters.append(waiter)
        try:
            async with asyncio.timeout(time_limit):
                return await future
        except TimeoutError:
            return None
        finally:
            self._death_waiters.remove(waiter)

    def _report_death(self, death: Death) -> None:
        for matches, future in self._death_waiters:
            if not future.done() and matches(death):
                future.set_result(death)

    async def session_of_message(self, reply: str, time_limit: float) -> SmtpSession | None:
        """The session in which a message was received, by the server's reply to its sender.

        None: the reply has no queue id, or no session with it was closed within ``time_limit``
        seconds.
        """
        queued = re.search(r"queued as (\w+)", reply)
        end = time.monotonic() + time_limit
        while queued is not None:
            for sessions in self._sessions.values():
                for session in sessions:
                    if any(_has_queue_id(line, queued[1]) for line in session.lines):
                        return session
            if time.monotonic() > end:
                return None
            await asyncio.sleep(0.01)
        return None

    async def delivery(self, queue_id: str, time_limit: float) -> list[LogLine]:
        """The lines about a message in the queue, once it has left it or the time limit is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(time_limit):
                await self._removed[queue_id].wait()
        self._removed.pop(queue_id, None)
        return self.log.deliveries.pop(queue_id, [])

    def _pass_session(self, session: SmtpSession) -> None:
        for future in self._waiters.get(session.peer, ()):
            if not future.done():
                future.set_result(session)
                return
        self._sessions[session.peer].append(session)
