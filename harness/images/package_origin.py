"""The origin of a base image of any suite: package files where it has them, else as ``base`` says.

Package files come first because they are the same on each machine, while a registry's image brings
the updates of its day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import docker

from harness.catalog.builds import find_by_suite
from harness.catalog.package_files import PackageFile
from harness.docker_engine.cancel import Cancel
from harness.errors import InfrastructureError
from harness.images.base import Origin, find_origin
from harness.images.package_base import assemble_base


@dataclass(frozen=True, slots=True)
class FetchedFiles:
    """A suite's package files: their paths, or why they were not fetched."""

    paths: Mapping[PackageFile, Path]
    error: InfrastructureError | None = None


def choose_origin(
    client: docker.DockerClient,
    suite: str,
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
    files: FetchedFiles | None,
) -> Origin:
    """The suite's image: made from package files, else one that ``find_origin`` finds.

    ``files`` is None for a suite that has none.

    Raises:
        InfrastructureError: there is neither; the message has the reasons.
        Cancelled: the user cancelled the work.
    """
    if files is None:
        return find_origin(client, suite, temp_dir, cancel, say)
    known = find_by_suite(suite)
    family = known.family if known else "debian"
    try:
        if files.error:
            raise files.error
        assembled = assemble_base(client, family, suite, files.paths, temp_dir, cancel, say)
    except InfrastructureError as error:
        return _find_replacement(client, suite, temp_dir, cancel, say, error)
    return Origin(assembled.image, assembled.how)


def _find_replacement(
    client: docker.DockerClient,
    suite: str,
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
    error: InfrastructureError,
) -> Origin:
    """An image in the place of package files, which failed with this error."""
    first_line = error.what.partition("\n")[0]
    say(f"not from package files: {first_line}")
    try:
        origin = find_origin(client, suite, temp_dir, cancel, say)
    except InfrastructureError as other:
        other_lines = other.what.replace("\n", "\n  ")
        raise InfrastructureError(
            f"no base of {suite} from package files: {error.what}\n  nor an image: {other_lines}",
            cause=error.cause,
            next_step=f"{error.next_step}; or {other.next_step}",
        ) from error
    return replace(origin, how=f"{origin.how}; not from the pinned package files: {first_line}")
