"""Which images are ours, and which of ours are out of date."""

from __future__ import annotations

import pytest

from harness.catalog.builds import Build, UserAdditions, known_builds
from harness.catalog.releases import Release, Source, SourceKind
from harness.images import labels as names
from harness.images.pruning import TaggedImage, find_outdated, is_ours
from harness.images.recipe import Recipe
from harness.images.recipes import build_recipe
from harness.paths import images_dir

OFF_LIST = "postfix-3.4.27+openssl-1.0.2h"
HASH = "0123456789ab" + "c" * 52


def _current_image(recipe: Recipe) -> TaggedImage:
    """The recipe's image as it is today."""
    return TaggedImage(recipe.tag(images_dir()), "sha256:0", 1, dict(recipe.labels))


def _outdated_image(image: TaggedImage) -> TaggedImage:
    """The same image with an older recipe's tag."""
    return TaggedImage(f"{image.reference[:-12]}{'0' * 12}", image.id, image.size, image.labels)


@pytest.mark.parametrize("name", ["debian-12", "postfix-3.7.11+openssl-1.1.1w"])
def test_an_image_of_an_older_recipe_is_out_of_date(name: str) -> None:
    """prune is for these; what would be built the same today stays."""
    current = _current_image(build_recipe(Build.parse(name)))
    assert find_outdated([current, _outdated_image(current)], images_dir()) == [
        _outdated_image(current)
    ]


def test_a_pair_that_is_not_listed_is_kept_with_its_parents() -> None:
    """Minutes of compiling for a pair by its whole id must not go with the next prune."""
    assert OFF_LIST not in {build.id for build in known_builds()}
    recipe = build_recipe(Build.parse(OFF_LIST))
    images = [
        _current_image(recipe),
        *(_current_image(parent) for parent in recipe.parents.values()),
    ]
    assert find_outdated(images, images_dir()) == []
    assert find_outdated([_outdated_image(images[0])], images_dir()) == [_outdated_image(images[0])]


def test_what_is_made_from_a_source_of_the_users_is_kept() -> None:
    """Whether it is out of date is not known without that source."""
    source = Source(SourceKind.LOCAL, "a" * 64, 0, "postfix-3.7.11", path="/x", origin="/home/me/x")
    user_release = Release("postfix", "3.7.11", None, (source,))
    recipe = build_recipe(
        Build.parse("postfix-3.7.11+openssl-1.1.1w", UserAdditions({user_release.id: user_release}))
    )
    assert recipe.labels[names.UNVERIFIED]
    assert find_outdated([_current_image(recipe)], images_dir()) == []


@pytest.mark.parametrize(
    ("tag", "ours"),
    [
        ("postfix-matrix/debian-12:0123456789ab", True),
        ("postfix-matrix/mine:latest", False),
        ("postfix-matrix/mine:0123456789ac", False),
        ("elsewhere/debian-12:0123456789ab", False),
        ("postfix-matrix/debian-12:", False),
    ],
)
def test_an_image_is_ours_by_the_hash_in_its_tag(tag: str, *, ours: bool) -> None:
    """A user's image FROM ours inherits the label; under another tag it is the user's."""
    assert is_ours(tag, {names.RECIPE: HASH}) is ours
    assert not is_ours(tag, {})
