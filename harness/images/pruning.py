"""Removing our own from Docker, and nothing else.

An image is ours if it has a tag that begins with the project's name and ends with the hash that its
label has. Somebody's own image under such a tag is not, not even one FROM ours, which inherits the
label. Pulled images and the build cache are left alone as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError

from harness.catalog.builds import Build
from harness.errors import UsageError
from harness.images import labels as names
from harness.images.batch_build import catalogue
from harness.images.image import labels_of
from harness.images.recipes import REPOSITORY, Recipe, build_recipe


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
        for tag in image.tags
        if is_ours(tag, labels_of(image.attrs))
    ]
    return sorted(found, key=lambda one: one.reference)


def is_ours(tag: str, labels: Mapping[str, str]) -> bool:
    """Whether the shop gave the tag: it is the beginning of the recipe's hash."""
    recipe = labels.get(names.RECIPE, "")
    return tag.startswith(f"{REPOSITORY}/") and tag.rpartition(":")[2] == recipe[:12] != ""


def outdated(found: Collection[Found], images: Path) -> list[Found]:
    """Those that would not be built the same today; ``images`` is the folder of the recipes.

    Any pair may have been asked for by its whole id, listed or not: an image's label tells of which
    build it is. What a source of the user's own went into is kept: only that source's next reading
    tells whether it would be the same.
    """
    orders = {**_labelled(found), **catalogue()}.values()
    recipes = [build_recipe(one) if isinstance(one, Build) else one for one in orders]
    current = {tag for one in recipes for tag in _tags(one, images)}
    return [
        one for one in found if one.reference not in current and names.UNVERIFIED not in one.labels
    ]


def _tags(recipe: Recipe, images: Path) -> set[str]:
    """The recipe's tag, and those of all that it stands on."""
    own = {recipe.tag(images)}
    return own.union(*(_tags(one, images) for one in recipe.parents.values()))


def _labelled(found: Iterable[Found]) -> dict[str, Build]:
    """The builds that the images say to be of; a control's name, for one, is none."""
    builds = {}
    for name in {one.labels.get(names.BUILD, "") for one in found}:
        with suppress(UsageError):
            builds[name] = Build.parse(name)
    return builds


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
