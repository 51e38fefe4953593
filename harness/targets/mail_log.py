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
_DIED = re.compile(
    r"process (?:\S*/)?(?P<program>[^/\s]+) pid (?P<pid>\d+) (?:exit status|killed by signal) \d+"
)
_LAST_WORDS = ("fatal:", "panic:")
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
class SmtpSession:
    """One connection as the server logged it, in the log's order; grows until it is closed."""

    address: str
    port: int
    #: When its first line came in, on the clock of whoever feeds the log.
    opened: float
    lines: list[LogLine] = field(default_factory=list)
    #: What this smtpd process had said before it took its first client ("disabling TLS support").
    preamble: tuple[LogLine, ...] = ()
    closed: bool = False

    @property
    def peer(self) -> str:
        """``address:port`` of the client."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Death:
    """A process that ended otherwise than it should, by master(8)'s word for it.

    ``lines`` are its own last words, then master's; ``at`` is when master's came in. ``served``: it
    had taken a client before, so that its end says nothing of the next client.
    """

    master: int
    program: str
    pid: int
    lines: tuple[LogLine, ...]
    served: bool
    at: float

    @property
    def tag(self) -> str | None:
        """Under which tag it spoke; None: it said nothing."""
        return self.lines[0].tag if len(self.lines) > 1 else None


@dataclass(frozen=True, slots=True)
class Events:
    """What one line brought to an end; ``line`` is the line, where it is none of smtpd's."""

    closed: SmtpSession | None = None
    removed: str | None = None
    line: LogLine | None = None
    died: Death | None = None


class MailLog:
    """Collects a log's lines into sessions, deliveries and the rest; knows nothing of time."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], SmtpSession] = {}
        #: Lines of a queue id by processes other than smtpd (cleanup, qmgr, virtual).
        self.deliveries: dict[str, list[LogLine]] = defaultdict(list)
        #: Lines of no connection and no message, by tag; master's above all.
        self.other: dict[str, list[LogLine]] = defaultdict(list)
        #: What each smtpd said outside of any connection, by tag and process id.
        self._outside: dict[tuple[str, int], list[LogLine]] = defaultdict(list)
        #: Of that, what it said before its first connection.
        self._preambles: dict[tuple[str, int], tuple[LogLine, ...]] = {}
        #: What processes of any program said as they died, by process id.
        self._last_words: dict[int, list[LogLine]] = defaultdict(list)
        #: The processes that died, in the order of master's words.
        self.died: list[Death] = []

    def feed(self, raw: str, now: float = 0.0) -> Events:
        """Take one raw line in, at a time; says which session or delivery it completed."""
        line = LogLine.parse(raw)
        if line is None:
            return Events()
        if line.text.startswith(_LAST_WORDS):
            self._last_words[line.pid].append(line)
        if line.process == "smtpd":
            return Events(closed=self._smtpd(line, now))
        queued = _QUEUE_ID.match(line.text)
        if queued is None:
            self.other[line.tag].append(line)
            died = _DIED.search(line.text) if line.process == "master" else None
            if died is not None:
                return self._dead(died["program"], int(died["pid"]), line, now)
            return Events(line=line)
        self.deliveries[queued["id"]].append(line)
        done = line.process == "qmgr" and line.text.endswith(_REMOVED)
        return Events(removed=queued["id"] if done else None, line=line)

    def masters(self, pids: range) -> list[LogLine]:
        """What the master(8) with one of these process ids said.

        By process id, since what it says before it has read its configuration goes under
        ``postfix/master``, whatever ``syslog_name`` the instance has.
        """
        tags = [tag for tag in self.other if tag.endswith("/master")]
        return [line for tag in tags for line in self.other[tag] if line.pid in pids]

    def deaths(self, pids: range, tag: str) -> list[LogLine]:
        """Why smtpd processes of one service died before a client (:func:`is_of_service`)."""
        found = [one for one in self.died if is_of_service(one, pids, tag)]
        return [line for one in found for line in one.lines]

    def deaths_with_clients(self, pids: range, tag: str, since: float) -> list[LogLine]:
        """Why smtpd processes of one service died with a client since then.

        master(8) puts off the next process after one that died over its first client, so that
        clients who come meanwhile wait.
        """
        return [
            line
            for one in self.died
            if one.master in pids and one.program == "smtpd" and one.served and one.at >= since
            for line in one.lines
            if one.tag in (tag, None)
        ]

    def dying(self, tag: str) -> bool:
        """Whether a process of this tag has said its last words, and master nothing of it yet."""
        return any(line.tag == tag for said in self._last_words.values() for line in said)

    def last_words(self, pids: range, since: float, but: str) -> list[LogLine]:
        """Why processes of an instance died since then; not those of one program."""
        return [
            line
            for one in self.died
            if one.master in pids and one.at >= since and one.program != but
            for line in one.lines
        ]

    def find_open(self, peer: str, since: float) -> SmtpSession | None:
        """The newest session of ``address:port``, opened since then, that is not closed yet."""
        found = [s for s in self._open.values() if s.peer == peer and s.opened >= since]
        return max(found, key=lambda session: session.opened, default=None)

    def _dead(self, program: str, pid: int, line: LogLine, now: float) -> Events:
        """A process is dead: its connection, if it had one, gets no more lines."""
        words = [one for (_, of), said in self._outside.items() if of == pid for one in said]
        words += [one for one in self._last_words.pop(pid, []) if one not in words]
        served = any(of == pid for _, of in self._preambles)
        death = Death(line.pid, program, pid, (*words, line), served, now)
        self.died.append(death)
        key = next((key for key in self._open if key[1] == pid), None)
        closed = None
        if key is not None:
            closed = self._open.pop(key)
            closed.lines.append(line)
            closed.closed = True
        return Events(closed=closed, line=line, died=death)

    def _smtpd(self, line: LogLine, now: float) -> SmtpSession | None:
        key = (line.tag, line.pid)
        peer = _PEER.match(line.text)
        if peer is not None and line.text.startswith("connect from"):
            preamble = self._preambles.setdefault(key, tuple(self._outside.get(key, ())))
            address, port = peer["address"], int(peer["port"])
            self._open[key] = SmtpSession(address, port, now, [line], preamble)
            return None
        session = self._open.get(key)
        if session is None:
            self._outside[key].append(line)
            return None
        session.lines.append(line)
        # A process that says why it dies says nothing after it.
        if peer is None and not line.text.startswith(_LAST_WORDS):
            return None
        session.closed = True
        return self._open.pop(key)


def is_of_service(death: Death, pids: range, tag: str) -> bool:
    """Whether a death may be why a service takes no client.

    Args:
        death: of any process.
        pids: has the instance's master.
        tag: the service's own. A process that died without a word may have been any service's.
    """
    mine = death.master in pids and death.program == "smtpd" and not death.served
    return mine and death.tag in (tag, None)
