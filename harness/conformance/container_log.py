"""What a container's standard output must be by the image contract: syslog's lines, whole."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence

from harness.conformance.image_checks import (
    MESSAGE_SIZE,
    CheckFinding,
)
from harness.targets.mail_log import LogLine

#: What each line of a syslog daemon begins with, its own greeting and marks included.
_HEADER = re.compile(r"\w{3} [ \d]\d [\d:]{8} \S+ ")
_EXAMPLE = "'Nov 22 23:15:09 HOST mail.info TAG[PID]: TEXT'"
_SHOWN = 120
#: The tag of the messages that are sent.
TAG = "conformance"


class ContainerOutput:
    """The lines of a container's standard output so far; ``add`` is a stream's ``on_lines``."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._changed = threading.Condition()

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines so far."""
        with self._changed:
            return tuple(self._lines)

    def add(self, lines: list[str]) -> None:
        """Take lines in."""
        with self._changed:
            self._lines += lines
            self._changed.notify_all()

    def wait(self, done: Callable[[Sequence[str]], bool], time_limit: float) -> bool:
        """Wait until the lines are such, ``time_limit`` seconds at most; whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: done(self._lines), time_limit)


def long_message(mark: str) -> str:
    """A text that makes a packet of the size that must come out whole; the mark is at both ends.

    A packet at /dev/log is priority, date, tag and text (RFC 3164, section 4.1).
    """
    size = MESSAGE_SIZE - len(f"<22>Nov 22 23:15:09 {TAG}[1]: ")
    return f"{mark} {mark:->{size - len(mark) - 1}}"


def among(text: str, lines: Sequence[str]) -> str | None:
    """The first of the lines that has the text in it."""
    return next((line for line in lines if text in line), None)


def whole(text: str, lines: Sequence[str]) -> bool:
    """Whether one of the lines is a log line of exactly this text."""
    parsed = (LogLine.parse(line) for line in lines if text in line)
    return any(line is not None and line.text == text for line in parsed)


def judge_short(mark: str, lines: Sequence[str], time_limit: float, said: str) -> CheckFinding:
    """Whether a message that consists of the mark came, in a form that can be read.

    It was sent by postlog, which said that about it, and had ``time_limit`` seconds.
    """
    line = among(mark, lines)
    if line is None:
        advice = (
            "let the image's command be a syslog daemon that listens at /dev/log and writes to "
            "standard output, unbuffered: busybox syslogd -n -O -"
        )
        lost = f"a message of postlog's did not come out in {time_limit:g} s"
        return CheckFinding(f"{lost}; postlog said: {_cut(said)}" if said else lost, advice)
    parsed = LogLine.parse(line)
    if parsed is None or parsed.text != mark or not parsed.pid:
        return CheckFinding(f"it writes {_cut(line)!r}", f"have it write the form {_EXAMPLE}")
    return CheckFinding(_cut(line))


def judge_long(messages: Sequence[str], lines: Sequence[str]) -> CheckFinding:
    """Whether long messages came out, each whole and on a line of its own."""
    lost = [text for text in messages if not whole(text, lines)]
    if not lost:
        return CheckFinding(f"{len(messages)} of {len(messages)} did")
    line = among(lost[0].partition(" ")[0], lines)
    how = "it did not come out at all" if line is None else f"its line has {len(line)} bytes"
    return CheckFinding(
        f"of {len(messages)} messages of {MESSAGE_SIZE:,} bytes, {len(lost)} did not come out "
        f"whole; of the first of these, {how}",
        "give the syslog daemon a larger buffer, and let it write each line at one go; "
        "busybox needs FEATURE_SYSLOGD_READ_BUFFER_SIZE=1024 at least (Debian's has it)",
    )


def judge_quiet(lines: Sequence[str]) -> CheckFinding:
    """Whether all lines are a syslog daemon's."""
    noise = [line for line in lines if not _HEADER.match(line)]
    if not noise:
        return CheckFinding(f"{len(lines)} lines, all of them syslog's")
    return CheckFinding(
        f"{len(noise)} of {len(lines)} lines are none of syslog's, the first is {_cut(noise[0])!r}",
        "let the image's command, and what it starts, write everything else to standard error",
    )


def judge_smtpd(tag: str, lines: Sequence[str]) -> CheckFinding:
    """Whether the smtpd with this tag logged that a client connected."""
    line = connection(tag, lines)
    if line is not None:
        return CheckFinding(str(line))
    return CheckFinding(
        f"postlog's lines came out, but no 'connect from' of {tag}",
        "let the syslog daemon pass all messages of facility mail on, whatever their tag",
    )


def connection(tag: str, lines: Sequence[str]) -> LogLine | None:
    """The line by which that smtpd says that a client connected."""
    return next((one for one in _of(tag, lines) if one.text.startswith("connect from")), None)


def complaints(lines: Sequence[str]) -> list[str]:
    """What Postfix's processes warn of."""
    words = re.compile(r"(?:warning|error|fatal|panic): ")
    parsed = (LogLine.parse(line) for line in lines)
    return [f"{one.tag}: {one.text}" for one in parsed if one and words.match(one.text)]


def _of(tag: str, lines: Sequence[str]) -> list[LogLine]:
    parsed = (LogLine.parse(line) for line in lines)
    return [one for one in parsed if one is not None and one.tag == tag]


def _cut(line: str) -> str:
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
