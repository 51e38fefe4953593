"""Recipes: what changes an image's tag, and what does not."""

from __future__ import annotations

import io
import os
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.catalog.builds import Build, all_builds, find_openssl
from harness.catalog.clients import all_clients, all_controls, find_client
from harness.catalog.releases import Source, SourceKind, find_release
from harness.errors import InfrastructureError, SourceError
from harness.files import file_digest
from harness.images import labels as names
from harness.images.context import context_files, write_tar
from harness.images.recipe import Recipe, RecipeKind, safe_name
from harness.images.recipes import (
    SOURCE_FILE,
    base_recipe,
    build_recipe,
    client_recipe,
    control_recipe,
    dns_recipe,
    openssl_recipe,
    proxy_recipe,
    sasl_recipe,
    toolchain_recipe,
)
from harness.paths import images_dir
from harness.sources.archives import (
    Archive,
    check_unchanged,
)

TEXTS = st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=8)
MAPS = st.dictionaries(TEXTS, TEXTS, max_size=4)

ALL_RECIPES = [
    *(build_recipe(build) for build in all_builds()),
    *(client_recipe(client) for client in all_clients()),
    *(control_recipe(control.name) for control in all_controls()),
    sasl_recipe(),
    dns_recipe(),
    proxy_recipe(),
]


def _make_folder(root: Path, name: str = "thing") -> Path:
    folder = root / name
    (folder / "sub").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "sub" / "run.sh").write_text("#!/bin/sh\n")
    return folder


def _make_recipe(**changes: object) -> Recipe:
    plain = Recipe(
        "thing-1.0+x",
        RecipeKind.PART,
        "thing",
        args={"A": "1", "B": "2"},
        parents={"BASE": Recipe("parent", RecipeKind.BASE, "thing", args={"SUITE": "x"})},
        sources={SOURCE_FILE: find_release("postfix", "3.7.11")},
        labels={"one": "1", "two": "2"},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # the tests name real fields


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(args=MAPS, labels=MAPS)
def test_the_order_of_arguments_and_labels_says_nothing(
    tmp_path_factory: pytest.TempPathFactory, args: dict[str, str], labels: dict[str, str]
) -> None:
    """Two machines, and two versions of Python, must compute the same tag."""
    root = tmp_path_factory.getbasetemp() / "order"
    if not root.exists():
        _make_folder(root)
    first = _make_recipe(args=args, labels=labels)
    turned = _make_recipe(args=dict(reversed(args.items())), labels=dict(reversed(labels.items())))
    assert first.content_hash(root) == turned.content_hash(root)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(first=MAPS, second=MAPS, field=st.sampled_from(["args", "labels"]))
def test_other_arguments_or_labels_are_another_image(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, str],
    second: dict[str, str],
    field: str,
) -> None:
    """Any change of an image's content changes its tag; the same content never does."""
    root = tmp_path_factory.getbasetemp() / "other"
    if not root.exists():
        _make_folder(root)
    same = _make_recipe(**{field: first}).content_hash(root) == _make_recipe(
        **{field: second}
    ).content_hash(root)
    assert same == (first == second)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "thing-1.1"},
        {"kind": RecipeKind.CLIENT},
        {"sources": {}},
        {"sources": {SOURCE_FILE: find_release("stunnel", "5.68")}},
        {"sources": {"other.tar.gz": find_release("postfix", "3.7.11")}},
        {"parents": {}},
        {"parents": {"BASE": Recipe("parent", RecipeKind.BASE, "thing", args={"SUITE": "y"})}},
        {"parents": {"ORIGIN": Recipe("parent", RecipeKind.BASE, "thing", args={"SUITE": "x"})}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_field_counts(tmp_path: Path, change: dict[str, object]) -> None:
    """A changed parent, source or name must never give an image that was made of something else."""
    _make_folder(tmp_path)
    assert _make_recipe().content_hash(tmp_path) != _make_recipe(**change).content_hash(tmp_path)


def _add_file(folder: Path) -> None:
    (folder / "new").write_text("")


def _change_byte(folder: Path) -> None:
    (folder / "sub" / "run.sh").write_text("#!/bin/sX\n")


def _rename_file(folder: Path) -> None:
    (folder / "sub" / "run.sh").rename(folder / "sub" / "walk.sh")


def _make_executable(folder: Path) -> None:
    (folder / "sub" / "run.sh").chmod(0o755)


@pytest.mark.parametrize("change", [_add_file, _change_byte, _rename_file, _make_executable])
def test_each_file_counts(tmp_path: Path, change: object) -> None:
    """Name, bytes and executability of each context file are part of the image."""
    assert callable(change)
    folder = _make_folder(tmp_path)
    before = _make_recipe().content_hash(tmp_path)
    change(folder)
    assert _make_recipe().content_hash(tmp_path) != before


def test_times_places_and_litter_do_not_count(tmp_path: Path) -> None:
    """A fresh clone elsewhere finds the images of an old one; caches of Python are no content."""
    first, second = tmp_path / "a", tmp_path / "some" / "where" / "else"
    _make_folder(first)
    folder = _make_folder(second)
    os.utime(folder / "Dockerfile", (1, 1))
    (folder / "Dockerfile").chmod(0o664)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"x")
    (folder / "sub" / "run.sh~").write_text("old")
    assert _make_recipe().content_hash(first) == _make_recipe().content_hash(second)


def test_extra_folders_count_under_their_prefix(tmp_path: Path) -> None:
    """Shared driver code is part of every image that has it."""
    _make_folder(tmp_path)
    common = tmp_path / "common"
    common.mkdir()
    (common / "contract.py").write_text("1\n")
    recipe = _make_recipe(extra={"common": "common"})
    before = recipe.content_hash(tmp_path)
    assert before != _make_recipe().content_hash(tmp_path)
    (common / "contract.py").write_text("2\n")
    assert recipe.content_hash(tmp_path) != before
    files = context_files(tmp_path / "thing", recipe.extra_folders(tmp_path))
    assert [file.name for file in files] == ["Dockerfile", "common/contract.py", "sub/run.sh"]


def test_a_file_cannot_hide_another(tmp_path: Path) -> None:
    """An extra folder that has the same path as a file of the recipe is a slip, and is named."""
    _make_folder(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.sh").write_text("other\n")
    with pytest.raises(InfrastructureError, match="hides"):
        context_files(tmp_path / "thing", {"sub": tmp_path / "other"})


def test_a_missing_folder_or_dockerfile_is_named(tmp_path: Path) -> None:
    """A half-copied project is reported as such, not as a Docker error."""
    with pytest.raises(InfrastructureError, match="is missing"):
        _make_recipe().content_hash(tmp_path)
    (tmp_path / "thing").mkdir()
    with pytest.raises(InfrastructureError, match="no Dockerfile"):
        _make_recipe().content_hash(tmp_path)


def _tar_of(folder: Path, sources: dict[str, Path]) -> bytes:
    out = io.BytesIO()
    write_tar(out, context_files(folder, {}), sources)
    return out.getvalue()


def test_what_is_built_from_is_hashed_as_it_is_sent(tmp_path: Path) -> None:
    """A local archive that changes after it was verified must not be built under the old hash."""
    source = tmp_path / "downloaded"
    source.write_bytes(b"archive")
    files = context_files(_make_folder(tmp_path / "a"), {})
    written = write_tar(io.BytesIO(), files, {SOURCE_FILE: source})
    assert written == {SOURCE_FILE: file_digest(source)}
    pinned = Source(SourceKind.LOCAL, file_digest(source), 0, "x", path=str(source))
    check_unchanged(Archive(source, pinned), written[SOURCE_FILE])
    source.write_bytes(b"another")
    written = write_tar(io.BytesIO(), files, {SOURCE_FILE: source})
    with pytest.raises(SourceError, match=f"{written[SOURCE_FILE]} instead of {pinned.sha256}"):
        check_unchanged(Archive(source, pinned), written[SOURCE_FILE])


def test_the_context_archive_is_the_same_everywhere(tmp_path: Path) -> None:
    """The engine's cache is keyed on the context, so times and owners must not get into it."""
    source = tmp_path / "downloaded"
    source.write_bytes(b"archive")
    folders = _make_folder(tmp_path / "a"), _make_folder(tmp_path / "b")
    os.utime(folders[1] / "Dockerfile", (1, 1))
    archive, other_archive = (_tar_of(folder, {"source.tar.gz": source}) for folder in folders)
    assert archive == other_archive
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == ["Dockerfile", "source.tar.gz", "sub/run.sh"]
        content = tar.extractfile("source.tar.gz")
        assert content is not None
        assert content.read() == b"archive"


@given(st.text(max_size=20))
def test_any_name_gives_a_valid_repository(text: str) -> None:
    """Docker refuses upper case, '+' and doubled separators; a user's build may have any."""
    name = safe_name(f"{text}z")
    assert re.fullmatch(r"[a-z0-9]+(?:(?:\.|-+)[a-z0-9]+)*", name)


@pytest.mark.parametrize("recipe", ALL_RECIPES, ids=lambda recipe: recipe.name)
def test_the_real_recipes_are_whole(recipe: Recipe) -> None:
    """Each argument of a recipe is one that its Dockerfile has, and no FROM goes without."""
    text = (images_dir() / recipe.folder / "Dockerfile").read_text("utf-8")
    declared = set(re.findall(r"^ARG\s+(\w+)", text, re.MULTILINE))
    given_args = {*recipe.args, *recipe.parents}
    given_args |= {"SUBDIR"} if recipe.sources else set()
    given_args |= {"ORIGIN"} if recipe.kind is RecipeKind.BASE else set()
    assert given_args <= declared
    in_from = set(re.findall(r"^FROM\s+\$\{(\w+)\}", text, re.MULTILINE))
    assert in_from <= given_args
    assert re.fullmatch(r"postfix-matrix/[a-z0-9.-]+:[0-9a-f]{12}", recipe.tag(images_dir()))


def test_tags_of_different_recipes_differ() -> None:
    """No two images of the catalog are taken for each other."""
    tags = {recipe.tag(images_dir()) for recipe in ALL_RECIPES}
    assert len(tags) == len(ALL_RECIPES)


def test_a_pair_is_labelled_from_the_catalog_and_shares_its_parents() -> None:
    """A build from source is labelled with its versions; its parents are built once for all."""
    recipe = build_recipe(Build.parse("postfix-3.7.11+openssl-1.1.1w"))
    assert recipe.labels[names.POSTFIX] == "3.7.11"
    assert recipe.labels[names.OPENSSL] == "1.1.1w"
    assert recipe.labels[names.CONTRACT] == "1"
    assert "uname26" in recipe.args["SWITCHES"].split()
    assert recipe.parents["OPENSSL"] == openssl_recipe(find_openssl("1.1.1w"))
    assert recipe.parents["BASE"] == base_recipe("bookworm")


def test_a_distribution_is_not_labelled_with_versions_beforehand() -> None:
    """Packages get updates: what a distribution runs is known only from its image."""
    recipe = build_recipe(Build.parse("debian-12"))
    assert names.POSTFIX not in recipe.labels
    assert names.OPENSSL not in recipe.labels


def test_another_openssl_is_compiled_on_the_distributions_own_toolchain() -> None:
    """One that is compiled on a newer system needs a newer libc than the distribution has."""
    recipe = build_recipe(Build.parse("ubuntu-16.04+openssl-1.0.2h"))
    assert recipe.parents["TOOLCHAIN"] == toolchain_recipe("xenial")
    assert recipe.parents["DISTRIBUTION"] == build_recipe(Build.parse("ubuntu-16.04"))
    assert recipe.labels[names.OPENSSL] == "1.0.2h"
    assert names.POSTFIX not in recipe.labels
    assert recipe.sources[SOURCE_FILE].id == "openssl-1.0.2h"


def test_a_control_never_passes_for_a_build() -> None:
    """Control images are based on a build's image, and must not keep its name and kind."""
    for control in all_controls():
        recipe = control_recipe(control.name)
        assert recipe.labels[names.KIND] == "control"
        assert recipe.labels[names.BUILD] == control.name
        assert not recipe.is_build


@pytest.mark.parametrize(
    ("version", "folder"), [("1.1.0g", "openssl-1.1.0"), ("1.1.0h", "openssl")]
)
def test_an_openssl_whose_configure_needs_an_old_perl_is_adapted_first(
    version: str, folder: str
) -> None:
    """Protects 1.1.0 to 1.1.0g, and the images of all others, whose recipe stays as it is."""
    recipe = openssl_recipe(find_openssl(version))
    assert recipe.folder == folder
    files = {
        file.name
        for file in context_files(images_dir() / folder, recipe.extra_folders(images_dir()))
    }
    script = "build.sh" if folder == "openssl" else "openssl/build.sh"
    assert {"Dockerfile", script} <= files
    assert "no-tests" not in recipe.args["CONFIGURE"].split()


@pytest.mark.parametrize(("version", "adapted"), [("1.1.0g", True), ("1.1.0h", False)])
def test_an_openssl_under_a_distributions_postfix_is_adapted_too(
    version: str, adapted: bool
) -> None:
    """Protects 1.1.0 to 1.1.0g on debian-11 and ubuntu-20.04, which have Perl 5.30 and later."""
    recipe = build_recipe(Build.parse(f"debian-11+openssl-{version}"))
    folder = images_dir() / recipe.folder
    files = {file.name for file in context_files(folder, recipe.extra_folders(images_dir()))}
    assert ("adaptation/adapt.sh" in files) == adapted
    assert "openssl/build.sh" in files


def test_a_client_brings_its_python_and_its_files_where_its_suite_has_none() -> None:
    """Protects old suites: a client of 14.04 is made from its own package files, a build is not."""
    recipe = client_recipe(find_client("phpmailer-php5.5"))
    base = recipe.parents["BASE"]
    assert base.name == "base-trusty-runtimes"
    assert set(base_recipe("trusty").packages) < set(base.packages)
    assert recipe.parents["PYTHON"].parents["BASE"] == base_recipe("bookworm")
    assert "PYTHON" not in client_recipe(find_client("smtplib-debian13")).parents
