"""References to the listeners of the same instance, such as those to content filters.

Every inet entry of a candidate gets a new port (``postfix_config.ports``). A setting that names
such an entry's port (``content_filter = smtp-amavis:[127.0.0.1]:10024``; FILTER_README) would
refer to a port where nothing listens, so it is rewritten with the entry. So is
master_service_disable, which has the names of entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from harness.postfix_config.logical_lines import split_chunks
from harness.postfix_config.main_cf import read_setting
from harness.postfix_config.ports import Rewrite


def follow_ports(text: str, rewrites: Iterable[Rewrite]) -> tuple[str, tuple[str, ...]]:
    """The text of main.cf or master.cf with its references rewritten, and what was changed."""
    moved = {_port_of(rewrite.before): _port_of(rewrite.after) for rewrite in rewrites}
    numbered = {before: after for before, after in moved.items() if before.isdigit()}
    if not numbered:
        return text, ()
    reference = re.compile(rf"(\[?(?:127\.0\.0\.1|localhost)\]?):({'|'.join(numbered)})(?![\w.])")
    changes: list[str] = []

    def replace_match(match: re.Match[str]) -> str:
        after = f"{match[1]}:{numbered[match[2]]}"
        changes.append(f"{match[0]} → {after}")
        return after

    lines = [
        line
        if line.lstrip().startswith("#") or _is_listener(line)
        else reference.sub(replace_match, line)
        for line in text.splitlines(keepends=True)
    ]
    return "".join(lines), tuple(dict.fromkeys(changes))


def follow_disabled(main_cf: str, rewrites: Iterable[Rewrite]) -> tuple[str, tuple[str, ...]]:
    """main.cf with the entries' new names in master_service_disable, and what was changed.

    They have the form ``submission/inet``, before 2.11 ``submission.inet``. With the old names
    master(8) would start a service that the configuration disables.
    """
    new_names = {rewrite.before: rewrite.after for rewrite in rewrites}
    names = "|".join(map(re.escape, sorted(new_names, key=len, reverse=True)))
    pattern = re.compile(rf"(?<![^\s,=!])({names})([./]inet)(?![^\s,])")
    changes: list[str] = []

    def replace_match(match: re.Match[str]) -> str:
        changes.append(f"{match[0]} → {new_names[match[1]]}{match[2]}")
        return f"{new_names[match[1]]}{match[2]}"

    texts = [
        pattern.sub(replace_match, chunk.text)
        if new_names
        and chunk.logical
        and read_setting(chunk.text, 1).name == "master_service_disable"
        else chunk.text
        for chunk in split_chunks(main_cf, Path("main.cf"))
    ]
    return "".join(texts), tuple(dict.fromkeys(changes))


def _port_of(name: str) -> str:
    return name.rpartition(":")[2].lstrip("0")


def _is_listener(line: str) -> bool:
    """Whether a line of master.cf begins an inet entry: its port is already rewritten."""
    return re.match(r"\S+\s+inet\s", line) is not None
