"""An image's way from a registry into the engine, and back; what went wrong, in one of four kinds.

The engine transfers the image; the registry's credentials are those of ``docker login``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import docker
from docker import auth
from docker.errors import DockerException

from harness.docker_engine.calls import stream_objects
from harness.docker_engine.cancel import Cancel, Cancelled
from harness.errors import HarnessError, InfrastructureError

#: Seconds to reach the engine, and to wait for its next report: none comes while layers of other
#: transfers have their turn (the engine's max-concurrent-downloads), or a registry is silent.
TIME_LIMITS = (5.0, 120.0)

_ABSENT = re.compile(r"manifest unknown|name unknown|not found: manifest|: not found$")
_DENIED = re.compile(r"denied|unauthorized|authentication required|no basic auth|forbidden", re.I)
_DIGEST = re.compile(r"Digest: (sha256:[0-9a-f]{64})")
#: How the engine's reports on a layer begin once the registry has answered a push.
_PUSH_REPORTS = ("Push", "Layer already exists", "Mounted from")
#: What `stream_objects` puts before the engine's own message.
_ENGINE_PREFIX = "the Docker engine refused: "


class TransferFault(StrEnum):
    """Why an image was not transferred, as far as one would act on it differently."""

    ABSENT = "the registry does not have it"
    DENIED = "the registry does not permit it"
    UNREACHED = "the registry does not answer"
    BROKEN = "the transfer broke off"


@dataclass(frozen=True, slots=True)
class Transfer:
    """A pull or a push that ended. ``digest`` is the manifest's in the registry.

    ``error`` is the message of the engine or the registry, "" if all went well; ``has_begun``: the
    registry had answered before the error.
    """

    digest: str = ""
    error: str = ""
    has_begun: bool = False

    @property
    def fault(self) -> TransferFault | None:
        """The kind of the error; None if there was none."""
        if not self.error:
            return None
        if _DENIED.search(self.error):
            return TransferFault.DENIED
        if _ABSENT.search(self.error):
            return TransferFault.ABSENT
        return TransferFault.BROKEN if self.has_begun else TransferFault.UNREACHED


def pull(
    client: docker.DockerClient,
    reference: str,
    cancel: Cancel,
    time_limits: tuple[float, float] = TIME_LIMITS,
) -> Transfer:
    """Pull an image; a reference without tag or digest means the tag ``latest``.

    ``time_limits``: seconds to reach the engine, and to wait for its next report of progress.

    Raises:
        Cancelled: the user cancelled the work.
    """
    tagged = "@" in reference or ":" in reference.rpartition("/")[2]
    params = {"fromImage": reference if tagged else f"{reference}:latest"}
    # The engine's first report comes when it has the manifest.
    return _transfer(client, reference, "/images/create", params, ("",), cancel, time_limits)


def push(
    client: docker.DockerClient,
    repository: str,
    tag: str,
    cancel: Cancel,
    time_limits: tuple[float, float] = TIME_LIMITS,
) -> Transfer:
    """Push the engine's image ``repository:tag`` to the registry that the repository names.

    Raises:
        Cancelled: the user cancelled the work.
    """
    path = f"/images/{repository}/push"
    params = {"tag": tag}
    return _transfer(client, repository, path, params, _PUSH_REPORTS, cancel, time_limits)


def _transfer(
    client: docker.DockerClient,
    reference: str,
    path: str,
    params: Mapping[str, str],
    first_reports: tuple[str, ...],
    cancel: Cancel,
    time_limits: tuple[float, float],
) -> Transfer:
    """Have the engine transfer an image; ``first_reports`` show that the registry has answered."""
    digest, has_begun = "", False
    try:
        headers = _make_auth_header(client, reference)
        for item in stream_objects(
            client.api, path, params, cancel, headers=headers, time_limits=time_limits
        ):
            if "error" in item:
                return Transfer(error=str(item["error"]), has_begun=has_begun)
            status = str(item.get("status", ""))
            has_begun = has_begun or status.startswith(first_reports)
            if match := _DIGEST.search(status):
                digest = match[1]
            elif isinstance(aux := item.get("aux"), dict):
                digest = str(aux.get("Digest") or digest)
    except Cancelled:
        raise
    except HarnessError as error:
        return Transfer(error=error.what.removeprefix(_ENGINE_PREFIX), has_begun=has_begun)
    return Transfer(digest, has_begun=True)


def _make_auth_header(client: docker.DockerClient, reference: str) -> dict[str, str]:
    """The header with the credentials that ``docker login`` stored for the reference's registry.

    Raises:
        InfrastructureError: the store of the credentials (docker-credential-…) fails.
    """
    try:
        registry, _ = auth.resolve_repository_name(reference)
        header = auth.get_config_header(client.api, registry)
    except DockerException as error:
        raise InfrastructureError(
            f"the credentials of 'docker login' cannot be read: {error}",
            next_step="correct ~/.docker/config.json, or log in again",
        ) from error
    # The engine wants the header of a push also where there are no credentials.
    return {"X-Registry-Auth": str(header or auth.encode_header({}), "ascii")}
