"""One build by the engine: from a context archive to an image without a tag, or an error with log.

A tag is given by whoever decides that the image is whole (shop.py), so nothing half-made ever has
one.
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
#: What build.sh says last when a compiler, and not its surroundings, refused (images/README.md).
_DOES_NOT_BUILD = re.compile(r"^does not build: (?P<reason>.+)$", re.MULTILINE)
_STEP_IMAGE = re.compile(r"^ ---> ([0-9a-f]{12})$")
_STEP = re.compile(r"^Step \d+/\d+ : (?P<word>\w+)")
#: What programs colour their output with; the engine itself paints standard error red.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


#: Of the processors, against 1024 of whatever else runs: cells are measured while others compile.
_YIELDING_SHARE = 128


@dataclass(frozen=True, slots=True)
class Order:
    """What to build: a context archive, build arguments, labels; the name is for messages.

    One that ``yields`` leaves the processors to others that want them at the same time.
    """

    name: str
    context: BinaryIO
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    yields: bool = False


def build(
    api: APIClient, order: Order, log: Path, cancel: Cancel, on_line: Callable[[str], None]
) -> str:
    """Build; gives the new image's id. The log is appended to; ``on_line`` gets each "Step 3/9".

    Raises:
        DoesNotBuildError: the compiler refused.
        BuildError: another step failed; the message has the log's end, and where all of it is.
        Cancelled: the user cancelled the work.
        InfrastructureError: the engine, or the disk.
    """
    progress = _Progress(on_line)
    image = ""
    with log.open("a", encoding="utf-8") as file, closing(_items(api, order, cancel)) as items:
        for item in items:
            text = _COLOUR.sub("", str(item.get("error") or item.get("stream", "")))
            file.write(text)
            progress.note(text)
            image = _image_of(item) or image
            if "error" in item:
                file.flush()
                raise build_error(order.name, text, log, api)
    if not image:
        raise build_error(order.name, "the engine named no image at the end", log, api)
    # After a failure the layers stay: the next try starts where this one ended (engine cache).
    _remove_left_over(api, progress.made, image)
    return image


def build_error(name: str, reason: str, log: Path, api: APIClient) -> InfrastructureError:
    """The error for a build that failed, with the end of its log."""
    tail = _tail(log)
    if _FULL_DISK.search(f"{reason}\n{tail}"):
        return full_disk_error(name, docker_root(api))
    if refused := _DOES_NOT_BUILD.search(tail):
        return DoesNotBuildError(name, refused["reason"], next_step=f"the whole log is {log}")
    shown = "\n".join(f"    {line}" for line in tail.splitlines())
    return BuildError(
        f"image {name} did not build: {reason.strip()}\n{shown}",
        cause="the last lines above usually name it",
        next_step=f"the whole log is {log}",
    )


def full_disk_error(name: str, place: Path | None) -> InfrastructureError:
    """The error for a disk without room; ``place`` is on that disk (None: not known where)."""
    cause = "the disk that Docker keeps its images on is full"
    if place is not None:
        with suppress(OSError):
            free = shutil.disk_usage(place).free / 2**20
            cause = f"{free:.0f} MiB are free at {place}"
    return BuildError(
        f"no room on the disk while image {name} was being made",
        cause=cause,
        next_step="free some room ('docker system df' tells what Docker holds), then run again; "
        "what is whole is kept",
    )


def docker_root(api: APIClient) -> Path | None:
    """Where the engine keeps its images, if that is a folder of this machine."""
    with suppress(APIError, OSError):
        root = Path(str(api.info().get("DockerRootDir", "")))
        return root if root.is_absolute() and root.is_dir() else None
    return None


def _items(api: APIClient, order: Order, cancel: Cancel) -> Generator[dict[str, Any], None, None]:
    params = {
        "rm": "1",
        "forcerm": "1",
        "buildargs": json.dumps(dict(order.args), sort_keys=True),
        "labels": json.dumps(dict(order.labels), sort_keys=True),
    }
    if order.yields:
        # A container's share is 1024 by default. BuildKit knows no shares, and passes this over.
        params["cpushares"] = str(_YIELDING_SHARE)
    return stream_objects(api, "/build", params, cancel, body=order.context)


class _Progress:
    """Which images the steps made, from the engine's words; ``on_line`` gets each step."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.made: list[str] = []
        self._on_line = on_line
        self._word = ""

    def note(self, text: str) -> None:
        for line in text.splitlines():
            if step := _STEP.match(line):
                self._word = step["word"]
                self._on_line(line)
            elif (image := _STEP_IMAGE.match(line)) and self._word != "FROM":
                # What FROM names was there before, and is not ours to remove.
                self.made.append(image[1])


def _image_of(item: dict[str, Any]) -> str:
    """The built image's id, if this is the item that names it."""
    aux = item.get("aux")
    return str(aux.get("ID", "")) if isinstance(aux, dict) else ""


def _remove_left_over(api: APIClient, made: list[str], image: str) -> None:
    """Remove what the steps made and the image does not stand on: the layers of other stages.

    The engine refuses what is in use or a parent of something. It would not refuse what has one
    name only, so whatever has a name is left out here.
    """
    for one in reversed(made):
        if image.removeprefix("sha256:").startswith(one):
            continue
        with suppress(APIError):
            found = api.inspect_image(one)  # type: ignore[no-untyped-call]  # of types-docker
            if not (found.get("RepoTags") or found.get("RepoDigests")):
                api.remove_image(one)


def _tail(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as file:
        lines = deque((line.rstrip() for line in file if line.strip()), TAIL_LINES)
    return "\n".join(lines)
