"""The registry that images are pulled from and pushed to, and the lock file that pins its images.

All images are tags of one repository, ``HOST/NAME:debian-12-0123456789ab``: Docker Hub and others
allow no names below it, and permissions and visibility are a repository's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import FileError, FileLocation, UsageError, join_errors
from harness.files import replace_file
from harness.input_files import MOST_WRITTEN_BYTES, is_there, read_text_file

VARIABLE = "POSTFIX_MATRIX_REGISTRY"
LOCK_VARIABLE = "POSTFIX_MATRIX_REGISTRY_LOCK"

#: The grammar of references (github.com/distribution/reference), less a tag and a digest. Without
#: a dot, a port or "localhost", the engine takes the first part for a user of Docker Hub.
_HOST = (
    r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:)|\[[0-9a-fA-F:]+\])(?::\d+)?"
)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_HOST}(?:/{_PART})+")
_LOCKED = re.compile(r"(?P<tag>[a-z0-9][a-z0-9._-]*) +(?P<digest>sha256:[0-9a-f]{64})")
_LOCK_HEAD = (
    "# Images of {repository}: tag, and digest. Read by --registry-lock (docs/builds.md).\n"
)


@dataclass(frozen=True, slots=True)
class ImageRegistry:
    """A repository of a registry, such as ``ghcr.io/example/postfix-matrix``.

    ``digests`` are those of a lock file, by tag: with one, nothing else is pulled.
    """

    repository: str
    digests: Mapping[str, str] | None = None

    def make_tag(self, reference: str) -> str:
        """``debian-12-0123456789ab`` for our ``postfix-matrix/debian-12:0123456789ab``."""
        return reference.rpartition("/")[2].replace(":", "-")

    def find_source(self, reference: str) -> str:
        """What to pull for an image of ours; "" if the lock file does not have it."""
        tag = self.make_tag(reference)
        if self.digests is None:
            return f"{self.repository}:{tag}"
        digest = self.digests.get(tag)
        return f"{self.repository}@{digest}" if digest else ""


def parse_registry(repository: str | None, lock: Path | None = None) -> ImageRegistry | None:
    """The registry that an option or a variable names; None if none does.

    Raises:
        UsageError: it is not ``HOST/NAME``, or a lock file is given without it.
        FileError: the lock file is wrong.
    """
    if not repository:
        if lock is not None:
            raise UsageError(
                f"--registry-lock {lock} pins images of a registry, and none is named",
                next_step=f"name it with --registry HOST/NAME, or in {VARIABLE}",
            )
        return None
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(
            f"--registry {repository} is not a repository of a registry",
            cause="HOST/NAME has no scheme, no capitals in NAME, no tag; HOST has a dot or a port",
            next_step="write it such as ghcr.io/example/postfix-matrix, docker.io/example/images, "
            "or 127.0.0.1:5000/images",
        )
    return ImageRegistry(repository, read_lock(lock) if lock else None)


def read_lock(path: Path) -> dict[str, str]:
    """The digests of a lock file by tag: ``TAG sha256:…`` on each line; # begins a comment.

    Raises:
        FileError: the file cannot be read, or a line is not of that form.
    """
    step = "'postfix-matrix images push --lock FILE' writes one"
    lines = read_text_file(path, most=MOST_WRITTEN_BYTES, next_step=step).splitlines()
    digests: dict[str, str] = {}
    errors: list[FileError] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if (match := _LOCKED.fullmatch(text)) is None:
            place = FileLocation(path, number)
            errors.append(FileError(place, "no pinned image", expected="TAG sha256:64 HEX DIGITS"))
        elif digests.setdefault(match["tag"], match["digest"]) != match["digest"]:
            place = FileLocation(path, number, match["tag"])
            errors.append(FileError(place, "has another digest above", expected="each tag once"))
    if errors:
        raise join_errors(errors, "the lock file has", next_step=step)
    return digests


def read_prior_lock(path: Path, repository: str) -> dict[str, str]:
    """The digests of a lock file that is about to be changed; {} where there is none yet.

    Raises:
        FileError: the file cannot be read, or a line is wrong.
        UsageError: it is the lock file of another repository.
    """
    if not is_there(path):
        return {}
    digests = read_lock(path)
    head = _LOCK_HEAD.format(repository=repository)
    first = path.read_text("utf-8").partition("\n")[0] + "\n"
    if first.startswith(_LOCK_HEAD.partition("{")[0]) and first != head:
        raise UsageError(
            f"the lock file {path} is of another repository than {repository}",
            cause=f"its first line is {first.strip()!r}",
            next_step="name another file with --lock, or remove this one",
        )
    return digests


def merge_locks(before: Mapping[str, str], pushed: Mapping[str, str]) -> dict[str, str]:
    """The digests of a lock file after a push, by tag.

    An image that was pushed replaces what the file had of that image; others stay.
    """
    images = {tag.rpartition("-")[0] for tag in pushed}
    kept = {tag: d for tag, d in before.items() if tag.rpartition("-")[0] not in images}
    return {**kept, **pushed}


def write_lock(path: Path, repository: str, digests: Mapping[str, str]) -> None:
    """Write a lock file with these digests, by tag.

    Raises:
        UsageError: it cannot be written.
    """
    lines = [f"{tag} {digest}\n" for tag, digest in sorted(digests.items())]
    try:
        replace_file(path, _LOCK_HEAD.format(repository=repository) + "".join(lines), mode=0o644)
    except OSError as error:
        raise UsageError(
            f"the lock file {path} cannot be written: {error.strerror}",
            next_step="name a file in a folder that exists and is yours",
        ) from error
