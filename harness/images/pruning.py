"""Removing our images from Docker, and no others.

An image is ours if it has a tag that begins with the project's name and ends with the hash that its
label has. A user's image under such a tag is not, not even one FROM ours, which inherits the label.
Pulled images and the build cache are never removed either.
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
from harness.images.batch_build import list_orderables
from harness.images.recipe import REPOSITORY, Recipe
from harness.images.recipes import build_recipe


@dataclass(frozen=True, slots=True)
class TaggedImage:
    """One of our tags: ``reference``, the image's id, size in bytes, and its labels."""

    reference: str
    id: str
    size: int
    labels: dict[str, str]


def our_images(client: docker.DockerClient) -> list[TaggedImage]:
    """All of our tags that the engine has, sorted."""
    # docker-py's own list() asks for each image once more; some may have been removed by then.
    images = [
        TaggedImage(tag, image["Id"], image["Size"], image["Labels"] or {})
        for image in client.api.images(filters={"reference": f"{REPOSITORY}/*"})
        for tag in image["RepoTags"] or ()
        if is_ours(tag, image["Labels"] or {})
    ]
    return sorted(images, key=lambda image: image.reference)


def is_ours(tag: str, labels: Mapping[str, str]) -> bool:
    """Whether the image builder gave the tag: it is the beginning of the recipe's hash."""
    recipe = labels.get(names.RECIPE, "")
    return tag.startswith(f"{REPOSITORY}/") and tag.rpartition(":")[2] == recipe[:12] != ""


def find_outdated(existing: Collection[TaggedImage], images: Path) -> list[TaggedImage]:
    """The images whose recipe has changed since; ``images`` is the folder of the recipes.

    A pair may have been requested by its whole id, without being listed: an image's label names its
    build. Images with a user's source are kept: whether they are current depends on that source,
    which is not read here.
    """
    orders = {**_builds_of_labels(existing), **list_orderables()}.values()
    recipes = [build_recipe(order) if isinstance(order, Build) else order for order in orders]
    current = {tag for recipe in recipes for tag in _list_tags(recipe, images)}
    return [
        image
        for image in existing
        if image.reference not in current and names.UNVERIFIED not in image.labels
    ]


def _list_tags(recipe: Recipe, images: Path) -> set[str]:
    """The recipe's tag, and those of all its parents."""
    tags = {recipe.tag(images)}
    return tags.union(*(_list_tags(parent, images) for parent in recipe.parents.values()))


def _builds_of_labels(existing: Iterable[TaggedImage]) -> dict[str, Build]:
    """The builds that the labels of the images name; a control's name, for example, is none."""
    builds = {}
    for name in {image.labels.get(names.BUILD, "") for image in existing}:
        with suppress(UsageError):
            builds[name] = Build.parse(name)
    return builds


def remove_images(
    client: docker.DockerClient, unwanted: Collection[TaggedImage], say: Callable[[str], None]
) -> int:
    """Untag images, which removes those that nothing else uses; return how many were untagged.

    An image that a container uses is kept, and reported.
    """
    removed = 0
    for image in unwanted:
        try:
            client.images.remove(image.reference)
        except APIError as error:
            say(f"kept {image.reference}: {error.explanation}")
        else:
            removed += 1
            say(f"removed {image.reference}")
    return removed
