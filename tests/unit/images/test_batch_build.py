"""What can be ordered of images, what is remembered of them, and what is ours to remove."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.catalog.builds import Build, UserAdditions, find_openssl
from harness.catalog.releases import Release, Source, SourceKind
from harness.errors import DoesNotBuildError
from harness.images import labels as names
from harness.images.batch_build import (
    add_parts,
    list_orderables,
    order_name,
)
from harness.images.image import Image
from harness.images.image_states import list_states
from harness.images.pruning import TaggedImage
from harness.images.pulled_images import PulledRecords
from harness.images.recipe import Recipe
from harness.images.recipes import SOURCE_FILE, build_recipe, openssl_recipe
from harness.images.refusals import Refusals, file_name, list_inputs
from harness.images.stamping import make_labels
from harness.paths import images_dir
from harness.sources.archives import Archive

PAIR = "postfix-3.7.11+openssl-1.1.1w"
INPUTS = {"TOOLCHAIN": "sha256:old", SOURCE_FILE: "a" * 64}
WHEN = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def test_everything_in_the_catalog_can_be_ordered_by_a_name_of_its_own() -> None:
    """Each name that a glob of 'images build' matches stands for one image."""
    known = list_orderables()
    assert all(order_name(order) == name for name, order in known.items())
    assert {PAIR, "debian-12", "openssl-1.0.2h-stock", "openssl-1.0.2h-legacy", "sasl"} <= set(
        known
    )


def test_a_pair_brings_its_openssl_first() -> None:
    """The half that takes longest begins at once, and is built also where the other is missing."""
    ordered = list(add_parts([Build.parse("debian-12"), Build.parse(PAIR)]))
    assert ordered == ["toolchain-bookworm", "openssl-1.1.1w-stock", "debian-12", PAIR]


def test_a_release_that_leaves_nothing_out_has_one_image_for_both_flavours() -> None:
    """OpenSSL 1.0.1e has every protocol by itself: 'legacy' would be the same bytes again."""
    assert openssl_recipe(find_openssl("1.0.1e-legacy")) == openssl_recipe(find_openssl("1.0.1e"))
    assert openssl_recipe(find_openssl("1.0.2h-legacy")) != openssl_recipe(find_openssl("1.0.2h"))


def test_postfix_objects_are_shared_by_the_pairs_of_a_release() -> None:
    """What does not depend on OpenSSL is compiled once for each Postfix, not for each pair."""
    recipes = [
        build_recipe(Build.parse(f"postfix-3.10.13+openssl-{version}"))
        for version in ("1.1.1w", "3.5.7")
    ]
    assert recipes[0].parents["OBJECTS"] == recipes[1].parents["OBJECTS"]
    other = build_recipe(Build.parse(PAIR))
    assert other.parents["OBJECTS"] != recipes[0].parents["OBJECTS"]


def test_a_refusal_is_remembered_by_the_recipe(tmp_path: Path) -> None:
    """What a compiler refused is not compiled again until its input changes or the user asks."""
    memory, tag = Refusals(tmp_path), "postfix-matrix/pair:0123456789ab"
    assert memory.recall("pair", tag, INPUTS) is None
    memory.remember(tag, DoesNotBuildError("pair", "x.c:1: error: no"), INPUTS, tmp_path / "log")
    recalled = Refusals(tmp_path).recall("pair", tag, INPUTS)
    assert recalled is not None
    assert recalled.reason == "x.c:1: error: no"
    assert memory.recall("pair", "postfix-matrix/pair:ba9876543210", INPUTS) is None
    memory.forget(tag)
    assert memory.recall("pair", tag, INPUTS) is None


@pytest.mark.parametrize("other", [{"TOOLCHAIN": "sha256:new"}, {SOURCE_FILE: "b" * 64}])
def test_a_refusal_of_other_input_does_not_count(tmp_path: Path, other: dict[str, str]) -> None:
    """A newer compiler, or another archive of the release, may build what was refused."""
    memory, tag = Refusals(tmp_path), "postfix-matrix/pair:0123456789ab"
    memory.remember(tag, DoesNotBuildError("pair", "x.c: error"), INPUTS, tmp_path / "log")
    assert memory.recall("pair", tag, {**INPUTS, **other}) is None
    assert memory.recall("pair", tag, None) is not None


def test_what_an_image_is_made_from_is_known_by_ids_and_checksums() -> None:
    """A toolchain that was made again has another id, under the same tag."""
    source = Source(SourceKind.URL, "a" * 64, 0, "postfix-3.7.11", url="https://x/y.tar.gz")
    parents = {"TOOLCHAIN": Image("toolchain", "t:1", "sha256:old", {})}
    assert list_inputs(parents, {SOURCE_FILE: Archive(Path("/x"), source)}) == INPUTS


def test_a_remembered_refusal_says_what_to_do_about_it(tmp_path: Path) -> None:
    """The command is whole, and the log is named as long as it is there."""
    memory, tag, log = Refusals(tmp_path), "postfix-matrix/pair:0123456789ab", tmp_path / "x.log"
    log.write_text("cc -c x.c")
    memory.remember(tag, DoesNotBuildError("pair", "x.c: error"), INPUTS, log)
    for there in (True, False):
        recalled = memory.recall("pair", tag, INPUTS)
        assert recalled is not None
        assert "'postfix-matrix images build --again pair'" in recalled.next_step
        assert (str(log) in recalled.next_step) is there
        log.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "text", ['{"rea', '{"reason": "x.c: error"}', '{"reason": 1, "inputs": 2}']
)
def test_a_torn_memory_is_none(tmp_path: Path, text: str) -> None:
    """A file that a crash left half-written, or of another version, must not stop a build."""
    tag = "postfix-matrix/pair:0123456789ab"
    (tmp_path / "refused").mkdir()
    (tmp_path / "refused" / f"{file_name(tag)}.json").write_text(text)
    assert Refusals(tmp_path).recall("pair", tag, None) is None


def test_survey_reports_built_images_missing_ones_and_refusals(tmp_path: Path) -> None:
    """'images list' must not call anything built that a change of its recipe has made stale."""
    pair, other = Build.parse(PAIR), Build.parse("postfix-3.10.13+openssl-1.1.1w")
    tag = build_recipe(pair).tag(images_dir())
    labels = {names.POSTFIX: "3.7.11", names.OPENSSL: "1.1.1w", names.OCI_CREATED: "2026-11-23"}
    stale = TaggedImage(tag[:-12] + "0" * 12, "sha256:0", 7, labels)
    refusals, records = Refusals(tmp_path), PulledRecords(tmp_path)
    refused = build_recipe(other).tag(images_dir())
    refusals.remember(refused, DoesNotBuildError("x", "y.c: error"), INPUTS, tmp_path / "log")
    entries = list_states([pair, other], [stale], refusals, records, images_dir())
    assert [entry.state for entry in entries] == ["not built", "does not build: y.c: error"]
    (entry,) = list_states(
        [pair], [stale, TaggedImage(tag, "sha256:1", 9, labels)], refusals, records, images_dir()
    )
    assert (entry.state, entry.size, entry.postfix, entry.made) == (
        "there",
        9,
        "3.7.11",
        "2026-11-23",
    )


def _make_labels(build: Build, kind: SourceKind) -> dict[str, str]:
    recipe = build_recipe(build)
    source = Source(
        kind,
        "a" * 64,
        3,
        "postfix-3.7.11",
        url="https://x/y.tar.gz",
        package="thing@1.0",
        path="/x",
        origin="/home/me/x",
    )
    linked = Image("openssl", "o:1", "sha256:o", {names.SOURCE: "openssl-1.1.1w sha256:b"})
    parents = {
        "BASE": Image("base", "postfix-matrix/base-bookworm:0", "sha256:base", {}),
        "OPENSSL": linked,
    }
    return make_labels(recipe, "c" * 64, parents, {SOURCE_FILE: Archive(Path("/x"), source)}, WHEN)


def test_an_image_says_where_all_of_it_comes_from() -> None:
    """Provenance that a doubter accepts is in the image itself, under names that tools know."""
    labels = _make_labels(Build.parse(PAIR), SourceKind.URL)
    assert labels[names.OCI_TITLE] == PAIR
    assert labels[names.OCI_VERSION] == "3.7.11+1.1.1w"
    assert labels[names.OCI_CREATED] == "2026-11-23T01:02:03+00:00"
    # Inherited: the registry's name and digest, which an image's id here is not.
    assert not {names.OCI_BASE_NAME, names.OCI_BASE_DIGEST} & labels.keys()
    assert labels[names.SOURCE] == f"postfix-3.7.11 sha256:{'a' * 64} corroborated:3"
    assert labels[names.OPENSSL_SOURCE] == "openssl-1.1.1w sha256:b"
    assert labels[names.RECIPE] == "c" * 64
    assert names.UNVERIFIED not in labels


def test_a_source_that_was_a_part_of_something_else_is_named() -> None:
    """A third party's copy is not upstream's archive, and must not look like it."""
    npm = _make_labels(Build.parse(PAIR), SourceKind.NPM)[names.SOURCE]
    assert npm == f"postfix-3.7.11 sha256:{'a' * 64} corroborated:3, npm package thing@1.0"


def test_an_image_of_an_unverified_source_says_so() -> None:
    """The mark is in the image, so that it cannot be lost between a build and a report."""
    source = Source(SourceKind.LOCAL, "a" * 64, 0, "postfix-3.7.11", path="/x", origin="/home/me/x")
    user_release = Release("postfix", "3.7.11", None, (source,))
    build = Build.parse(PAIR, UserAdditions({user_release.id: user_release}))
    labels = _make_labels(build, SourceKind.LOCAL)
    assert labels[names.UNVERIFIED] == "yes"
    assert "unverified, /home/me/x" in labels[names.SOURCE]
    assert build_recipe(build).tag(images_dir()) != build_recipe(Build.parse(PAIR)).tag(
        images_dir()
    )


@pytest.mark.parametrize("name", sorted(list_orderables()))
def test_each_image_has_a_recipe(name: str) -> None:
    """A record without a recipe would otherwise fail only when it is ordered."""
    order = list_orderables()[name]
    recipe: Recipe = build_recipe(order) if isinstance(order, Build) else order
    assert recipe.tag(images_dir()).startswith("postfix-matrix/")


def test_a_pulled_image_is_listed_as_one(tmp_path: Path) -> None:
    """A list that says only "there" would hide that another machine built the image."""
    build, records = Build.parse(PAIR), PulledRecords(tmp_path)
    existing = [TaggedImage(build_recipe(build).tag(images_dir()), "sha256:1", 9, {})]
    name = f"registry.example/images@sha256:{'a' * 64}"
    records.remember("sha256:1", name)
    for image_id, state, pulled in (("1", "there, pulled", name), ("2", "there", "")):
        existing = [TaggedImage(existing[0].reference, f"sha256:{image_id}", 9, {})]
        (entry,) = list_states([build], existing, Refusals(tmp_path), records, images_dir())
        assert (entry.state, entry.pulled) == (state, pulled)
