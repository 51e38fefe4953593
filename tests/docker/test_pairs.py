"""Pairs from source on a real engine: built, refused by a compiler, from a user's own tree."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import docker
import platformdirs
import pytest

from harness.catalog.builds import Build, UserAdditions
from harness.catalog.releases import find_release
from harness.docker_engine.cancel import Cancel
from harness.errors import DoesNotBuildError
from harness.images import labels as names
from harness.images.image_builder import ImageBuilder
from harness.images.recipes import SOURCE_FILE, build_recipe
from harness.paths import images_dir
from harness.sources.user_sources import parse_user_source
from tests.docker.conftest import Finished, run_process

pytestmark = pytest.mark.docker

#: What a patch of the test's own puts into smtpd's greeting of the log.
PATCHED = "connect from %s, patched"
LOCAL = "postfix-3.10.13+openssl-3.6.5-debian"


@pytest.fixture(scope="module")
def shop(engine: docker.DockerClient) -> ImageBuilder:
    """A shop with the user's own cache, where much of this may be already."""
    cache = Path(platformdirs.user_cache_dir("postfix-matrix"))
    return ImageBuilder(
        engine, images_dir=images_dir(), cache_dir=cache, on_step=lambda _, __: None
    )


def test_a_pair_is_linked_to_exactly_its_openssl(
    engine: docker.DockerClient, shop: ImageBuilder
) -> None:
    """The newest OpenSSL on a Postfix of another suite: compiled with it, and loads no other."""
    image = shop.build(Build.parse("postfix-3.10.13+openssl-4.0.3-debian"))
    found = image.versions
    assert found is not None
    assert (found.postfix, found.openssl_compiled, found.openssl_loaded, found.openssl_cli) == (
        ("3.10.13", "4.0.3", "4.0.3", "4.0.3")
    )
    assert image.labels[names.FLAVOUR] == "debian"
    assert "sha256:" in image.labels[names.SOURCE]
    assert "4.0.3-1" in image.labels[names.OPENSSL_SOURCE]
    words = engine.containers.run(
        image.reference, ["ldd", "/usr/libexec/postfix/smtpd"], remove=True, network_mode="none"
    ).decode()
    loaded = [line for line in words.splitlines() if "libssl" in line or "libcrypto" in line]
    assert len(loaded) == 2
    assert all("=> /opt/openssl-4.0.3/lib/" in line for line in loaded)


def test_what_a_compiler_refuses_is_data_and_tried_once(shop: ImageBuilder) -> None:
    """Postfix 3.7 does not know OpenSSL 4.0: the compiler's words are the finding, and stay."""
    build = Build.parse("postfix-3.7.11+openssl-4.0.3-debian")
    reference = shop.reference(build_recipe(build))
    log = shop.cache_dir / "logs" / f"{reference.rpartition('/')[2].replace(':', '-')}.log"
    with pytest.raises(DoesNotBuildError) as first:
        shop.build(build)
    assert first.value.reason.startswith("tls_fprint.c:")
    assert "error: invalid use of incomplete typedef" in first.value.reason
    written = log.stat().st_mtime_ns
    with pytest.raises(DoesNotBuildError) as again:
        shop.build(build)
    assert again.value.reason == first.value.reason
    assert log.stat().st_mtime_ns == written, "it was compiled again"


@pytest.fixture(scope="module")
def tree(shop: ImageBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Postfix 3.10.13 as a folder of the user's, with a log message of their own."""
    archive = shop.sources.fetch(find_release("postfix", "3.10.13"), Cancel(), lambda _: None)
    folder = tmp_path_factory.mktemp("tree")
    with tarfile.open(archive.path) as tar:
        tar.extractall(folder, filter="data")
    source = folder / archive.source.subdir / "src" / "smtpd" / "smtpd.c"
    text = source.read_text("latin-1")
    assert text.count('msg_info("connect from %s"') == 1
    # Bytes of its own: the image of an earlier run's tree would name that tree.
    text = f"{text}/* {folder} */\n"
    source.write_text(text.replace('"connect from %s"', f'"{PATCHED}"'), "latin-1")
    return folder / archive.source.subdir


@pytest.fixture(scope="module")
def run(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A small run of a pair that is made from that folder."""
    return run_process(
        tmp_path_factory.mktemp("runs"),
        *("--source", f"postfix-3.10.13={tree}", "-b", LOCAL, "-s", "defaults", "-S", "smtp"),
        *("-c", "aiosmtplib-debian12", "-o", "TLSv1.2"),
    )


def test_a_tree_of_the_users_own_is_what_runs(run: Finished) -> None:
    """The patch that somebody wants to try must be in the Postfix that answers."""
    assert run.code == 0, run.err[-3000:]
    cell = run.data.find(f"{LOCAL}/defaults/smtp/aiosmtplib-debian12/TLSv1.2")
    assert cell is not None
    assert cell.outcome == "accepted"
    evidence = run.data.evidence(cell)
    assert evidence is not None
    assert re.search(r"connect from \S+, patched", str(evidence))


def test_its_results_are_marked_everywhere(run: Finished, tree: Path) -> None:
    """A reader of any report must see that no checksum vouches for this Postfix."""
    image = run.data.run.images[LOCAL]
    assert image.unverified
    source = image.labels[names.SOURCE]
    assert "unverified, the local tree " in source
    assert tree.name in source
    # A run folder is there to be shared.
    assert str(tree) not in source
    assert "unverified source" in run.out
    for report in ("matrix.md", "matrix.csv", "index.html"):
        assert "unverified source" in (run.folder / report).read_text("utf-8"), report


def test_the_same_tree_is_the_same_image_and_another_is_not(
    shop: ImageBuilder, tree: Path, tmp_path: Path
) -> None:
    """A build is found again by what it is made from; one changed byte makes another."""
    word = f"postfix-3.10.13={tree}"
    first = _recipe_of(word, shop)
    assert first == _recipe_of(word, shop)
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(tree), str(copy)], check=True)
    with (copy / "README_FILES" / "AAAREADME").open("a") as file:
        file.write("x")
    assert _recipe_of(f"postfix-3.10.13={copy}", shop) != first
    shutil.rmtree(copy)


def _recipe_of(word: str, shop: ImageBuilder) -> str:
    mine = parse_user_source(word, shop.cache_dir)
    build = Build.parse(LOCAL, UserAdditions({mine.id: mine}))
    recipe = build_recipe(build)
    assert recipe.sources[SOURCE_FILE] == mine
    return shop.reference(recipe)


def test_an_image_of_the_users_own_is_measured_and_marked(
    shop: ImageBuilder, tmp_path: Path
) -> None:
    """Any image that keeps the contract can be tested, under a name of the user's."""
    reference = shop.build(Build.parse("debian-12")).reference
    done = run_process(
        tmp_path,
        *("--image", f"mine={reference}", "-s", "defaults", "-S", "smtp"),
        *("-c", "aiosmtplib-debian12", "-o", "TLSv1.2"),
    )
    assert done.code == 0, done.err[-3000:]
    assert done.data.run.axes.builds == ("mine",)
    assert done.data.run.images["mine"].foreign
    assert "own image" in done.out


def test_an_image_that_does_not_keep_the_contract_is_not_measured(
    engine: docker.DockerClient, shop: ImageBuilder, tmp_path: Path
) -> None:
    """A lying label is found before the first cell; the run says which, and measures nothing."""
    reference = shop.build(Build.parse("debian-12")).reference
    wrong, _ = engine.images.build(
        fileobj=io.BytesIO(f"FROM {reference}\nLABEL {names.POSTFIX}=9.9.9\n".encode()),
        rm=True,
    )
    try:
        done = run_process(
            tmp_path, "--image", f"liar={wrong.id}", "-s", "defaults", "-o", "TLSv1.2"
        )
        assert done.code == 3
        (missing,) = [one for one in done.data.run.missing if one.name == "liar"]
        assert missing.category == "image"
        assert "postfix-version" in missing.why
        assert "9.9.9" in missing.why
        assert not done.data.observations
    finally:
        engine.images.remove(str(wrong.id), force=True)
