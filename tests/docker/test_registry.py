"""Images from a registry, on a real one: pushed, pulled, checked, and built here where that fails.

Most images here are a few bytes; each test removes what it made, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import docker
import pytest

from harness.catalog.builds import Build, base_suite
from harness.catalog.releases import Release, Source, SourceKind
from harness.cli.main import run_cli
from harness.errors import ExitCode
from harness.images import labels as names
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.pulled_images import PulledRecords
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import base_recipe, build_recipe
from harness.images.registry import ImageRegistry, read_lock
from harness.images.registry_pusher import PushState, RegistryPusher
from harness.observations.run_folder import load_run
from harness.paths import cache_dir, images_dir
from tests.docker.conftest import run_process
from tests.docker.registry_machine import (
    Machine,
    image_exists,
    make_recipe,
    push_other,
    remove_marked,
)
from tests.docker.registry_server import (
    RegistryServer,
    find_free_port,
    start_registry,
)
from tests.schema_files import faults

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry that anyone may write to."""
    with start_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


def test_what_was_pushed_is_pulled_and_not_built(
    engine: docker.DockerClient, server: RegistryServer, mark: str, tmp_path: Path
) -> None:
    """A second machine gets the very image, without its parents, and knows where it is from."""
    parent = make_recipe(tmp_path, mark, "parent")
    recipe = make_recipe(tmp_path, mark, base="${PARENT}", parents={"PARENT": parent})
    first = Machine(engine, tmp_path, "first")
    original = first.builder.ensure(recipe)
    (result,) = first.push(server, recipe)
    assert result.state is PushState.PUSHED
    remove_marked(engine, mark)

    second = Machine(engine, tmp_path, "second", ImageRegistry(server.repository))
    image = second.builder.ensure(recipe)
    assert image.id == original.id
    assert image.pulled == f"{server.repository}@{result.digest}"
    assert (recipe.name, f"pulled, built elsewhere on {datetime.now(UTC).date()}") in second.steps
    assert second.built() == []
    assert second.notices == []
    assert not image_exists(engine, second.builder.reference(parent))
    assert second.builder.log_of(image) is None
    assert engine.images.list(name=server.repository) == [], "our tag is the only one that stays"
    assert second.builder.ensure(recipe) == image


def test_an_image_built_here_is_not_called_pulled(
    engine: docker.DockerClient, server: RegistryServer, mark: str, tmp_path: Path
) -> None:
    """To push an image does not make it another machine's."""
    machine = Machine(engine, tmp_path, "first")
    recipe = make_recipe(tmp_path, mark)
    machine.builder.ensure(recipe)
    machine.push(server, recipe)
    assert machine.builder.ensure(recipe).pulled == ""
    assert engine.images.list(name=server.repository) == []


def test_what_the_registry_does_not_have_is_built(
    engine: docker.DockerClient, server: RegistryServer, mark: str, tmp_path: Path
) -> None:
    """One line says so, however many images it does not have."""
    machine = Machine(engine, tmp_path, "first", ImageRegistry(server.repository))
    recipes = [make_recipe(tmp_path, mark, name) for name in ("small", "other")]
    for recipe in recipes:
        assert machine.builder.ensure(recipe).pulled == ""
    assert machine.built() == [recipe.name for recipe in recipes]
    ((about, notice),) = machine.notices
    assert about == server.repository
    assert f"does not have the image of {recipes[0].name}" in notice


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (f"{names.RECIPE}={'0' * 64}", f"its label {names.RECIPE} is '{'0' * 64}'"),
        (f"{names.KIND}=part", f"its label {names.RECIPE} is not there"),
    ],
)
def test_an_image_with_other_labels_is_refused_and_built(
    engine: docker.DockerClient,
    server: RegistryServer,
    mark: str,
    tmp_path: Path,
    label: str,
    reason: str,
) -> None:
    """Another image under the recipe's tag is named, and is not used."""
    machine = Machine(engine, tmp_path, "first", ImageRegistry(server.repository))
    recipe = make_recipe(tmp_path, mark)
    tag = ImageRegistry(server.repository).make_tag(machine.builder.reference(recipe))
    title = f"{names.OCI_TITLE}={recipe.name}"
    push_other(engine, server, tag, f"FROM scratch\nLABEL {title} {label}", mark)
    assert machine.builder.ensure(recipe).pulled == ""
    assert machine.built() == [recipe.name]
    ((about, notice),) = machine.notices
    assert about == recipe.name
    assert f"is refused: {reason}" in notice
    assert engine.images.list(name=server.repository) == [], "what was refused is not kept"


@pytest.fixture(scope="module")
def builder(engine: docker.DockerClient) -> ImageBuilder:
    """The image builder of this machine, with the project's own recipes."""
    return ImageBuilder(
        engine, images_dir=images_dir(), cache_dir=cache_dir(), on_step=lambda *_: None
    )


@pytest.fixture(scope="module")
def build(builder: ImageBuilder) -> Image:
    """The debian-12 build: a real Postfix to make other builds from."""
    return builder.ensure(build_recipe(Build.parse("debian-12")))


@pytest.fixture(scope="module")
def system(builder: ImageBuilder) -> str:
    """The base image: a small system without Postfix."""
    return builder.ensure(base_recipe(base_suite())).reference


def test_a_build_that_runs_other_versions_is_refused_and_built(
    engine: docker.DockerClient,
    build: Image,
    system: str,
    server: RegistryServer,
    mark: str,
    tmp_path: Path,
) -> None:
    """Labels prove nothing: the pulled build is started and asked, as one that was built here."""
    versions = {key: build.labels[key] for key in (names.POSTFIX, names.OPENSSL)}
    recipe = make_recipe(
        tmp_path, mark, base=build.reference, kind=RecipeKind.SOURCE, labels=versions
    )
    machine = Machine(engine, tmp_path, "first", ImageRegistry(server.repository))
    content = recipe.content_hash(tmp_path / "images")
    labels = {**versions, names.OCI_TITLE: recipe.name, names.RECIPE: content}
    text = f"FROM {system}\nLABEL " + " ".join(f"{key}={value}" for key, value in labels.items())
    linked = f"OpenSSL {versions[names.OPENSSL]} 1 Jan 2026"
    programs = {"postconf": f"case $* in *mail_version) echo 3.1.0;; *) echo {linked};; esac"}
    programs["openssl"] = f"echo {linked}"
    for name, script in programs.items():
        path = f"/usr/bin/{name}"
        text += f"\nRUN echo '#!/bin/sh' >{path} && echo '{script}' >>{path} && chmod 755 {path}"
    tag = ImageRegistry(server.repository).make_tag(machine.builder.reference(recipe))
    push_other(engine, server, tag, text, mark)
    assert machine.builder.ensure(recipe).pulled == ""
    ((about, notice),) = machine.notices
    assert about == recipe.name
    assert f"says Postfix {versions[names.POSTFIX]}, but it runs 3.1.0" in notice


def test_a_broken_download_is_reported_and_the_image_built(
    engine: docker.DockerClient, mark: str, tmp_path: Path
) -> None:
    """Bytes that are not those of the digest never become an image, and nothing hangs."""
    recipe = make_recipe(tmp_path, mark)
    first = Machine(engine, tmp_path, "first")
    first.builder.ensure(recipe)
    folder = tmp_path / "registry"
    folder.mkdir()
    with start_registry(folder) as server:
        first.push(server, recipe)
        remove_marked(engine, mark)
        layer = max(
            (blob for blob in server.list_blobs() if blob.read_bytes()[:2] == b"\x1f\x8b"),
            key=lambda blob: blob.stat().st_size,
        )
        layer.write_bytes(layer.read_bytes()[::-1])
        second = Machine(engine, tmp_path, "second", ImageRegistry(server.repository))
        assert second.builder.ensure(recipe).pulled == ""
    assert second.built() == [recipe.name]
    ((about, notice),) = second.notices
    assert about == recipe.name
    assert "broke off" in notice
    assert "it is built here" in notice


def test_a_pinned_digest_is_what_is_pulled(
    engine: docker.DockerClient, server: RegistryServer, mark: str, tmp_path: Path
) -> None:
    """A later writer to the registry cannot give another image, not even with good labels."""
    recipe, unpinned = (make_recipe(tmp_path, mark, name) for name in ("small", "other"))
    first = Machine(engine, tmp_path, "first")
    original = first.builder.ensure(recipe)
    first.builder.ensure(unpinned)
    (result, _) = first.push(server, recipe, unpinned)
    labels = " ".join(f"{key}={value}" for key, value in original.labels.items())
    push_other(engine, server, result.tag, f"FROM scratch\nLABEL {labels} forged=yes", mark)
    remove_marked(engine, mark)

    trusting = Machine(engine, tmp_path, "second", ImageRegistry(server.repository))
    assert "forged" in trusting.builder.ensure(recipe).labels, "labels alone do not show it"
    remove_marked(engine, mark)
    pinned = ImageRegistry(server.repository, {result.tag: result.digest})
    careful = Machine(engine, tmp_path, "third", pinned)
    image = careful.builder.ensure(recipe)
    assert (image.id, image.pulled) == (original.id, f"{server.repository}@{result.digest}")
    assert careful.builder.ensure(unpinned).pulled == ""
    assert careful.built() == [unpinned.name]
    assert engine.images.list(name=server.repository) == []


def test_what_is_made_from_a_users_source_stays_here(
    engine: docker.DockerClient, mark: str, tmp_path: Path
) -> None:
    """It is neither pushed nor looked for in a registry: no checksum says what it is."""
    source = Source(SourceKind.LOCAL, "a" * 64, 0, "postfix-3.7.11", path="/x", origin="/home/me")
    part = Recipe(
        "part", RecipeKind.PART, "x", sources={"source.tar": Release("x", "1", None, (source,))}
    )
    labels = {names.UNVERIFIED: "yes"}
    recipe = make_recipe(tmp_path, mark, labels=labels)
    # Nothing listens there: it would be reported if anything were pulled or pushed.
    registry = ImageRegistry(f"127.0.0.1:{find_free_port()}/images")
    machine = Machine(engine, tmp_path, "first", registry)
    assert machine.builder.ensure(recipe).pulled == ""
    assert machine.notices == []
    pusher = RegistryPusher(engine, machine.builder, registry, lambda *_: None)
    child = make_recipe(tmp_path, mark, "child", parents={"PART": part})
    results = pusher.push_all({"recipe": recipe, "child": child})
    assert [result.state for result in results] == [PushState.NEVER, PushState.NEVER]


def test_the_command_pushes_what_is_built_and_writes_the_lock(
    engine: docker.DockerClient,
    system: str,
    server: RegistryServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The lock file of ``images push`` has each image's digest, as --registry-lock reads it."""
    lock = tmp_path / "images.lock"
    command = ["images", "push", base_recipe(base_suite()).name, "--registry", server.repository]
    assert run_cli([*command, "--lock", str(lock), "--json"]) == ExitCode.OK
    data = json.loads(capsys.readouterr().out)
    assert faults("images-push", data) == []
    (pushed,) = data["images"]
    tag = ImageRegistry(server.repository).make_tag(system)
    assert pushed["reference"] == f"{server.repository}:{tag}"
    assert read_lock(lock) == {tag: pushed["digest"]}
    assert engine.images.list(name=server.repository) == []


def test_a_run_records_what_was_pulled(build: Image, tmp_path: Path) -> None:
    """Provenance goes into run.json, and from there into every report."""
    pulled = f"registry.example/images@sha256:{'a' * 64}"
    PulledRecords(tmp_path / "postfix-matrix").remember(build.id, pulled)
    selection = ("-b", "debian-12", "-s", "defaults", "-c", "openssl-1.0.2h", "-o", "TLSv1.2")
    done = run_process(
        tmp_path / "runs", *selection, "-S", "smtp", env={"XDG_CACHE_HOME": str(tmp_path)}
    )
    images = load_run(done.folder).run.images
    assert images["debian-12"].pulled == pulled
    assert images["openssl-1.0.2h"].pulled is None
    assert "pulled, built elsewhere on" in (done.folder / "index.html").read_text("utf-8")
