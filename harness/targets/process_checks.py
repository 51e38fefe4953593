"""Whether the processes of a container run that a result rests on, by their states in /proc."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: One line of /proc/PID/stat: the id, the name of the program, and its state (proc(5)).
_STAT = re.compile(r"^(?P<pid>\d+) \((?P<name>.*)\) (?P<state>\S)", re.MULTILINE)
#: Stopped, traced, and ended.
_STANDS_STILL = frozenset("TtZX")


def states_script() -> str:
    """The script that prints the states of all processes; one may end meanwhile."""
    return "cat /proc/[0-9]*/stat 2>/dev/null || true"


def find_missing(states: str, names: Mapping[str, int | None]) -> str:
    """The first of these programs that does not run; "": all do.

    ``names`` are those of programs, with the process id if it must be this one; without it, one
    process must run and none may stand still.
    """
    processes = [(int(m["pid"]), m["name"], m["state"]) for m in _STAT.finditer(states)]
    for name, pid in names.items():
        alike = [
            state for number, known, state in processes if known == name and pid in (number, None)
        ]
        if not alike or _STANDS_STILL & set(alike) - ({"Z"} if pid is None else set()):
            return name
    return ""
