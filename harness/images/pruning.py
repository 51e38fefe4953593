"""Removing our own from Docker, and nothing else.

An image is ours if it has a tag that begins with the project's name, and the label that only the
shop gives. Somebody's own image under such a tag, pulled images and the build cache are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import docker
from docker.errors import APIError

from harness.images import labels as names
from harness.images.image import labels_of
from harness.images.recipes import REPOSITORY


@dataclass(frozen=True, slots=True)
class Found:
    """One of our tags: ``reference``, the image's id, size in bytes, and its labels."""

    reference: str
    id: str
    size: int
    labels: dict[str, str]


def our_images(client: docker.DockerClient) -> list[Found]:
    """All of our tags that the engine has, sorted."""
    found = [
        Found(tag, str(image.id), int(image.attrs["Size"]), labels_of(image.attrs))
        for image in client.images.list(filters={"reference": f"{REPOSITORY}/*"})
        if names.RECIPE in labels_of(image.attrs)
        for tag in image.tags
        if tag.startswith(f"{REPOSITORY}/")
    ]
    return sorted(found, key=lambda one: one.reference)


def remove(
    client: docker.DockerClient, unwanted: Collection[Found], say: Callable[[str], None]
) -> int:
    """Untag images, which removes those that nothing else uses; gives how many were untagged.

    One that a container uses is kept, and said to be.
    """
    removed = 0
    for one in unwanted:
        try:
            client.images.remove(one.reference)
        except APIError as error:
            say(f"kept {one.reference}: {error.explanation}")
        else:
            removed += 1
            say(f"removed {one.reference}")
    return removed
