"""Parses Postfix's log into lines, and assigns each line of smtpd to a connection.

An smtpd process serves one client at a time and logs ``connect from`` and ``disconnect from``
around what it does (smtpd(8)); with ``smtpd_client_port_logging`` both carry the client's port
(postconf(5), Postfix 2.5 and later). So process id, address and port join a line to a connection,
whatever ``syslog_name`` the candidate chose. Where there is no port, the address must do.
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
_PEER = re.compile(r"(?:dis)?connect from \S+\[(?P<address>[^\]]+)\](?::(?P<port>\d+))?(?![:\w])")
# A queue id, short (hexadecimal) or long (base 52), and not the first word of another message.
_QUEUE_ID = re.compile(r"(?!warning|fatal|panic|error|statistics)(?P<id>[0-9A-Za-z]{6,}): ")
# master(8): "warning: process /usr/lib/postfix/sbin/smtpd pid 123 exit status 1"
_DIED = re.compile(
    r"process (?:\S*/)?(?P<program>[^/\s]+) pid (?P<pid>\d+) (?:exit status|killed by signal) \d+"
)
_FATAL = ("fatal:", "panic:")
#: SIGHUP, SIGINT, SIGQUIT, SIGKILL and SIGTERM: no program of Postfix ends itself by one of them.
_KILLED = re.compile(r"killed by signal (?:1|2|3|9|15)\b")
#: The text of the last line of a queue id on this instance (qmgr(8)).
_REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the mail log. ``tag`` is ``syslog_name/process``; ``pid`` is 0 if not logged."""

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
        """Parse a syslog line; None if it is not one (the syslog daemon's own greeting)."""
        match = _LINE.match(raw)
        if match is None:
            return None
        return cls(match["time"], match["tag"], int(match["pid"] or 0), match["text"])


@dataclass(slots=True)
class SmtpSession:
    """One connection as the server logged it, in the log's order; grows until it is closed.

    ``port`` is None where the server logs none.
    """

    address: str
    port: int | None
    #: When its first line arrived, on the clock of the caller of ``feed``.
    opened: float
    lines: list[LogLine] = field(default_factory=list)
    #: The lines of this smtpd process before its first client ("disabling TLS support").
    preamble: tuple[LogLine, ...] = ()
    closed: bool = False

    @property
    def peer(self) -> str:
        """``address:port`` of the client; its address alone where no port was logged."""
        return self.address if self.port is None else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Death:
    """A process that died, as master(8) logged it.

    ``lines`` are its own last lines, then master's; ``at`` is when master's arrived. ``served``: it
    had accepted a client before, so that its end says nothing about the next client.
    """

    master: int
    program: str
    pid: int
    lines: tuple[LogLine, ...]
    served: bool
    at: float

    @property
    def is_kill(self) -> bool:
        """Whether it was ended from outside: by an operator, or for want of memory."""
        return _KILLED.search(self.lines[-1].text) is not None

    @property
    def tag(self) -> str | None:
        """The tag under which it logged; None: it logged nothing."""
        return self.lines[0].tag if len(self.lines) > 1 else None


@dataclass(frozen=True, slots=True)
class Events:
    """What one line ended; ``line`` is the line itself, unless smtpd logged it."""

    closed: SmtpSession | None = None
    removed: str | None = None
    line: LogLine | None = None
    died: Death | None = None


class MailLog:
    """Sorts a log's lines into sessions, deliveries and others; it never waits."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], SmtpSession] = {}
        #: Lines of a queue id by processes other than smtpd (cleanup, qmgr, virtual).
        self.deliveries: dict[str, list[LogLine]] = defaultdict(list)
        #: Lines that belong to no connection and no message, by tag; above all master's.
        self.other: dict[str, list[LogLine]] = defaultdict(list)
        #: The lines of each smtpd outside of any connection, by tag and process id.
        self._outside: dict[tuple[str, int], list[LogLine]] = defaultdict(list)
        #: Of these, the lines before its first connection.
        self._preambles: dict[tuple[str, int], tuple[LogLine, ...]] = {}
        #: The last lines of processes of any program that died, by process id.
        self._last_lines: dict[int, list[LogLine]] = defaultdict(list)
        #: The processes that died, in the order of master's lines.
        self.died: list[Death] = []

    def feed(self, raw: str, now: float = 0.0) -> Events:
        """Process one raw line that arrived at ``now``; return what it completed."""
        line = LogLine.parse(raw)
        if line is None:
            return Events()
        if line.text.startswith(_FATAL):
            self._last_lines[line.pid].append(line)
        if line.process == "smtpd":
            return Events(closed=self._feed_smtpd(line, now))
        queued = _QUEUE_ID.match(line.text)
        if queued is None:
            self.other[line.tag].append(line)
            died = _DIED.search(line.text) if line.process == "master" else None
            if died is not None:
                return self._record_death(died["program"], int(died["pid"]), line, now)
            return Events(line=line)
        self.deliveries[queued["id"]].append(line)
        done = line.process == "qmgr" and line.text.endswith(_REMOVED)
        return Events(removed=queued["id"] if done else None, line=line)

    def master_lines(self, pids: range) -> list[LogLine]:
        """The lines of the master(8) with one of these process ids.

        By process id, since before it has read its configuration it logs as ``postfix/master``,
        whatever ``syslog_name`` the instance has.
        """
        tags = [tag for tag in self.other if tag.endswith("/master")]
        return [line for tag in tags for line in self.other[tag] if line.pid in pids]

    def deaths(self, pids: range, tag: str) -> list[LogLine]:
        """The lines of smtpd deaths of a service before a client (:func:`is_of_service`)."""
        deaths = [death for death in self.died if is_of_service(death, pids, tag)]
        return [line for death in deaths for line in death.lines]

    def deaths_with_clients(self, pids: range, tag: str, since: float) -> list[LogLine]:
        """The lines of smtpd deaths of a service with a client since then.

        master(8) delays the next process after one that died with its first client, so that new
        clients wait meanwhile.
        """
        return [
            line
            for death in self.died
            if death.master in pids and death.program == "smtpd"
            if death.served and death.at >= since and death.tag in (tag, None)
            for line in death.lines
        ]

    def is_dying(self, tag: str) -> bool:
        """Whether a process with this tag logged a fatal error, and master has not reported it."""
        return any(line.tag == tag for lines in self._last_lines.values() for line in lines)

    def other_deaths(self, pids: range, since: float, but: str) -> list[LogLine]:
        """The lines of deaths in an instance since then, except those of one program."""
        return [
            line
            for death in self.died
            if death.master in pids and death.at >= since and death.program != but
            for line in death.lines
        ]

    def find_kill(self, pids: range) -> LogLine | None:
        """Master's line about a process of an instance that was ended from outside."""
        kills = (death for death in self.died if death.master in pids and death.is_kill)
        return next((death.lines[-1] for death in kills), None)

    def find_open(self, peer: str, since: float) -> SmtpSession | None:
        """The newest session of a ``peer``, opened since then, that is not closed yet."""
        sessions = [s for s in self._open.values() if s.peer == peer and s.opened >= since]
        return max(sessions, key=lambda session: session.opened, default=None)

    def _record_death(self, program: str, pid: int, line: LogLine, now: float) -> Events:
        """Record a death: the connection of the process, if it had one, gets no more lines."""
        lines = [
            earlier
            for (_, owner), outside in self._outside.items()
            if owner == pid
            for earlier in outside
        ]
        lines += [earlier for earlier in self._last_lines.pop(pid, []) if earlier not in lines]
        served = any(owner == pid for _, owner in self._preambles)
        death = Death(line.pid, program, pid, (*lines, line), served, now)
        self.died.append(death)
        key = next((key for key in self._open if key[1] == pid), None)
        closed = None
        if key is not None:
            closed = self._open.pop(key)
            closed.lines.append(line)
            closed.closed = True
        return Events(closed=closed, line=line, died=death)

    def _feed_smtpd(self, line: LogLine, now: float) -> SmtpSession | None:
        key = (line.tag, line.pid)
        peer = _PEER.match(line.text)
        if peer is not None and line.text.startswith("connect from"):
            preamble = self._preambles.setdefault(key, tuple(self._outside.get(key, ())))
            port = int(peer["port"]) if peer["port"] else None
            self._open[key] = SmtpSession(peer["address"], port, now, [line], preamble)
            return None
        session = self._open.get(key)
        if session is None:
            self._outside[key].append(line)
            return None
        session.lines.append(line)
        # After its fatal line a process logs nothing more.
        if peer is None and not line.text.startswith(_FATAL):
            return None
        session.closed = True
        return self._open.pop(key)


def is_of_service(death: Death, pids: range, tag: str) -> bool:
    """Whether a death may be the reason why a service accepts no client.

    Args:
        death: the death of any process.
        pids: the process ids of the instance's master.
        tag: the service's tag. A process that logged nothing may be any service's.
    """
    before_client = death.master in pids and death.program == "smtpd" and not death.served
    return before_client and death.tag in (tag, None)
