"""``--format github`` and ``gitlab``: findings beside the lines of the user's files.

For GitHub the result is printed as text, then the annotations, and the Markdown report goes to the
page of the job. For GitLab standard output is the code quality report alone.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from harness.cli.printing import print_json, print_text
from harness.errors import FileError, HarnessError, InfrastructureError
from harness.reports.annotations import (
    Annotation,
    AnnotationLevel,
    code_quality,
    github_command,
    github_commands,
)
from harness.reports.step_summary import MOST_BYTES

GITHUB, GITLAB = "github", "gitlab"
CI_FORMS = (GITHUB, GITLAB)
#: GitHub's variable that names the file of the step's summary.
_SUMMARY = "GITHUB_STEP_SUMMARY"


def as_text(form: str) -> AbstractContextManager[None]:
    """What is printed inside is text in every form, to GitHub too."""
    return without_commands() if form == GITHUB else nullcontext()


@contextmanager
def without_commands() -> Iterator[None]:
    """What is printed inside is text to GitHub, whatever a server or a log line has in it.

    ("Stopping and starting workflow commands", docs.github.com: the token must not be guessed.)
    """
    token = secrets.token_hex(16)
    print_text(f"::stop-commands::{token}")
    try:
        yield
    finally:
        print_text(f"::{token}::")


def print_annotations(
    annotations: Sequence[Annotation], form: str, summary: Callable[[int], str]
) -> None:
    """Print the findings for a CI; for GitHub, ``summary(most_bytes)`` is the job's page."""
    root = checkout_root()
    if form == GITLAB:
        print_json(code_quality(annotations, root))
        return
    for command in github_commands(annotations, root):
        print_text(command)
    write_step_summary(summary)


def write_step_summary(summary: Callable[[int], str]) -> None:
    """Append a summary to the step's, as far as GitHub takes it; nothing outside of GitHub.

    Raises:
        InfrastructureError: the file that GitHub names cannot be written.
    """
    name = os.environ.get(_SUMMARY)
    if not name:
        return
    path = Path(name)
    try:
        written = path.stat().st_size if path.exists() else 0
        text = summary(MOST_BYTES - written - 1)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text + "\n")
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {path}, which {_SUMMARY} names: {error.strerror}",
            next_step=f"unset {_SUMMARY}, or make the file writable",
        ) from error


def checkout_root() -> Path:
    """The folder that a CI's paths are relative to: GitHub's, GitLab's, else the current one."""
    named = os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR")
    return Path(named) if named else Path.cwd()


def print_error(error: HarnessError) -> None:
    """Print an error that ended a command with ``--format github`` as an annotation too."""
    for annotation in _annotate_error(error):
        print_text(github_command(annotation, checkout_root()))


def _annotate_error(error: HarnessError) -> Iterable[Annotation]:
    """One per error of a file, with its place."""
    errors: Iterable[HarnessError] = getattr(error, "errors", None) or (error,)
    for each in errors:
        place = each.place if isinstance(each, FileError) else None
        yield Annotation(AnnotationLevel.ERROR, "postfix-matrix", str(each), place)
