"""What can be ordered of images, what is remembered of them, and what is ours to remove."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.catalog.builds import Additions, Build, openssl
from harness.catalog.releases import Release, Source, SourceKind
from harness.errors import DoesNotBuildError
from harness.images import labels as names
from harness.images.batch import catalogue, name_of, with_parts
from harness.images.image import Image
from harness.images.pruning import Found
from harness.images.recipes import SOURCE_FILE, Recipe, build_recipe, openssl_recipe
from harness.images.refusals import Refusals, file_name
from harness.images.sources import Archive
from harness.images.stamping import stamp
from harness.images.survey import survey
from harness.paths import images_dir

PAIR = "postfix-3.7.11+openssl-1.1.1w"
WHEN = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def test_everything_in_the_catalog_can_be_ordered_by_a_name_of_its_own() -> None:
    """A glob of 'images build' leads to one thing each."""
    known = catalogue()
    assert all(name_of(one) == name for name, one in known.items())
    assert {PAIR, "debian-12", "openssl-1.0.2h-stock", "openssl-1.0.2h-legacy", "sasl"} <= set(
        known
    )


def test_a_pair_brings_its_openssl_first() -> None:
    """The half that takes longest begins at once, and is built also where the other is missing."""
    ordered = list(with_parts([Build.parse("debian-12"), Build.parse(PAIR)]))
    assert ordered == ["openssl-1.1.1w-stock", "debian-12", PAIR]


def test_a_release_that_leaves_nothing_out_has_one_image_for_both_flavours() -> None:
    """OpenSSL 1.0.1e has every protocol by itself: 'legacy' would be the same bytes again."""
    assert openssl_recipe(openssl("1.0.1e-legacy")) == openssl_recipe(openssl("1.0.1e"))
    assert openssl_recipe(openssl("1.0.2h-legacy")) != openssl_recipe(openssl("1.0.2h"))


def test_postfix_objects_are_shared_by_the_pairs_of_a_release() -> None:
    """What does not depend on OpenSSL is compiled once for each Postfix, not for each pair."""
    recipes = [
        build_recipe(Build.parse(f"postfix-3.10.13+openssl-{one}")) for one in ("1.1.1w", "3.5.7")
    ]
    assert recipes[0].parents["OBJECTS"] == recipes[1].parents["OBJECTS"]
    other = build_recipe(Build.parse(PAIR))
    assert other.parents["OBJECTS"] != recipes[0].parents["OBJECTS"]


def test_a_refusal_is_remembered_by_the_recipe(tmp_path: Path) -> None:
    """What a compiler refused is not compiled again, until its input changes or somebody asks."""
    memory, tag = Refusals(tmp_path), "postfix-matrix/pair:0123456789ab"
    assert memory.recall("pair", tag) is None
    memory.remember(tag, DoesNotBuildError("pair", "x.c:1: error: no"))
    recalled = Refusals(tmp_path).recall("pair", tag)
    assert recalled is not None
    assert recalled.reason == "x.c:1: error: no"
    assert memory.recall("pair", "postfix-matrix/pair:ba9876543210") is None
    memory.forget(tag)
    assert memory.recall("pair", tag) is None


def test_a_torn_memory_is_none(tmp_path: Path) -> None:
    """A file that a crash left half-written must not stop a build."""
    tag = "postfix-matrix/pair:0123456789ab"
    (tmp_path / "refused").mkdir()
    (tmp_path / "refused" / f"{file_name(tag)}.json").write_text('{"rea')
    assert Refusals(tmp_path).recall("pair", tag) is None


def test_survey_tells_what_is_there_what_is_not_and_what_cannot_be(tmp_path: Path) -> None:
    """'images list' must not call anything built that a change of its recipe has made stale."""
    pair, other = Build.parse(PAIR), Build.parse("postfix-3.10.13+openssl-1.1.1w")
    tag = build_recipe(pair).tag(images_dir())
    labels = {names.POSTFIX: "3.7.11", names.OPENSSL: "1.1.1w", names.OCI_CREATED: "2026-11-23"}
    stale = Found(tag[:-12] + "0" * 12, "sha256:0", 7, labels)
    refusals = Refusals(tmp_path)
    refusals.remember(build_recipe(other).tag(images_dir()), DoesNotBuildError("x", "y.c: error"))
    entries = survey([pair, other], [stale], refusals, images_dir())
    assert [one.state for one in entries] == ["not built", "does not build: y.c: error"]
    (entry,) = survey([pair], [stale, Found(tag, "sha256:1", 9, labels)], refusals, images_dir())
    assert (entry.state, entry.size, entry.postfix, entry.made) == (
        "there",
        9,
        "3.7.11",
        "2026-11-23",
    )


def _stamped(build: Build, kind: SourceKind) -> dict[str, str]:
    recipe = build_recipe(build)
    source = Source(
        kind,
        "a" * 64,
        3,
        "postfix-3.7.11",
        url="https://x/y.tar.gz",
        path="/x",
        origin="/home/me/x",
    )
    linked = Image("openssl", "o:1", "sha256:o", {names.SOURCE: "openssl-1.1.1w sha256:b"})
    parents = {
        "BASE": Image("base", "postfix-matrix/base-bookworm:0", "sha256:base", {}),
        "OPENSSL": linked,
    }
    return stamp(recipe, "c" * 64, parents, {SOURCE_FILE: Archive(Path("/x"), source)}, WHEN)


def test_an_image_says_where_all_of_it_comes_from() -> None:
    """Provenance that a doubter accepts is in the image itself, under names that tools know."""
    labels = _stamped(Build.parse(PAIR), SourceKind.URL)
    assert labels[names.OCI_TITLE] == PAIR
    assert labels[names.OCI_VERSION] == "3.7.11+1.1.1w"
    assert labels[names.OCI_CREATED] == "2026-11-23T01:02:03+00:00"
    assert labels[names.OCI_BASE_DIGEST] == "sha256:base"
    assert labels[names.SOURCE] == f"postfix-3.7.11 sha256:{'a' * 64} corroborated:3"
    assert labels[names.OPENSSL_SOURCE] == "openssl-1.1.1w sha256:b"
    assert labels[names.RECIPE] == "c" * 64
    assert names.UNVERIFIED not in labels


def test_an_image_of_an_unverified_source_says_so() -> None:
    """The mark is in the image, so that it cannot be lost between a build and a report."""
    source = Source(SourceKind.LOCAL, "a" * 64, 0, "postfix-3.7.11", path="/x", origin="/home/me/x")
    mine = Release("postfix", "3.7.11", None, (source,))
    build = Build.parse(PAIR, Additions({mine.id: mine}))
    labels = _stamped(build, SourceKind.LOCAL)
    assert labels[names.UNVERIFIED] == "yes"
    assert "unverified, /home/me/x" in labels[names.SOURCE]
    assert build_recipe(build).tag(images_dir()) != build_recipe(Build.parse(PAIR)).tag(
        images_dir()
    )


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_each_image_has_a_recipe(name: str) -> None:
    """A record that leads to no recipe would fail only when somebody asks for it."""
    one = catalogue()[name]
    recipe: Recipe = build_recipe(one) if isinstance(one, Build) else one
    assert recipe.tag(images_dir()).startswith("postfix-matrix/")
