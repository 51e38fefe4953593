"""A build by the engine: from a context archive to an image without a tag, or an error with log.

The caller tags the image when it is whole (image_builder.py), so an unfinished image never has a
tag.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from docker import APIClient
from docker.errors import APIError

from harness.docker_engine.calls import stream_objects
from harness.docker_engine.cancel import Cancel
from harness.errors import BuildError, DoesNotBuildError, InfrastructureError

TAIL_LINES = 20

_FULL_DISK = re.compile(r"no space left on device|ENOSPC|disk quota exceeded", re.IGNORECASE)
#: The last line of build.sh when the compiler, and not its environment, failed (images/README.md).
_DOES_NOT_BUILD = re.compile(r"^does not build: (?P<reason>.+)$", re.MULTILINE)
_STEP_IMAGE = re.compile(r"^ ---> ([0-9a-f]{12})$")
_STEP = re.compile(r"^(?P<number>Step \d+/\d+) : (?P<instruction>\w+)")
#: How build.sh shows what it does next, minutes long (images/toolchain/steps.sh).
_COMMAND = re.compile(r"^\+ (?P<command>\S.*)")
#: Colour codes in programs' output; the engine itself colours standard error red.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


#: The CPU share, where other containers have 1024: cells are measured while builds compile.
_YIELDING_SHARE = 128


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """What to build: a context archive, build arguments, labels; the name is for messages.

    An order that ``yields`` leaves the processors to others that need them at the same time.
    """

    name: str
    context: BinaryIO
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    yields: bool = False


def build_image(
    api: APIClient, order: BuildOrder, log: Path, cancel: Cancel, on_line: Callable[[str], None]
) -> str:
    """Build; return the new image's id.

    The log is appended to ``log``; ``on_line`` is called with each line "Step 3/9 : RUN ...", and
    with "Step 3/9 : make -j2" for each command that a build script shows.

    Raises:
        DoesNotBuildError: the compiler refused the source.
        BuildError: another step failed; the message has the end of the log, and its path.
        Cancelled: the user cancelled the work.
        InfrastructureError: the engine failed, or the disk is full.
    """
    progress = _Progress(on_line)
    image = ""
    with (
        log.open("a", encoding="utf-8") as file,
        closing(_request_build(api, order, cancel)) as items,
    ):
        for item in items:
            text = _COLOUR.sub("", str(item.get("error") or item.get("stream", "")))
            file.write(text)
            progress.note(text)
            image = _find_image_id(item) or image
            if "error" in item:
                file.flush()
                raise build_error(order.name, text, log, api)
    if not image:
        raise build_error(order.name, "the engine named no image at the end", log, api)
    # After a failure the layers stay: the next try starts from them (the engine's cache).
    _remove_unused_layers(api, progress.layers, image)
    return image


def build_error(name: str, reason: str, log: Path, api: APIClient) -> InfrastructureError:
    """The error for a build that failed, with the end of its log."""
    tail = _read_tail(log)
    if _FULL_DISK.search(f"{reason}\n{tail}"):
        return full_disk_error(name, docker_root(api))
    if refusal := _DOES_NOT_BUILD.search(tail):
        return DoesNotBuildError(name, refusal["reason"], next_step=f"the whole log is {log}")
    shown = "\n".join(f"    {line}" for line in tail.splitlines())
    return BuildError(
        f"image {name} did not build: {reason.strip()}\n{shown}",
        cause="the last lines above usually name it",
        next_step=f"the whole log is {log}",
    )


def full_disk_error(name: str, folder: Path | None) -> InfrastructureError:
    """The error for a full disk; ``folder`` is on that disk (None: not known which)."""
    cause = "the disk that Docker keeps its images on is full"
    if folder is not None:
        with suppress(OSError):
            free = shutil.disk_usage(folder).free / 2**20
            cause = f"{free:.0f} MiB are free at {folder}"
    return BuildError(
        f"no room on the disk while image {name} was being made",
        cause=cause,
        next_step="free some room ('docker system df' shows what Docker holds), then run again; "
        "finished images are kept",
    )


def docker_root(api: APIClient) -> Path | None:
    """The folder where the engine keeps its images, if it is on this machine."""
    with suppress(APIError, OSError):
        root = Path(str(api.info().get("DockerRootDir", "")))
        return root if root.is_absolute() and root.is_dir() else None
    return None


def _request_build(
    api: APIClient, order: BuildOrder, cancel: Cancel
) -> Generator[dict[str, Any], None, None]:
    params = {
        "rm": "1",
        "forcerm": "1",
        "buildargs": json.dumps(dict(order.args), sort_keys=True),
        "labels": json.dumps(dict(order.labels), sort_keys=True),
    }
    if order.yields:
        # A container's share is 1024 by default. BuildKit ignores this parameter.
        params["cpushares"] = str(_YIELDING_SHARE)
    return stream_objects(api, "/build", params, cancel, body=order.context)


class _Progress:
    """Collects the images of the steps from the engine's output; reports what is being done."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.layers: list[str] = []
        self._on_line = on_line
        self._instruction = self._number = ""

    def note(self, text: str) -> None:
        for line in text.splitlines():
            if step := _STEP.match(line):
                self._instruction, self._number = step["instruction"], step["number"]
                self._on_line(line)
            elif command := _COMMAND.match(line):
                self._on_line(f"{self._number} : {command['command']}")
            elif (image := _STEP_IMAGE.match(line)) and self._instruction != "FROM":
                # The image of a FROM existed before, so it must not be removed.
                self.layers.append(image[1])


def _find_image_id(item: dict[str, Any]) -> str:
    """The built image's id, if this item of the response names it."""
    aux = item.get("aux")
    return str(aux.get("ID", "")) if isinstance(aux, dict) else ""


def _remove_unused_layers(api: APIClient, layers: list[str], image: str) -> None:
    """Remove the steps' images that are no parents of the image: the layers of other stages.

    The engine refuses to remove an image that is in use or a parent of another. It would not
    refuse one that has a single name, so images with names are skipped here.
    """
    for layer in reversed(layers):
        if image.removeprefix("sha256:").startswith(layer):
            continue
        with suppress(APIError):
            attrs = api.inspect_image(layer)  # type: ignore[no-untyped-call]  # of types-docker
            if not (attrs.get("RepoTags") or attrs.get("RepoDigests")):
                api.remove_image(layer)


def _read_tail(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as file:
        lines = deque((line.rstrip() for line in file if line.strip()), TAIL_LINES)
    return "\n".join(lines)
