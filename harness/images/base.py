"""Where a suite's base image comes from: a registry that answers, else a bootstrap.

Many machines that run this reach no registry, so a pull that fails is normal and quick.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
from docker.errors import ImageNotFound

from harness.errors import HarnessError, InfrastructureError
from harness.images.builder import full_disk_error
from harness.images.calls import stream
from harness.images.cancel import Cancel, Cancelled, run

#: Seconds to reach the engine, and without a word of progress from it.
PULL_TIME_LIMITS = (5.0, 20.0)
BOOTSTRAP_TIME_LIMIT = 900.0

# The same that the official slim images leave out.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")


@dataclass(frozen=True, slots=True)
class Origin:
    """An image to start a suite from: what FROM takes, and how it was had."""

    image: str
    how: str


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
        Cancelled: broken off.
    """
    name = f"debian:{suite}-slim"
    say(f"pulling {name}")
    try:
        _pull(client, name, cancel)
    except Cancelled:
        raise
    except HarnessError as error:
        refusal = error.what
    else:
        refusal = ""
    try:
        image = client.images.get(name)
    except ImageNotFound:
        return _bootstrap(client, suite, temp_dir, cancel, say, refusal or "nothing was pulled")
    digests: list[str] = image.attrs.get("RepoDigests") or [str(image.id)]
    how = "local" if refusal else "pulled"
    return Origin(str(image.id), f"{how} {name} {digests[0]}")


def _pull(client: docker.DockerClient, name: str, cancel: Cancel) -> None:
    repository, _, tag = name.partition(":")
    params = {"fromImage": repository, "tag": tag}
    _last(client, params, cancel, time_limits=PULL_TIME_LIMITS)


def _last(
    client: docker.DockerClient, params: dict[str, str], cancel: Cancel, **options: Any
) -> str:
    """POST /images/create; the last status that the engine gives.

    Raises:
        InfrastructureError: the engine reports an error.
    """
    status = ""
    for item in stream(client.api, "/images/create", params, cancel, **options):
        if "error" in item:
            raise InfrastructureError(str(item["error"]))
        status = str(item.get("status", status))
    return status


def _bootstrap(
    client: docker.DockerClient,
    suite: str,
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
    refusal: str,
) -> Origin:
    """Make a minimal Debian with mmdebstrap(1), and import it."""
    program = shutil.which("mmdebstrap")
    if program is None:
        raise InfrastructureError(
            f"no base image for Debian {suite}: the registry gave none ({refusal}), "
            "and mmdebstrap is not installed",
            cause="this machine reaches no container registry",
            next_step="install mmdebstrap (on Debian and Ubuntu: apt-get install mmdebstrap "
            f"debian-archive-keyring), or load an image named debian:{suite}-slim",
        )
    say(f"bootstrapping Debian {suite} (no registry: {refusal})")
    with tempfile.TemporaryDirectory(dir=temp_dir, prefix=f"base-{suite}-") as folder:
        tar = Path(folder) / "base.tar"
        _mmdebstrap(program, suite, tar, cancel)
        say(f"importing Debian {suite}")
        image = _import(client, tar, cancel)
    day = datetime.now(UTC).date().isoformat()
    return Origin(image, f"mmdebstrap {suite} {day}")


def _mmdebstrap(program: str, suite: str, tar: Path, cancel: Cancel) -> None:
    options = [f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT]
    options += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    command = [program, "--variant=minbase", *options, suite, str(tar)]
    try:
        code, words = run(command, cancel, time_limit=BOOTSTRAP_TIME_LIMIT, cwd=tar.parent)
    except (OSError, TimeoutError) as error:
        raise InfrastructureError(f"mmdebstrap {suite} failed: {error}") from error
    if code == 0:
        return
    if "No space left on device" in words:
        raise full_disk_error(f"base-{suite}", tar.parent)
    last = "\n".join(f"    {line}" for line in words.splitlines()[-12:])
    raise InfrastructureError(
        f"mmdebstrap {suite} failed ({code}):\n{last}",
        cause="its package mirror is not reached, or the Debian archive keyring is missing",
        next_step="see the lines above; debian-archive-keyring has the keys",
    )


def _import(client: docker.DockerClient, tar: Path, cancel: Cancel) -> str:
    with tar.open("rb") as file:
        return _last(client, {"fromSrc": "-"}, cancel, body=file)
