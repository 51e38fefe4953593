"""References to an instance's own listeners on this machine: content filters and their like. Pure.

Every inet entry of a candidate gets a port of the instance's own (``postfix_config.ports``). A
setting that names such an entry's port (``content_filter = smtp-amavis:[127.0.0.1]:10024``;
FILTER_README) would lead to a port where nothing listens, so it follows the entry. So does
master_service_disable, which has entries' names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from harness.postfix_config.logical_lines import split_chunks
from harness.postfix_config.main_cf import read_setting
from harness.postfix_config.ports import Rewrite


def follow_ports(text: str, rewrites: Iterable[Rewrite]) -> tuple[str, tuple[str, ...]]:
    """The text of main.cf or master.cf with its references following, and what was changed."""
    moved = {_port(one.before): _port(one.after) for one in rewrites}
    numbered = {before: after for before, after in moved.items() if before.isdigit()}
    if not numbered:
        return text, ()
    reference = re.compile(rf"(\[?(?:127\.0\.0\.1|localhost)\]?):({'|'.join(numbered)})(?![\w.])")
    changes: list[str] = []

    def follow(found: re.Match[str]) -> str:
        now = f"{found[1]}:{numbered[found[2]]}"
        changes.append(f"{found[0]} → {now}")
        return now

    lines = [
        line if line.lstrip().startswith("#") or _is_listener(line) else reference.sub(follow, line)
        for line in text.splitlines(keepends=True)
    ]
    return "".join(lines), tuple(dict.fromkeys(changes))


def follow_disabled(main_cf: str, rewrites: Iterable[Rewrite]) -> tuple[str, tuple[str, ...]]:
    """main.cf with the services that master_service_disable names by their entries' new names.

    ``submission/inet``, or ``submission.inet`` before 2.11: else master(8) would start a service
    that the configuration switches off.
    """
    now = {one.before: one.after for one in rewrites}
    names = "|".join(map(re.escape, sorted(now, key=len, reverse=True)))
    pattern = re.compile(rf"(?<![^\s,=!])({names})([./]inet)(?![^\s,])")
    changes: list[str] = []

    def follow(found: re.Match[str]) -> str:
        changes.append(f"{found[0]} → {now[found[1]]}{found[2]}")
        return f"{now[found[1]]}{found[2]}"

    texts = [
        pattern.sub(follow, chunk.text)
        if now and chunk.logical and read_setting(chunk.text, 1).name == "master_service_disable"
        else chunk.text
        for chunk in split_chunks(main_cf, Path("main.cf"))
    ]
    return "".join(texts), tuple(dict.fromkeys(changes))


def _port(name: str) -> str:
    return name.rpartition(":")[2].lstrip("0")


def _is_listener(line: str) -> bool:
    """Whether a line of master.cf begins an inet entry: its port is its own already."""
    return re.match(r"\S+\s+inet\s", line) is not None
