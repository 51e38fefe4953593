"""The origin of a suite's base image: a registry that answers, else a bootstrap.

Many machines that run this harness reach no registry, so a pull often fails, and must fail fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from harness.catalog.builds import Distribution, find_by_suite
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.pulling import pull_error
from harness.errors import InfrastructureError
from harness.images import labels as names
from harness.images.bootstrap import NoBootstrapError, bootstrap

#: Seconds to reach the engine, and to wait for its next report of progress.
PULL_TIME_LIMITS = (5.0, 20.0)

_LOAD_IMAGE = (
    "load an image of that name: 'docker pull' and 'docker save' it where a registry is reached, "
    "'docker load' it here; its own package sources are used"
)


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


def find_origin(
    client: docker.DockerClient,
    suite: str,
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
) -> Origin:
    """The suite's image: pulled, else the local image of that name, else bootstrapped.

    Only suites of Debian and Ubuntu can be bootstrapped here.

    Raises:
        InfrastructureError: none of these is available; the message has both reasons.
        Cancelled: the user cancelled the work.
    """
    known = find_by_suite(suite) or Distribution(suite, suite)
    name = image_name(known)
    say(f"pulling {name}")
    registry_error = pull_error(client, name, cancel, PULL_TIME_LIMITS)
    try:
        attrs = client.images.get(name).attrs
    except ImageNotFound:
        if not known.can_be_bootstrapped:
            raise _no_registry_error(known, registry_error) from None
        say(f"bootstrapping {known.family.title()} {suite} (no registry: {registry_error})")
    except DockerException as error:
        raise InfrastructureError(f"the Docker engine does not answer: {error}") from error
    else:
        return _describe_origin(name, attrs, "local" if registry_error else "pulled", known)
    try:
        bootstrapped = bootstrap(client, known.family, suite, temp_dir, cancel, say)
    except NoBootstrapError as error:
        raise _unavailable_error(known, registry_error, error) from error
    return Origin(bootstrapped.image, bootstrapped.how)


def image_name(known: Distribution) -> str:
    """The name of its image in registries and in the engine: ``debian:bookworm-slim``."""
    if known.image:
        return known.image
    return f"{known.family}:{known.suite}{'-slim' if known.family == 'debian' else ''}"


def _describe_origin(name: str, attrs: dict[str, object], how: str, known: Distribution) -> Origin:
    """The origin that is an image of that name, from the engine's description of it."""
    image = str(attrs["Id"])
    digests = attrs.get("RepoDigests")
    digest = str(digests[0]).rpartition("@")[2] if isinstance(digests, list) and digests else ""
    description = f"{how} {name} {digest or image}"
    if known.archived:
        description += "; packages that have left the mirrors are of the distribution's archive"
        description += ", unverified if its keys have expired" if known.family == "debian" else ""
    # Without a digest the image is not from a registry, whatever its name is.
    return Origin(image, description, name, digest) if digest else Origin(image, description)


def _no_registry_error(known: Distribution, registry_error: str) -> InfrastructureError:
    """The error for a suite that only registries have. Summaries show its first line."""
    return InfrastructureError(
        f"no base image {image_name(known)}: no registry gave it, and {known.id} cannot be made "
        f"without one\n    registry: {registry_error or 'nothing was pulled'}",
        cause="only registries have its image, and only the distribution's own repositories have "
        "its packages; no registry is reached from here",
        next_step=f"run where both are reached, or {_LOAD_IMAGE}",
    )


def _unavailable_error(
    known: Distribution, registry_error: str, error: NoBootstrapError
) -> InfrastructureError:
    """The error for a suite that no registry and no mirror has. Summaries show its first line."""
    bootstrap_error, cause, next_step = "it could not be bootstrapped", error.cause, error.next_step
    if known.archived:
        bootstrap_error = f"{known.id} has left the ordinary mirrors"
        cause = (
            "only registries have its image, and only the distribution's archive has its packages; "
            "no registry is reached from here"
        )
        next_step = "run where both are reached"
    return InfrastructureError(
        f"no base image {image_name(known)}: no registry gave it, and {bootstrap_error}\n"
        f"    registry: {registry_error or 'nothing was pulled'}\n"
        f"    bootstrap: {error.what}",
        cause=cause,
        next_step=f"{next_step}, or {_LOAD_IMAGE}",
    )
