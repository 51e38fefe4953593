"""The origin of a suite's base image: pinned package files, a registry's image, or a bootstrap.

Package files, where the catalog has them, come first: they are the same on each machine, while a
registry's image brings the updates of the day. Many machines that run this harness reach no
registry, so a pull often fails, and must fail fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from harness.catalog.builds import Distribution
from harness.catalog.package_files import PackageFile, find_distribution
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.pulling import pull_error
from harness.errors import InfrastructureError
from harness.images import labels as names
from harness.images.bootstrap import NoBootstrapError, bootstrap
from harness.images.package_base import assemble_base

#: Seconds to reach the engine, and to wait for its next report of progress.
PULL_TIME_LIMITS = (5.0, 20.0)


@dataclass(frozen=True, slots=True)
class Origin:
    """An image that a suite's base starts from: the argument of FROM, and how it was obtained.

    ``name`` and ``digest`` are those of the image in its registry, "" if it is from none.
    """

    image: str
    how: str
    name: str = ""
    digest: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """The base image's labels about it: ours, and the Open Container Initiative's."""
        known = {names.OCI_BASE_NAME: self.name, names.OCI_BASE_DIGEST: self.digest}
        return {names.ORIGIN: self.how} | {key: value for key, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class FetchedFiles:
    """A suite's package files: their paths, or why they were not fetched."""

    paths: Mapping[PackageFile, Path]
    error: InfrastructureError | None = None


def find_origin(
    client: docker.DockerClient,
    suite: str,
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
    files: FetchedFiles | None = None,
) -> Origin:
    """The suite's image: from package files, pulled, the local image of its name, or bootstrapped.

    ``files`` is None for a suite that is not made from package files.

    Raises:
        InfrastructureError: none of these is available; the message has the reasons.
        Cancelled: the user cancelled the work.
    """
    known = find_distribution(suite)
    family = known.family if known else "debian"
    if files is None:
        return _find_outside(client, family, suite, temp_dir, cancel, say)
    try:
        if files.error:
            raise files.error
        assembled = assemble_base(client, family, suite, files.paths, temp_dir, cancel, say)
    except InfrastructureError as error:
        return _find_instead(client, image_name(family, suite), cancel, say, error, known)
    return Origin(assembled.image, assembled.how)


def _find_outside(
    client: docker.DockerClient,
    family: str,
    suite: str,
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
) -> Origin:
    """The suite's image: pulled, else the local image of that name, else bootstrapped."""
    known, name = find_distribution(suite), image_name(family, suite)
    registry_error, origin = _find_image(client, name, cancel, say, known)
    if origin:
        return origin
    say(f"bootstrapping {family.title()} {suite} (no registry: {registry_error})")
    try:
        bootstrapped = bootstrap(client, family, suite, temp_dir, cancel, say)
    except NoBootstrapError as error:
        raise _unavailable_error(name, registry_error, error, known) from error
    return Origin(bootstrapped.image, bootstrapped.how)


def _find_instead(
    client: docker.DockerClient,
    name: str,
    cancel: Cancel,
    say: Callable[[str], None],
    error: InfrastructureError,
    known: Distribution | None,
) -> Origin:
    """The image of that name in place of package files, which failed with this error."""
    first_line = error.what.partition("\n")[0]
    say(f"no package files ({first_line}): trying an image")
    registry_error, origin = _find_image(client, name, cancel, say, known)
    if origin is None:
        raise _unavailable_error(name, registry_error, error, known) from error
    return replace(origin, how=f"{origin.how}; not from the pinned package files: {first_line}")


def _find_image(
    client: docker.DockerClient,
    name: str,
    cancel: Cancel,
    say: Callable[[str], None],
    known: Distribution | None,
) -> tuple[str, Origin | None]:
    """Why no registry gave the image ("" if one did), and the origin that is the image."""
    say(f"pulling {name}")
    registry_error = pull_error(client, name, cancel, PULL_TIME_LIMITS)
    try:
        attrs = client.images.get(name).attrs
    except ImageNotFound:
        return registry_error, None
    except DockerException as error:
        raise InfrastructureError(f"the Docker engine does not answer: {error}") from error
    how = "local" if registry_error else "pulled"
    return registry_error, _describe_origin(name, attrs, how, known)


def image_name(family: str, suite: str) -> str:
    """The name of a suite's image in registries and in the engine: ``debian:bookworm-slim``."""
    return f"{family}:{suite}-slim" if family == "debian" else f"{family}:{suite}"


def _describe_origin(
    name: str, attrs: dict[str, object], how: str, known: Distribution | None
) -> Origin:
    """The origin that is an image of that name, from the engine's description of it."""
    image = str(attrs["Id"])
    digests = attrs.get("RepoDigests")
    digest = str(digests[0]).rpartition("@")[2] if isinstance(digests, list) and digests else ""
    description = f"{how} {name} {digest or image}"
    if known and known.archived:
        description += "; packages that have left the mirrors are of the distribution's archive"
        description += ", unverified if its keys have expired" if known.family == "debian" else ""
    # Without a digest the image is not from a registry, whatever its name is.
    return Origin(image, description, name, digest) if digest else Origin(image, description)


def _unavailable_error(
    name: str, registry_error: str, error: InfrastructureError, known: Distribution | None
) -> InfrastructureError:
    """The error for a suite that no registry and no mirror has. Summaries show its first line."""
    bootstrap_error, cause, next_step = "it could not be bootstrapped", error.cause, error.next_step
    from_files = bool(known and known.files)
    if known and from_files:
        bootstrap_error = f"{known.id} could not be made from its package files"
    elif known and known.archived:
        bootstrap_error = f"{known.id} has left the ordinary mirrors"
        cause = (
            "only registries have its image, and only the distribution's archive has its packages; "
            "no registry is reached from here"
        )
        next_step = "run where both are reached"
    return InfrastructureError(
        f"no base image {name}: no registry gave it, and {bootstrap_error}\n"
        f"    registry: {registry_error or 'nothing was pulled'}\n"
        f"    {'package files' if from_files else 'bootstrap'}: {error.what}",
        cause=cause,
        next_step=f"{next_step}, or load an image of that name: 'docker pull' and 'docker save' it "
        "where a registry is reached, 'docker load' it here; its own package sources are used",
    )
