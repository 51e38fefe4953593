"""What is checked of an image that was built elsewhere, and what is remembered of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.builds import Build, UserAdditions
from harness.catalog.clients import find_client
from harness.catalog.releases import Release, Source, SourceKind
from harness.images import labels as names
from harness.images.pulled_images import (
    PulledRecords,
    RefusedImageError,
    check_pulled,
    has_user_source,
)
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import SOURCE_FILE, build_recipe, client_recipe

PAIR = build_recipe(Build.parse("postfix-3.7.11+openssl-1.1.1w"))
HASH = "c" * 64
PINNED = PAIR.sources[SOURCE_FILE].sources[0].sha256


def _labels(**others: str) -> dict[str, str]:
    """The labels that stamping.py gives the pair's image, with others by their constants."""
    labels = {
        **PAIR.labels,
        names.OCI_TITLE: PAIR.name,
        names.RECIPE: HASH,
        names.SOURCE: f"postfix-3.7.11 sha256:{PINNED} corroborated:3",
    }
    return labels | {getattr(names, key): value for key, value in others.items()}


def _attrs(labels: dict[str, str], architecture: str = "amd64") -> dict[str, Any]:
    return {"Id": "sha256:1", "Architecture": architecture, "Config": {"Labels": labels}}


def test_the_recipes_own_image_is_accepted() -> None:
    """Labels that only the builder knows (the time, the base) may be what they are."""
    labels = _labels(OCI_CREATED="2026-11-29T01:02:03+00:00", ORIGIN="bootstrapped")
    check_pulled(PAIR, HASH, _attrs(labels), "amd64")


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"RECIPE": "d" * 64}, f"its label {names.RECIPE} is 'dddd"),
        ({"POSTFIX": "3.7.10"}, f"its label {names.POSTFIX} is '3.7.10', and should be '3.7.11'"),
        ({"OCI_TITLE": "debian-12"}, "is 'debian-12', and should be"),
        ({"KIND": "control"}, f"its label {names.KIND} is 'control'"),
        ({"UNVERIFIED": "yes"}, "made from a user's source"),
        ({"SOURCE": f"postfix-3.7.11 sha256:{'0' * 64} corroborated:3"}, "none of the catalog's"),
        ({"SOURCE": f"postfix-3.7.10 sha256:{PINNED} corroborated:3"}, "none of the catalog's"),
        ({"SOURCE": "built by hand"}, "none of the catalog's"),
    ],
)
def test_another_label_is_named(others: dict[str, str], reason: str) -> None:
    """The reader sees what a registry gave in place of what."""
    with pytest.raises(RefusedImageError) as caught:
        check_pulled(PAIR, HASH, _attrs(_labels(**others)), "amd64")
    assert reason in caught.value.what


@pytest.mark.parametrize("missing", [names.RECIPE, names.HOW, names.SOURCE])
def test_a_missing_label_is_named(missing: str) -> None:
    """An image without our labels is not ours."""
    labels = {key: value for key, value in _labels().items() if key != missing}
    with pytest.raises(RefusedImageError, match=r"is not there|not labelled"):
        check_pulled(PAIR, HASH, _attrs(labels), "amd64")


def test_an_image_for_another_processor_is_refused() -> None:
    """A recipe's hash does not have the architecture."""
    with pytest.raises(RefusedImageError, match="it is for arm64, and this engine runs amd64"):
        check_pulled(PAIR, HASH, _attrs(_labels(), "arm64"), "amd64")


def test_an_image_without_a_source_needs_no_label_of_one() -> None:
    """Clients of packages, the name server, and so on."""
    recipe = Recipe("dns", RecipeKind.DNS, "dns", labels={names.KIND: "dns"})
    labels = {names.KIND: "dns", names.OCI_TITLE: "dns", names.RECIPE: HASH}
    check_pulled(recipe, HASH, _attrs(labels), "amd64")


@pytest.mark.parametrize("product", ["postfix", "openssl"])
def test_a_users_source_is_found_at_any_depth(product: str) -> None:
    """What stands on such an image is as little to be published as the image itself."""
    version = {"postfix": "3.7.11", "openssl": "1.1.1w"}[product]
    source = Source(SourceKind.LOCAL, "a" * 64, 0, f"{product}-{version}", path="/x", origin="/me")
    additions = UserAdditions({f"{product}-{version}": Release(product, version, None, (source,))})
    recipe = build_recipe(Build.parse("postfix-3.7.11+openssl-1.1.1w", additions))
    assert has_user_source(recipe)
    child = Recipe("child", RecipeKind.CLIENT, "x", parents={"BASE": recipe})
    assert has_user_source(child)
    unmarked = replace(recipe, labels={}, sources={}, parents=recipe.parents)
    assert has_user_source(unmarked) is True


def test_what_the_catalog_makes_has_no_user_source() -> None:
    """Otherwise nothing would ever be pushed."""
    assert not has_user_source(PAIR)
    assert not has_user_source(client_recipe(find_client("openssl-1.0.2h")))


def test_where_an_image_is_from_is_remembered_by_its_id(tmp_path: Path) -> None:
    """The engine forgets it with the registry's tag."""
    records, pulled = PulledRecords(tmp_path), f"ghcr.io/x/y@sha256:{'b' * 64}"
    assert records.recall("sha256:1") == ""
    records.remember("sha256:1", pulled)
    assert PulledRecords(tmp_path).recall("sha256:1") == pulled
    assert records.recall("sha256:2") == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    """A file that a crash left half-written must not stop a run."""
    records = PulledRecords(tmp_path)
    records.remember("sha256:1", "x")
    (tmp_path / "pulled" / "1.json").write_text(text)
    assert records.recall("sha256:1") == ""
