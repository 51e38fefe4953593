"""What Postfix's own tools print about a configuration, each line with its place in the file."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from harness.postfix_config.main_cf import parse_main_cf
from harness.tools.result import Complaint

#: A line of postconf(1), or of a program that logs to standard error: "postconf: warning: TEXT".
_PREFIX = re.compile(r"^(?:\S+/)?(?:postconf|postfix(?:/[\w-]+)*|postmap|postsuper)(?:\[\d+\])?: ")
_LOGGED = re.compile(r"\b(?:warning|error|fatal|panic): ")
_WITH_LINE = re.compile(r"(/\S+/(?:main|master)\.cf),? line (\d+)")
_WITH_FILE = re.compile(r"(/\S+/(?:main|master)\.cf)\b")
_SETTING = re.compile(r": (?:unused parameter|unknown parameter)?:? ?([A-Za-z0-9_]+)\s*=")
#: What is only said of a container, or of the base's own files.
_OF_CONTAINER = re.compile(r"no \S+ found in|not owned by|is not running")


def read_complaints(output: str, main_cf: str = "") -> tuple[Complaint, ...]:
    """The complaints in what postconf(1) and ``postfix check`` print.

    Args:
        output: both streams of the commands, and what they logged.
        main_cf: the text of main.cf, to find the lines of settings by name.
    """
    return tuple(dict.fromkeys(_find_complaints(output, main_cf)))


def _find_complaints(output: str, main_cf: str) -> Iterator[Complaint]:
    lines = {setting.name: setting.line for setting in parse_main_cf(main_cf).settings}
    for line in output.splitlines():
        if not _LOGGED.search(line) or _OF_CONTAINER.search(line):
            continue
        text = _LOGGED.split(_PREFIX.sub("", line), maxsplit=1)[-1].strip()
        if match := _WITH_LINE.search(text):
            yield Complaint(text, posixpath.basename(match[1]), int(match[2]))
            continue
        file = _WITH_FILE.search(text)
        setting = _SETTING.search(text)
        number = lines.get(setting[1]) if setting else None
        name = posixpath.basename(file[1]) if file else ("main.cf" if number else "")
        yield Complaint(text, name, number)
