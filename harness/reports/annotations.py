"""Findings beside the lines of the user's files: GitHub's annotations, GitLab's code quality.

Sources: "Workflow commands for GitHub Actions" (docs.github.com) and the escaping of npm's
@actions/core, which a test compares with; "Code Quality" (docs.gitlab.com, "Code Quality report
format").
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.errors import FileLocation
from harness.plain_text import escape_controls

#: GitHub shows so many annotations of each level per step, and drops the rest without a remark.
MOST_PER_LEVEL = 10
#: Characters of one message; GitHub takes 64 KB.
_LONGEST_MESSAGE = 4000


class AnnotationLevel(StrEnum):
    """How much it matters, in GitHub's terms. An error is what makes the exit code 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


#: The same in GitLab's terms.
_SEVERITIES = {
    AnnotationLevel.ERROR: "major",
    AnnotationLevel.WARNING: "minor",
    AnnotationLevel.NOTICE: "info",
}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One finding. ``title`` is a few words, ``message`` has lines; ``place`` None: no file."""

    level: AnnotationLevel
    title: str
    message: str
    place: FileLocation | None = None


def github_commands(annotations: Sequence[Annotation], root: Path) -> list[str]:
    """The workflow commands that make GitHub show these, at most ten of a level.

    ``root`` is the checkout, to which GitHub's paths are relative. Of more, the tenth counts those
    that are left out.
    """
    commands = []
    for level in AnnotationLevel:
        of_level = [annotation for annotation in annotations if annotation.level is level]
        if len(of_level) > MOST_PER_LEVEL:
            left = len(of_level) - MOST_PER_LEVEL + 1
            text = f"{left} more findings are in the log and in the summary of this step"
            of_level[MOST_PER_LEVEL - 1 :] = [Annotation(level, "postfix-matrix", text)]
        commands += [github_command(annotation, root) for annotation in of_level]
    return commands


def github_command(annotation: Annotation, root: Path) -> str:
    """``::error title=…,file=main.cf,line=14::message``, as @actions/core writes it."""
    properties = {"title": annotation.title}
    if annotation.place is not None:
        properties["file"] = relative_path(annotation.place.file, root)
        if annotation.place.line is not None:
            properties["line"] = str(annotation.place.line)
    listed = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
    return f"::{annotation.level} {listed}::{_escape_data(_shorten_message(annotation.message))}"


def code_quality(annotations: Iterable[Annotation], root: Path) -> list[dict[str, Any]]:
    """GitLab's code quality report; it needs a path and a line, so what has none is on line 1."""
    return [_quality_record(annotation, root) for annotation in annotations]


def relative_path(path: Path, root: Path) -> str:
    """A path as it is in the checkout at ``root``; one outside of it as it is."""
    absolute, top = path.resolve(), root.resolve()
    return absolute.relative_to(top).as_posix() if absolute.is_relative_to(top) else str(path)


def fit_sections(sections: Sequence[str], most: int, noun: str) -> str:
    """Sections of Markdown, with a blank line between, as many of them as ``most`` bytes hold.

    The last line says how many ``noun`` are left out. The first section is always there.
    """
    note = "\n\n{} more {} left out of this summary: it has a limit.\n"
    room = most - len(note.encode()) - len(noun.encode()) - 10
    kept: list[str] = []
    for section in sections:
        room -= len(section.encode()) + 2
        if room < 0 and kept:
            break
        kept.append(section)
    left = len(sections) - len(kept)
    return "\n\n".join(kept) + (note.format(left, noun) if left else "\n")


def _quality_record(annotation: Annotation, root: Path) -> dict[str, Any]:
    place = annotation.place or FileLocation(Path("main.cf"))
    path = relative_path(place.file, root)
    description = " ".join(_shorten_message(annotation.message).split())
    identity = "\n".join((annotation.title, path, description))
    return {
        "description": description,
        "check_name": annotation.title,
        "fingerprint": hashlib.sha256(identity.encode()).hexdigest(),
        "severity": _SEVERITIES[annotation.level],
        "location": {"path": path, "lines": {"begin": place.line or 1}},
    }


def _shorten_message(message: str) -> str:
    text = "\n".join(_clean_lines(message))
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} …"


def _clean_lines(message: str) -> Iterator[str]:
    return (escape_controls(line) for line in message.replace("\r\n", "\n").split("\n"))


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(escape_controls(text)).replace(":", "%3A").replace(",", "%2C")
