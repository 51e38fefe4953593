"""Checks of a container's standard output by the image contract: whole lines of syslog."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence

from harness.conformance.image_checks import (
    MESSAGE_SIZE,
    CheckFinding,
)
from harness.targets.mail_log import LogLine

#: The header of each line of a syslog daemon, its own greeting and marks included.
_HEADER = re.compile(r"\w{3} [ \d]\d [\d:]{8} \S+ ")
_EXAMPLE = "'Nov 22 23:15:09 HOST mail.info TAG[PID]: TEXT'"
_SHOWN = 120
#: The tag of the messages that the checks send.
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
        """Append lines."""
        with self._changed:
            self._lines += lines
            self._changed.notify_all()

    def wait(self, done: Callable[[Sequence[str]], bool], time_limit: float) -> bool:
        """Wait until ``done``, at most ``time_limit`` seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: done(self._lines), time_limit)


def long_message(mark: str) -> str:
    """A text that fills a packet of the largest required size, with the mark at both ends.

    A packet at /dev/log is priority, date, tag and text (RFC 3164, section 4.1).
    """
    size = MESSAGE_SIZE - len(f"<22>Nov 22 23:15:09 {TAG}[1]: ")
    return f"{mark} {mark:->{size - len(mark) - 1}}"


def find_line(text: str, lines: Sequence[str]) -> str | None:
    """The first line that contains the text."""
    return next((line for line in lines if text in line), None)


def has_whole_line(text: str, lines: Sequence[str]) -> bool:
    """Whether one of the lines is a log line with exactly this text."""
    parsed = (LogLine.parse(line) for line in lines if text in line)
    return any(line is not None and line.text == text for line in parsed)


def judge_short(mark: str, lines: Sequence[str], time_limit: float, output: str) -> CheckFinding:
    """Whether a message that consists of the mark was logged, in a format that can be parsed.

    It was sent by postlog, whose output is given, and had ``time_limit`` seconds.
    """
    line = find_line(mark, lines)
    if line is None:
        advice = (
            "let the image's command be a syslog daemon that listens at /dev/log and writes to "
            "standard output, unbuffered: busybox syslogd -n -O -"
        )
        lost = f"a message of postlog did not come out in {time_limit:g} s"
        return CheckFinding(
            f"{lost}; postlog printed: {_shorten_line(output)}" if output else lost, advice
        )
    parsed = LogLine.parse(line)
    if parsed is None or parsed.text != mark or not parsed.pid:
        return CheckFinding(
            f"it writes {_shorten_line(line)!r}", f"have it write the form {_EXAMPLE}"
        )
    return CheckFinding(_shorten_line(line))


def judge_long(messages: Sequence[str], lines: Sequence[str]) -> CheckFinding:
    """Whether long messages were logged, each whole and on a line of its own."""
    lost = [text for text in messages if not has_whole_line(text, lines)]
    if not lost:
        return CheckFinding(f"{len(messages)} of {len(messages)} did")
    line = find_line(lost[0].partition(" ")[0], lines)
    how = "it did not come out at all" if line is None else f"its line has {len(line)} bytes"
    return CheckFinding(
        f"of {len(messages)} messages of {MESSAGE_SIZE:,} bytes, {len(lost)} did not come out "
        f"whole; of the first of these, {how}",
        "give the syslog daemon a larger buffer, and let it write each line at one go; "
        "busybox needs FEATURE_SYSLOGD_READ_BUFFER_SIZE=1024 at least (Debian's has it)",
    )


def judge_quiet(lines: Sequence[str]) -> CheckFinding:
    """Whether all lines are those of a syslog daemon."""
    noise = [line for line in lines if not _HEADER.match(line)]
    if not noise:
        return CheckFinding(f"{len(lines)} lines, all of them from syslog")
    return CheckFinding(
        f"{len(noise)} of {len(lines)} lines are not from syslog, "
        f"the first is {_shorten_line(noise[0])!r}",
        "let the image's command, and what it starts, write everything else to standard error",
    )


def judge_smtpd(tag: str, lines: Sequence[str]) -> CheckFinding:
    """Whether the smtpd with this tag logged that a client connected."""
    line = find_connection(tag, lines)
    if line is not None:
        return CheckFinding(str(line))
    return CheckFinding(
        f"postlog's lines came out, but no 'connect from' of {tag}",
        "let the syslog daemon pass all messages of facility mail on, whatever their tag",
    )


def find_connection(tag: str, lines: Sequence[str]) -> LogLine | None:
    """The line in which the smtpd with this tag logs that a client connected."""
    return next(
        (line for line in _lines_of(tag, lines) if line.text.startswith("connect from")), None
    )


def list_complaints(lines: Sequence[str]) -> list[str]:
    """The warnings and errors of Postfix's processes."""
    severities = re.compile(r"(?:warning|error|fatal|panic): ")
    parsed = (LogLine.parse(line) for line in lines)
    return [f"{line.tag}: {line.text}" for line in parsed if line and severities.match(line.text)]


def _lines_of(tag: str, lines: Sequence[str]) -> list[LogLine]:
    parsed = (LogLine.parse(line) for line in lines)
    return [line for line in parsed if line is not None and line.tag == tag]


def _shorten_line(line: str) -> str:
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
