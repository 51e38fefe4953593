"""A candidate of no scenario folder: files, or lines as somebody wrote them. Pure.

What a line is shows in the line: ``name = value`` is main.cf's, eight fields of which the second is
a type are an entry of master.cf's, and ``-o name=value`` is an option of the entry before it, or of
the service that is named beside.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.config.claims import Claims
from harness.config.logical import chunks, ended
from harness.config.maincf import parse_main_cf
from harness.config.mastercf import parse_master_cf
from harness.config.overlay import Overlay
from harness.config.scenario import Scenario
from harness.errors import FileError, Place
from harness.tls import Service

_ENTRY = re.compile(r"\S+\s+(?:inet|unix|fifo|pass|unix-dgram)\s")
_OPTION = re.compile(r"\s*-o\s*\S")
_SETTING = re.compile(r"[A-Za-z0-9_]+[ \t]*=")
_COMMAND = "n - - - - smtpd"


def read_candidate(
    texts: dict[Path, str], service: Service | None, claims: Claims | None = None
) -> Scenario:
    """Put a candidate together.

    Args:
        texts: each file's text by its path, for messages; ``-`` for standard input.
        service: whose options lines that begin with -o are, where no entry stands before them.
        claims: what is expected of it.

    Raises:
        FileError: a line that is nothing of Postfix's, or options of nobody.
    """
    main: list[str] = []
    master: list[str] = []
    options: list[str] = []
    for path, text in texts.items():
        for kind, part, line in _parts(text, path):
            if kind == "option" and service is None:
                raise FileError(
                    Place(path, line),
                    "-o options stand under no entry",
                    expected="an entry of master.cf before them, or --service beside them",
                )
            {"main": main, "master": master, "option": options}[kind].append(ended(part))
    if options and service is not None:
        name = "submissions" if service is Service.SUBMISSIONS else str(service)
        head = f"{name} inet {_COMMAND}\n"
        master.append(head + "".join(f"  {text.strip()}\n" for text in options))
    scenario = Scenario(
        id="candidate",
        title="the candidate",
        source=", ".join("standard input" if str(p) == "-" else str(p) for p in texts),
        claim="",
        main_cf="".join(main),
        master_cf="".join(master),
        overlay=Overlay.MERGE if options else Overlay.REPLACE,
        claims=claims or Claims(),
    )
    parse_main_cf(scenario.main_cf)
    parse_master_cf(scenario.master_cf)
    return scenario


def _parts(text: str, path: Path) -> list[tuple[str, str, int]]:
    """Logical lines as (kind, text, line): "main", "master" or "option"."""
    lines = text.split("\n")
    # Options that come first, however they are indented, continue no line: they are on their own.
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    loose = first
    while loose < len(lines) and (not lines[loose].strip() or _OPTION.match(lines[loose])):
        loose += 1
    found = [("option", line, n + 1) for n, line in enumerate(lines[:loose]) if _OPTION.match(line)]
    rest = "\n" * loose + "\n".join(lines[loose:])
    for chunk in chunks(rest, path):
        if chunk.logical:
            found.append((_kind(chunk.text, path, chunk.line), chunk.text, chunk.line))
    return found


def _kind(text: str, path: Path, line: int) -> str:
    if _OPTION.match(text):
        return "option"
    if _ENTRY.match(text):
        return "master"
    if _SETTING.match(text):
        return "main"
    raise FileError(
        Place(path, line),
        f"{text.split(chr(10))[0]!r} is no line of main.cf or master.cf",
        expected='"name = value", an entry such as "submission inet n - - - - smtpd", or -o lines',
    )
