"""``images build|list|check|prune`` on a real engine; no image is removed that a test did not make.

Pruning is tested by the functions that choose and remove, on the test's own tags: the command would
take a developer's outdated images with it.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from harness.catalog.builds import Build, base_suite
from harness.cli.main import run_cli
from harness.docker_engine.session import (
    LABEL_HOST,
    LABEL_RUN,
    DockerSession,
)
from harness.errors import DoesNotBuildError, ExitCode
from harness.images import labels as names
from harness.images.image_builder import ImageBuilder
from harness.images.pruning import TaggedImage, find_outdated, our_images, remove_images
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import base_recipe, build_recipe
from harness.paths import cache_dir, images_dir
from tests.schema_files import faults

pytestmark = pytest.mark.docker

#: Of the recipe that the outdated image of a test claims to be of.
HASH = "0" * 64

Maker = Callable[[str, str, dict[str, str]], str]


def _shop(engine: docker.DockerClient) -> ImageBuilder:
    return ImageBuilder(
        engine, images_dir=images_dir(), cache_dir=cache_dir(), on_step=lambda *_: None
    )


@pytest.fixture
def make(engine: docker.DockerClient) -> Iterator[Maker]:
    """Make an image FROM another one, with labels, under a tag; all are untagged in the end."""
    tags: list[str] = []

    def build(tag: str, parent: str, labels: dict[str, str]) -> str:
        # Labels in the file, so that no two tests' images are one by the build cache.
        lines = [f'LABEL {key}="{value}"' for key, value in labels.items()]
        text = "\n".join(
            [f"FROM {parent}", f"LABEL org.postfix-matrix.test={secrets.token_hex(8)}", *lines]
        )
        tags.append(tag)
        engine.images.build(fileobj=io.BytesIO(text.encode()), tag=tag, rm=True)
        return tag

    yield build
    for tag in reversed(tags):
        with suppress(DockerException):
            engine.images.remove(tag)


@pytest.fixture
def stale(make: Maker) -> str:
    """An image as the shop made it for a recipe that is none any more."""
    tag = f"postfix-matrix/test-{secrets.token_hex(4)}:{HASH[:12]}"
    return make(tag, "scratch", {names.RECIPE: HASH, names.BUILD: "debian-12"})


def _there(engine: docker.DockerClient, reference: str) -> bool:
    try:
        engine.images.get(reference)
    except ImageNotFound:
        return False
    return True


def _own(engine: docker.DockerClient, repository: str) -> list[TaggedImage]:
    """What is found of the test's own images."""
    return [one for one in our_images(engine) if one.reference.startswith(repository)]


def test_an_image_that_is_there_is_told_as_json(
    engine: docker.DockerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script builds what it needs, and reads from standard output which image it is."""
    image = _shop(engine).build(Build.parse("debian-12"))
    assert run_cli(["images", "build", "debian-12", "--json"]) == ExitCode.OK
    data = json.loads(capsys.readouterr().out)
    assert faults("images-build", data) == []
    (told,) = data["images"]
    assert (told["name"], told["state"], told["why"]) == ("debian-12", "there", None)
    assert (told["reference"], told["id"]) == (image.reference, image.id)


def test_the_list_says_what_is_there(
    engine: docker.DockerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """Versions and size are those of the image that the engine has."""
    image = _shop(engine).build(Build.parse("debian-12"))
    assert run_cli(["images", "list", "--json", "debian-12"]) == ExitCode.OK
    data = json.loads(capsys.readouterr().out)
    assert faults("images-list", data) == []
    (told,) = data["images"]
    assert (told["state"], told["reference"]) == ("there", image.reference)
    assert told["postfix"] == image.labels[names.POSTFIX]
    assert told["bytes"] == engine.images.get(image.id).attrs["Size"]


def test_checking_an_image_that_is_nowhere_says_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mistyped name is the likeliest mistake, and no fault of an image."""
    code = run_cli(["images", "check", "postfix-matrix/test-nowhere:1"])
    out, err = capsys.readouterr()
    assert code == ExitCode.INFRASTRUCTURE
    assert out == ""
    assert "there is no image postfix-matrix/test-nowhere:1" in err
    assert "next step" in err


def test_a_dry_run_names_what_is_out_of_date_and_removes_nothing(
    engine: docker.DockerClient,
    stale: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing means: no image, and no container of a run that was killed either."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    # Only who reads this state folder takes the session for dead.
    session = DockerSession(engine)
    lock = tmp_path / "postfix-matrix" / "sessions" / f"{session.id}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    left = engine.containers.create(
        stale, ["true"], labels={LABEL_RUN: session.id, LABEL_HOST: session.labels[LABEL_HOST]}
    )
    try:
        assert run_cli(["images", "prune", "--dry-run"]) == ExitCode.OK
        named = capsys.readouterr().out.splitlines()
        assert stale in named
        assert _there(engine, stale)
        left.reload()
    finally:
        left.remove(force=True)


def test_pruning_removes_what_is_out_of_date(engine: docker.DockerClient, stale: str) -> None:
    """An image of a recipe that has changed since is of no more use."""
    said: list[str] = []
    (found,) = find_outdated(_own(engine, stale), images_dir())
    assert remove_images(engine, [found], said.append) == 1
    assert said == [f"removed {stale}"]
    assert not _there(engine, stale)


def test_a_users_image_from_ours_is_spared(
    engine: docker.DockerClient, make: Maker, stale: str
) -> None:
    """It inherits our label; under our repository, and with --all, it is the user's still."""
    repository = stale.partition(":")[0]
    theirs = make(f"{repository}:mine", stale, {})
    assert engine.images.get(theirs).labels[names.RECIPE] == HASH
    assert [one.reference for one in _own(engine, repository)] == [stale]


def test_an_image_that_a_container_uses_is_kept(engine: docker.DockerClient, stale: str) -> None:
    """What somebody is at work with is not taken away, and the reason is told."""
    said: list[str] = []
    holder = engine.containers.create(stale, ["true"])
    try:
        assert remove_images(engine, _own(engine, stale), said.append) == 0
        assert _there(engine, stale)
    finally:
        holder.remove(force=True)
    assert said[0].startswith(f"kept {stale}: ")


def test_todays_image_is_not_out_of_date(engine: docker.DockerClient) -> None:
    """The build that the tests above stand on would be built the same."""
    reference = build_recipe(Build.parse("debian-12")).tag(images_dir())
    _shop(engine).build(Build.parse("debian-12"))
    found = _own(engine, reference)
    assert [one.reference for one in found] == [reference]
    assert find_outdated(found, images_dir()) == []


@pytest.fixture
def refused(engine: docker.DockerClient, tmp_path: Path) -> Iterator[Recipe]:
    """A recipe that no compiler takes, on a parent whose bytes are others each time it is made."""
    name = f"test-{secrets.token_hex(4)}"
    base = _shop(engine).ensure(base_recipe(base_suite())).reference
    files = {
        "parent": f"FROM {base}\nRUN cat /proc/sys/kernel/random/uuid >/once",
        "child": "ARG PARENT\nFROM ${PARENT}\nRUN echo 'does not build: x.c: error' && exit 1",
    }
    for folder, text in files.items():
        (tmp_path / "images" / folder).mkdir(parents=True)
        (tmp_path / "images" / folder / "Dockerfile").write_text(f"{text}\n")
    parent = Recipe(f"{name}-parent", RecipeKind.PART, "parent")
    yield Recipe(name, RecipeKind.PART, "child", parents={"PARENT": parent})
    with suppress(DockerException):
        engine.images.remove(parent.tag(tmp_path / "images"))


def test_a_refusal_holds_for_what_was_refused(
    engine: docker.DockerClient, refused: Recipe, tmp_path: Path
) -> None:
    """It is not tried twice on the same toolchain, but is on another one, and when asked for."""

    def remembered(*, again: bool = False) -> list[bool]:
        """Of two tries by one shop: whether each was answered from memory."""
        shop = ImageBuilder(
            engine,
            images_dir=tmp_path / "images",
            cache_dir=tmp_path / "cache",
            on_step=lambda *_: None,
            again=again,
        )
        errors = []
        for _ in range(2):
            with pytest.raises(DoesNotBuildError, match=r"x\.c: error") as caught:
                shop.ensure(refused)
            errors.append(caught.value)
        return ["--again" in error.next_step for error in errors]

    assert remembered() == [False, True]
    assert remembered() == [True, True]
    assert remembered(again=True) == [False, True]
    # A suite's newer compiler: the same tag, other bytes.
    engine.images.remove(refused.parents["PARENT"].tag(tmp_path / "images"))
    assert remembered() == [False, True]
