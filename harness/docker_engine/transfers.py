"""An image's way from a registry into the engine, and back, and what went wrong with it.

The engine transfers the image; the registry's credentials are those of ``docker login``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import docker
from docker import auth
from docker.errors import DockerException

from harness.docker_engine.calls import stream_objects
from harness.docker_engine.cancel import Cancel, Cancelled
from harness.errors import HarnessError, InfrastructureError

#: Seconds to reach the engine, and to wait for the registry's first answer.
ANSWER_LIMITS = (5.0, 60.0)
#: Seconds to reach the engine, and to wait for its next report. On a busy machine none comes for
#: minutes, while it compresses a layer, or while layers of other transfers have their turn.
REPORT_LIMITS = (5.0, 600.0)

_ABSENT = re.compile(r"manifest unknown|name unknown|not found: manifest|: not found$")
_DENIED = re.compile(r"denied|unauthorized|authentication required|no basic auth|forbidden", re.I)
_DIGEST = re.compile(r"Digest: (sha256:[0-9a-f]{64})")
_LAYER = re.compile(r"[0-9a-f]{12}")
#: The engine's last reports on a layer, of a push and of a pull.
_LAYER_IS_THERE = ("Pushed", "Layer already", "Mounted from", "Pull complete", "Already exists")
#: What `stream_objects` puts before the engine's own message.
_ENGINE_PREFIX = "the Docker engine refused: "

#: Takes the number of layers that are there, of how many: "2 of 7 layers".
OnLayers = Callable[[str], None]


class TransferFault(StrEnum):
    """Why a registry does not give or take an image, as far as one would act differently."""

    ABSENT = "the registry does not have it"
    DENIED = "the registry does not permit it"
    OTHER = "it is not reached, or the transfer broke off"


@dataclass(frozen=True, slots=True)
class Transfer:
    """An answer, a pull or a push that ended. ``digest`` is the manifest's in the registry.

    ``error`` is the message of the engine or the registry, "" if all went well.
    """

    digest: str = ""
    error: str = ""

    @property
    def fault(self) -> TransferFault | None:
        """The kind of the error; None if there was none."""
        if not self.error:
            return None
        if _DENIED.search(self.error):
            return TransferFault.DENIED
        return TransferFault.ABSENT if _ABSENT.search(self.error) else TransferFault.OTHER


def ask_registry(
    client: docker.DockerClient,
    reference: str,
    cancel: Cancel,
    time_limits: tuple[float, float] = ANSWER_LIMITS,
) -> Transfer:
    """Have the engine ask the registry for an image; nothing is pulled yet.

    ``time_limits``: seconds to reach the engine, and to wait for the answer.

    Raises:
        Cancelled: the user cancelled the work.
    """
    path = f"/distribution/{reference}/json"
    return _call_engine(client, reference, "GET", path, {}, cancel, time_limits)


def pull(
    client: docker.DockerClient,
    reference: str,
    cancel: Cancel,
    time_limits: tuple[float, float] = REPORT_LIMITS,
    on_layers: OnLayers = lambda _: None,
) -> Transfer:
    """Pull an image; a reference without tag or digest means the tag ``latest``.

    ``time_limits``: seconds to reach the engine, and to wait for its next report of progress.
    ``on_layers`` is called with ``2 of 7 layers`` whenever a layer is there.

    Raises:
        Cancelled: the user cancelled the work.
    """
    tagged = "@" in reference or ":" in reference.rpartition("/")[2]
    params = {"fromImage": reference if tagged else f"{reference}:latest"}
    return _call_engine(
        client, reference, "POST", "/images/create", params, cancel, time_limits, on_layers
    )


def push(
    client: docker.DockerClient,
    repository: str,
    tag: str,
    cancel: Cancel,
    on_layers: OnLayers = lambda _: None,
) -> Transfer:
    """Push the engine's image ``repository:tag`` to the registry that the repository names.

    Raises:
        Cancelled: the user cancelled the work.
    """
    path, params = f"/images/{repository}/push", {"tag": tag}
    return _call_engine(client, repository, "POST", path, params, cancel, REPORT_LIMITS, on_layers)


def _call_engine(
    client: docker.DockerClient,
    reference: str,
    method: str,
    path: str,
    params: Mapping[str, str],
    cancel: Cancel,
    time_limits: tuple[float, float],
    on_layers: OnLayers = lambda _: None,
) -> Transfer:
    """Have the engine do something with a registry, with the credentials for it."""
    digest, layers = "", _Layers(on_layers)
    try:
        headers = _make_auth_header(client, reference)
        for item in stream_objects(
            client.api,
            path,
            params,
            cancel,
            method=method,
            headers=headers,
            time_limits=time_limits,
        ):
            if "error" in item:
                return Transfer(error=str(item["error"]))
            layers.note(item)
            digest = _find_digest(item) or digest
    except Cancelled:
        raise
    except HarnessError as error:
        return Transfer(error=error.what.removeprefix(_ENGINE_PREFIX))
    return Transfer(digest)


class _Layers:
    """Counts the layers of a transfer by the engine's reports, and reports when one is there."""

    def __init__(self, on_layers: OnLayers) -> None:
        self._on_layers = on_layers
        self._is_there: dict[str, bool] = {}

    def note(self, item: Mapping[str, Any]) -> None:
        """Read a report; the first one of a layer has its short digest as well."""
        layer, status = str(item.get("id", "")), str(item.get("status", ""))
        if not _LAYER.fullmatch(layer):
            return
        is_there = status.startswith(_LAYER_IS_THERE)
        if self._is_there.get(layer) == is_there:
            return
        self._is_there[layer] = is_there
        if is_there:
            there = sum(self._is_there.values())
            self._on_layers(f"{there} of {len(self._is_there)} layers")


def _find_digest(item: Mapping[str, Any]) -> str:
    """The manifest's digest in one of the engine's reports: of an answer, a pull or a push."""
    for key, name in (("Descriptor", "digest"), ("aux", "Digest")):
        if isinstance(part := item.get(key), dict) and part.get(name):
            return str(part[name])
    match = _DIGEST.fullmatch(str(item.get("status", "")))
    return match[1] if match else ""


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
