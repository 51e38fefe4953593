"""Which images are ours, and which of ours are out of date."""

from __future__ import annotations

import pytest

from harness.catalog.builds import Additions, Build, known_builds
from harness.catalog.releases import Release, Source, SourceKind
from harness.images import labels as names
from harness.images.pruning import Found, is_ours, outdated
from harness.images.recipes import Recipe, build_recipe
from harness.paths import images_dir

OFF_LIST = "postfix-3.4.27+openssl-1.0.2h"
HASH = "0123456789ab" + "c" * 52


def _found(recipe: Recipe) -> Found:
    """The recipe's image as it is today."""
    return Found(recipe.tag(images_dir()), "sha256:0", 1, dict(recipe.labels))


def _stale(found: Found) -> Found:
    """The same image of another day's recipe."""
    return Found(f"{found.reference[:-12]}{'0' * 12}", found.id, found.size, found.labels)


@pytest.mark.parametrize("name", ["debian-12", "postfix-3.7.11+openssl-1.1.1w"])
def test_an_image_of_an_older_recipe_is_out_of_date(name: str) -> None:
    """prune is for these; what would be built the same today stays."""
    current = _found(build_recipe(Build.parse(name)))
    assert outdated([current, _stale(current)], images_dir()) == [_stale(current)]


def test_a_pair_that_no_list_has_is_kept_with_all_that_it_stands_on() -> None:
    """Minutes of compiling for a pair by its whole id must not go with the next prune."""
    assert OFF_LIST not in {one.id for one in known_builds()}
    recipe = build_recipe(Build.parse(OFF_LIST))
    found = [_found(recipe), *(_found(parent) for parent in recipe.parents.values())]
    assert outdated(found, images_dir()) == []
    assert outdated([_stale(found[0])], images_dir()) == [_stale(found[0])]


def test_what_is_made_from_a_source_of_the_users_is_kept() -> None:
    """Whether it is out of date cannot be told without that source."""
    source = Source(SourceKind.LOCAL, "a" * 64, 0, "postfix-3.7.11", path="/x", origin="/home/me/x")
    mine = Release("postfix", "3.7.11", None, (source,))
    recipe = build_recipe(Build.parse("postfix-3.7.11+openssl-1.1.1w", Additions({mine.id: mine})))
    assert recipe.labels[names.UNVERIFIED]
    assert outdated([_found(recipe)], images_dir()) == []


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
