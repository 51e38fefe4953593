"""Where a suite's base image comes from: a registry that answers, else a bootstrap.

Many machines that run this reach no registry, so a pull that fails is normal and quick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from harness.catalog.builds import Distribution, distributions
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.pulling import pull_error
from harness.errors import InfrastructureError
from harness.images import labels as names
from harness.images.bootstrap import NoBootstrapError, bootstrap

#: Seconds to reach the engine, and without a word of progress from it.
PULL_TIME_LIMITS = (5.0, 20.0)


@dataclass(frozen=True, slots=True)
class Origin:
    """An image to start a suite from: what FROM takes, and how it was had, in words.

    ``name`` and ``digest`` are the image's in the registry that gave it, "" where none did.
    """

    image: str
    how: str
    name: str = ""
    digest: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """What the base image says of it, in our words and the Open Container Initiative's."""
        known = {names.OCI_BASE_NAME: self.name, names.OCI_BASE_DIGEST: self.digest}
        return {names.ORIGIN: self.how} | {key: value for key, value in known.items() if value}


def origin(
    client: docker.DockerClient,
    suite: str,
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
) -> Origin:
    """The suite's image: pulled, else the local one of that name, else bootstrapped.

    Raises:
        InfrastructureError: none of these; the message has both reasons.
        Cancelled: the user cancelled the work.
    """
    known = next((one for one in distributions() if one.suite == suite), None)
    family = known.family if known else "debian"
    name = image_name(family, suite)
    say(f"pulling {name}")
    why = pull_error(client, name, cancel, PULL_TIME_LIMITS)
    try:
        attrs = client.images.get(name).attrs
    except ImageNotFound:
        say(f"bootstrapping {family.title()} {suite} (no registry: {why})")
    except DockerException as error:
        raise InfrastructureError(f"the Docker engine does not answer: {error}") from error
    else:
        return _had(name, attrs, "local" if why else "pulled", known)
    try:
        made = bootstrap(client, family, suite, temp_dir, cancel, say)
    except NoBootstrapError as error:
        raise _nowhere(name, why, error, known) from error
    return Origin(made.image, made.how)


def image_name(family: str, suite: str) -> str:
    """What registries, and the local engine, know a suite's image by: ``debian:bookworm-slim``."""
    return f"{family}:{suite}-slim" if family == "debian" else f"{family}:{suite}"


def _had(name: str, attrs: dict[str, object], how: str, known: Distribution | None) -> Origin:
    """The origin that is an image by that name, from what the engine tells of it."""
    image = str(attrs["Id"])
    digests = attrs.get("RepoDigests")
    found = str(digests[0]).rpartition("@")[2] if isinstance(digests, list) and digests else ""
    words = f"{how} {name} {found or image}"
    if known and known.archived:
        words += "; packages that have left the mirrors are of the distribution's archive"
        words += ", unverified if its keys have expired" if known.family == "debian" else ""
    # Without a digest it never came from a registry, whatever its name.
    return Origin(image, words, name, found) if found else Origin(image, words)


def _nowhere(
    name: str, refused: str, error: NoBootstrapError, known: Distribution | None
) -> InfrastructureError:
    """The error for a suite that neither a registry nor a mirror gives. Summaries cite one line."""
    why, cause, next_step = "it could not be bootstrapped", error.cause, error.next_step
    if known and known.archived:
        why = f"{known.id} has left the ordinary mirrors"
        cause = (
            "it can be had from a registry only, and its packages from the distribution's archive; "
            "no registry is reached from here"
        )
        next_step = "run where both are reached"
    return InfrastructureError(
        f"no base image {name}: no registry gave it, and {why}\n"
        f"    registry: {refused or 'nothing was pulled'}\n"
        f"    bootstrap: {error.what}",
        cause=cause,
        next_step=f"{next_step}, or load an image of that name: 'docker pull' and 'docker save' it "
        "where a registry is reached, 'docker load' it here; its own package sources are used",
    )
