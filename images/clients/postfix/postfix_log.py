"""What Postfix logs of a message that it sends; nothing is run here."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from common.contract import Reply
from common.mailer import Report, find_refusal

# "<22>Nov 26 22:50:01 postfix/smtp[123]: ...": the priority and time are syslog(3)'s.
_LINE = re.compile(
    r"^(?:<\d+>)?(?:\w{3} [ \d]\d [\d:]{8} )?(?P<tag>[^\s\[]+)\[(?P<pid>\d+)\]: (?P<text>.*)$", re.S
)
_MESSAGE = re.compile(r"^(?P<queue>\w+): message-id=(?P<id><.*>)$")
# "6B1: to=<a@b>, relay=mx.test[127.0.0.1]:3, delay=..., dsn=2.0.0, status=sent (250 2.0.0 Ok: ...)"
_STATUS = re.compile(r"^(?P<queue>\w+): to=<.*status=(?P<status>\w+) \((?P<words>.*)\)$", re.S)
#: The line of a handshake that was granted.
ESTABLISHED = re.compile(
    r"TLS connection established to \S+: (?P<protocol>\S+) with cipher (?P<cipher>\S+)"
    r" \((?P<bits>\d+)/\d+ bits\)(?: key-exchange (?P<exchange>\S+)(?: \((?P<curve>[^)]+)\))?)?"
)


@dataclass
class Log:
    """Takes syslog's lines; tells what came of a message by its Message-ID."""

    _queued: dict[str, str] = field(default_factory=dict)
    _ended: dict[str, Report] = field(default_factory=dict)
    _lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def feed(self, line: str) -> str | None:
        """Take a line; the Message-ID of the message that it ends, None where it ends none."""
        match = _LINE.match(line.strip())
        if match is None:
            return None
        text, process = match["text"], f"{match['tag']}[{match['pid']}]"
        if message := _MESSAGE.match(text):
            self._queued[message["queue"]] = message["id"]
            return None
        self._lines[process].append(text)
        status = _STATUS.match(text)
        if status is None:
            return None
        lines = self._lines.pop(process)
        message_id = self._queued.pop(status["queue"], None)
        if message_id is not None:
            self._ended[message_id] = read_delivery(status["status"], status["words"], lines)
        return message_id

    def take_report(self, message: str) -> Report | None:
        """What came of a message, once."""
        return self._ended.pop(message, None)


def read_delivery(status: str, text: str, lines: list[str]) -> Report:
    """What smtp(8) says of a delivery: its status line, and the lines of its process before it."""
    sent = status == "sent"
    if not sent:
        return Report(False, "\n".join([text, *_find_troubles(lines)]), find_refusal(text))
    return read_handshake(lines, _read_reply(text))


def read_handshake(lines: list[str], reply: Reply | None = None) -> Report:
    """A success, with what the lines tell of its TLS; the last handshake's."""
    view = next((m for line in reversed(lines) if (m := ESTABLISHED.search(line))), None)
    if view is None:
        return Report(True, reply=reply)
    return Report(
        sent=True,
        reply=reply,
        protocol=view["protocol"],
        cipher=view["cipher"],
        bits=int(view["bits"]),
        group=view["curve"] or view["exchange"],
    )


def _read_reply(text: str) -> Reply | None:
    match = re.match(r"(\d{3}) (.*)", text, re.S)
    return Reply(int(match[1]), match[2]) if match else None


def _find_troubles(lines: list[str]) -> list[str]:
    """The lines that a library or Postfix complains in."""
    troubles = re.compile(r"TLS library problem|SSL_connect error|warning:")
    return [line for line in lines if troubles.search(line)]
