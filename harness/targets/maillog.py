"""Postfix's log, taken apart: lines, and the connection that each of smtpd's lines belongs to.

An smtpd process serves one client at a time and logs ``connect from`` and ``disconnect from``
around what it does (smtpd(8)); with ``smtpd_client_port_logging`` both carry the client's port
(postconf(5), Postfix 2.5 and later). So process id, address and port join a line to a connection,
whatever ``syslog_name`` the candidate chose.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

# "Nov 22 23:02:41 8a3ee06a5baa mail.info postfix-a/smtpd[183]: connect from ..."; the facility is
# busybox's, other daemons leave it out.
_LINE = re.compile(
    r"(?P<time>\w{3} [ \d]\d [\d:]{8}) (?P<host>\S+) (?:\w+\.\w+ )?"
    r"(?P<tag>[^\s\[:]+)(?:\[(?P<pid>\d+)\])?: (?P<text>.*)"
)
_PEER = re.compile(r"(?:dis)?connect from \S+\[(?P<address>[^\]]+)\]:(?P<port>\d+)")
# A queue id, short (hexadecimal) or long (base 52), and not a word that opens another message.
_QUEUE_ID = re.compile(r"(?!warning|fatal|panic|error|statistics)(?P<id>[0-9A-Za-z]{6,}): ")
# master(8): "warning: process /usr/lib/postfix/sbin/smtpd pid 123 exit status 1"
_DIED = re.compile(r"process \S*smtpd pid (?P<pid>\d+) (?:exit status|killed by signal) \d+")
#: What ends a queue id's life on this instance (qmgr(8)).
_REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the mail log. ``tag``: ``syslog_name/process``; ``pid``: 0 for who gives none."""

    time: str
    tag: str
    pid: int
    text: str

    @property
    def process(self) -> str:
        """The program's own name, e.g. ``smtpd``."""
        return self.tag.rpartition("/")[2]

    def __str__(self) -> str:
        pid = f"[{self.pid}]" if self.pid else ""
        return f"{self.time} {self.tag}{pid}: {self.text}"

    @classmethod
    def parse(cls, raw: str) -> LogLine | None:
        """Read a syslog line; None for what is not one (the syslog daemon's own greeting)."""
        match = _LINE.match(raw)
        if match is None:
            return None
        return cls(match["time"], match["tag"], int(match["pid"] or 0), match["text"])


@dataclass(slots=True)
class Session:
    """One connection as the server logged it, in the log's order; grows until it is closed."""

    address: str
    port: int
    lines: list[LogLine] = field(default_factory=list)
    #: What this smtpd process had said before it took its first client ("disabling TLS support").
    preamble: tuple[LogLine, ...] = ()
    closed: bool = False

    @property
    def peer(self) -> str:
        """``address:port`` of the client."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Events:
    """What one line brought to an end."""

    closed: Session | None = None
    removed: str | None = None


class MailLog:
    """Collects a log's lines into sessions, deliveries and the rest; knows nothing of time."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], Session] = {}
        #: Lines of a queue id by processes other than smtpd (cleanup, qmgr, virtual).
        self.deliveries: dict[str, list[LogLine]] = defaultdict(list)
        #: Lines of no connection and no message, by tag; master's above all.
        self.other: dict[str, list[LogLine]] = defaultdict(list)
        #: What each smtpd said outside of any connection, by process id.
        self._preambles: dict[int, list[LogLine]] = defaultdict(list)

    def feed(self, raw: str) -> Events:
        """Take one raw line in; says which session or delivery it completed."""
        line = LogLine.parse(raw)
        if line is None:
            return Events()
        if line.process == "smtpd":
            return Events(closed=self._smtpd(line))
        queued = _QUEUE_ID.match(line.text)
        if queued is None:
            self.other[line.tag].append(line)
            return Events()
        self.deliveries[queued["id"]].append(line)
        done = line.process == "qmgr" and line.text.endswith(_REMOVED)
        return Events(removed=queued["id"] if done else None)

    def masters(self, pids: range) -> list[LogLine]:
        """What the master(8) with one of these process ids said.

        By process id, since what it says before it has read its configuration goes under
        ``postfix/master``, whatever ``syslog_name`` the instance has.
        """
        tags = [tag for tag in self.other if tag.endswith("/master")]
        return [line for tag in tags for line in self.other[tag] if line.pid in pids]

    def deaths(self, pids: range) -> list[LogLine]:
        """Why smtpd processes of an instance died at their start: last words, and master's."""
        told: list[LogLine] = []
        for line in self.masters(pids):
            died = _DIED.search(line.text)
            if died is not None:
                told += [*self._preambles.get(int(died["pid"]), ()), line]
        return told

    def find_open(self, peer: str) -> Session | None:
        """The session of the client at ``address:port`` that has not been closed yet."""
        return next((one for one in self._open.values() if one.peer == peer), None)

    def _smtpd(self, line: LogLine) -> Session | None:
        key = (line.tag, line.pid)
        peer = _PEER.match(line.text)
        if peer is not None and line.text.startswith("connect from"):
            preamble = tuple(self._preambles.get(line.pid, ()))
            self._open[key] = Session(peer["address"], int(peer["port"]), [line], preamble)
            return None
        session = self._open.get(key)
        if session is None:
            self._preambles[line.pid].append(line)
            return None
        session.lines.append(line)
        if peer is None:
            return None
        session.closed = True
        return self._open.pop(key)
