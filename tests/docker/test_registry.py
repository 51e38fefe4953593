"""Images from a registry, on a real one: pushed, pulled, checked, and built here where that fails.

Most images here are a few bytes; each test removes what it made, and nothing else.
"""

from __future__ import annotations

import base64
import io
import json
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from harness.catalog.builds import Build, base_suite
from harness.catalog.releases import Release, Source, SourceKind
from harness.cli.main import run_cli
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.session import connect
from harness.docker_engine.transfers import TransferFault, ask_registry
from harness.errors import ExitCode, InfrastructureError
from harness.images import labels as names
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.pulled_images import PulledRecords
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import base_recipe, build_recipe
from harness.images.registry import ImageRegistry, read_lock
from harness.images.registry_pusher import PushResult, PushState, RegistryPusher
from harness.observations.run_folder import load_run
from harness.paths import cache_dir, images_dir
from tests.docker.conftest import run_process
from tests.docker.registry_server import (
    PASSWORD,
    USER,
    RegistryServer,
    find_free_port,
    start_registry,
)

pytestmark = pytest.mark.docker

#: On every image that a test makes, so that all of them can be removed.
TEST_LABEL = "org.postfix-matrix.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry that anyone may write to."""
    with start_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture
def mark(engine: docker.DockerClient) -> Iterator[str]:
    """A value of the test's own for TEST_LABEL; what carries it is removed in the end."""
    mark = secrets.token_hex(8)
    yield mark
    _remove_marked(engine, mark)


def _remove_marked(engine: docker.DockerClient, mark: str) -> None:
    """Remove the test's images, as on a machine that never had them."""
    for image in engine.images.list(all=True, filters={"label": f"{TEST_LABEL}={mark}"}):
        with suppress(DockerException):
            engine.images.remove(str(image.id), force=True)


@dataclass
class Machine:
    """An image builder with a cache of its own, and what it reported."""

    engine: docker.DockerClient
    root: Path
    name: str
    registry: ImageRegistry | None = None
    steps: list[tuple[str, str]] = field(default_factory=list)
    notices: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.builder = ImageBuilder(
            self.engine,
            images_dir=self.root / "images",
            cache_dir=self.root / self.name,
            on_step=lambda name, text: self.steps.append((name, text)),
            on_notice=lambda name, text: self.notices.append((name, text)),
            registry=self.registry,
        )

    def built(self) -> list[str]:
        """The images that were built, in order."""
        return [name for name, text in self.steps if text.startswith("built in")]

    def push(self, server: RegistryServer, *recipes: Recipe) -> list[PushResult]:
        """Push these recipes' images."""
        registry = ImageRegistry(server.repository)
        pusher = RegistryPusher(self.engine, self.builder, registry, lambda *_: None)
        return pusher.push_all({recipe.name: recipe for recipe in recipes})


def _make_recipe(
    root: Path,
    mark: str,
    name: str = "small",
    *,
    base: str = "scratch",
    lines: str = "",
    kind: RecipeKind = RecipeKind.PART,
    labels: Mapping[str, str] | None = None,
    parents: Mapping[str, Recipe] | None = None,
) -> Recipe:
    """A recipe whose image is the base and a file of random bytes."""
    folder = root / "images" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").write_bytes(secrets.token_bytes(2000))
    arguments = "".join(f"ARG {argument}\n" for argument in parents or {})
    (folder / "Dockerfile").write_text(
        f"{arguments}FROM {base}\nLABEL {TEST_LABEL}={mark}\nCOPY data /data-{name}\n{lines}\n"
    )
    return Recipe(
        f"test-{mark}-{name}", kind, name, labels=labels or {}, parents=dict(parents or {})
    )


def _exists(engine: docker.DockerClient, reference: str) -> bool:
    try:
        engine.images.get(reference)
    except ImageNotFound:
        return False
    return True


def _push_other(
    engine: docker.DockerClient, server: RegistryServer, tag: str, text: str, mark: str
) -> None:
    """Push an image of this Dockerfile under a tag that is a recipe's."""
    # At the end, so that no image is another test's by the engine's cache.
    text = f"{text}\nLABEL {TEST_LABEL}={mark}\n"
    reference = f"{server.repository}:{tag}"
    engine.images.build(fileobj=io.BytesIO(text.encode()), tag=reference, rm=True)
    pushed = engine.images.push(server.repository, tag=tag)
    assert "errorDetail" not in pushed
    engine.images.remove(reference)


def test_what_was_pushed_is_pulled_and_not_built(
    engine: docker.DockerClient, server: RegistryServer, mark: str, tmp_path: Path
) -> None:
    """A second machine gets the very image, without its parents, and knows where it is from."""
    parent = _make_recipe(tmp_path, mark, "parent")
    recipe = _make_recipe(tmp_path, mark, base="${PARENT}", parents={"PARENT": parent})
    first = Machine(engine, tmp_path, "first")
    original = first.builder.ensure(recipe)
    (result,) = first.push(server, recipe)
    assert result.state is PushState.PUSHED
    _remove_marked(engine, mark)

    second = Machine(engine, tmp_path, "second", ImageRegistry(server.repository))
    image = second.builder.ensure(recipe)
    assert image.id == original.id
    assert image.pulled == f"{server.repository}@{result.digest}"
    assert (recipe.name, f"pulled, built elsewhere on {datetime.now(UTC).date()}") in second.steps
    assert second.built() == []
    assert second.notices == []
    assert not _exists(engine, second.builder.reference(parent))
    assert second.builder.log_of(image) is None
    assert engine.images.list(name=server.repository) == [], "our tag is the only one that stays"
    assert second.builder.ensure(recipe) == image


def test_an_image_built_here_is_not_called_pulled(
    engine: docker.DockerClient, server: RegistryServer, mark: str, tmp_path: Path
) -> None:
    """To push an image does not make it another machine's."""
    machine = Machine(engine, tmp_path, "first")
    recipe = _make_recipe(tmp_path, mark)
    machine.builder.ensure(recipe)
    machine.push(server, recipe)
    assert machine.builder.ensure(recipe).pulled == ""
    assert engine.images.list(name=server.repository) == []


def test_what_the_registry_does_not_have_is_built(
    engine: docker.DockerClient, server: RegistryServer, mark: str, tmp_path: Path
) -> None:
    """One line says so, however many images it does not have."""
    machine = Machine(engine, tmp_path, "first", ImageRegistry(server.repository))
    recipes = [_make_recipe(tmp_path, mark, name) for name in ("small", "other")]
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
    recipe = _make_recipe(tmp_path, mark)
    tag = ImageRegistry(server.repository).make_tag(machine.builder.reference(recipe))
    title = f"{names.OCI_TITLE}={recipe.name}"
    _push_other(engine, server, tag, f"FROM scratch\nLABEL {title} {label}", mark)
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
    recipe = _make_recipe(
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
    _push_other(engine, server, tag, text, mark)
    assert machine.builder.ensure(recipe).pulled == ""
    ((about, notice),) = machine.notices
    assert about == recipe.name
    assert f"says Postfix {versions[names.POSTFIX]}, but it runs 3.1.0" in notice


def test_a_broken_download_is_reported_and_the_image_built(
    engine: docker.DockerClient, mark: str, tmp_path: Path
) -> None:
    """Bytes that are not those of the digest never become an image, and nothing hangs."""
    recipe = _make_recipe(tmp_path, mark)
    first = Machine(engine, tmp_path, "first")
    first.builder.ensure(recipe)
    folder = tmp_path / "registry"
    folder.mkdir()
    with start_registry(folder) as server:
        first.push(server, recipe)
        _remove_marked(engine, mark)
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


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry that wants a password."""
    folder = tmp_path / "guarded"
    folder.mkdir()
    with start_registry(folder, with_password=True) as server:
        yield server


def test_without_permission_images_are_built_and_none_is_pushed(
    engine: docker.DockerClient, guarded: RegistryServer, mark: str, tmp_path: Path
) -> None:
    """What to do about it is said once; a push ends with an error."""
    machine = Machine(engine, tmp_path, "first", ImageRegistry(guarded.repository))
    recipes = [_make_recipe(tmp_path, mark, name) for name in ("small", "other")]
    for recipe in recipes:
        machine.builder.ensure(recipe)
    ((about, notice),) = machine.notices
    assert about == guarded.repository
    assert "no permission to pull" in notice
    assert f"docker login {guarded.host}" in notice
    with pytest.raises(InfrastructureError, match="no permission to push") as caught:
        machine.push(guarded, *recipes)
    assert f"docker login {guarded.host}" in caught.value.next_step


def test_the_credentials_of_docker_login_are_used(
    guarded: RegistryServer, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images of a private registry are pushed and pulled by those who may."""
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {guarded.host: {"auth": secret}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engine = connect()
    try:
        recipe = _make_recipe(tmp_path, mark)
        first = Machine(engine, tmp_path, "first")
        first.builder.ensure(recipe)
        assert first.push(guarded, recipe)[0].state is PushState.PUSHED
        _remove_marked(engine, mark)
        second = Machine(engine, tmp_path, "second", ImageRegistry(guarded.repository))
        assert second.builder.ensure(recipe).pulled.startswith(guarded.repository)
    finally:
        engine.close()


def test_without_a_registry_images_are_built(
    engine: docker.DockerClient, mark: str, tmp_path: Path
) -> None:
    """A registry that does not answer is reported once, costs little, and fails a push."""
    repository = f"127.0.0.1:{find_free_port()}/images"
    machine = Machine(engine, tmp_path, "first", ImageRegistry(repository))
    recipes = [_make_recipe(tmp_path, mark, name) for name in ("small", "other")]
    for recipe in recipes:
        machine.builder.ensure(recipe)
    assert machine.built() == [recipe.name for recipe in recipes]
    ((about, notice),) = machine.notices
    assert about == repository
    assert "is not reached" in notice
    assert "connection refused" in notice
    pusher = RegistryPusher(engine, machine.builder, ImageRegistry(repository), lambda *_: None)
    with pytest.raises(InfrastructureError, match="is not reached") as caught:
        pusher.push_all({recipe.name: recipe for recipe in recipes})
    assert "connection refused" in caught.value.what


def test_a_silent_registry_does_not_hang(engine: docker.DockerClient) -> None:
    """What accepts a connection and says nothing is given up after the time limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reference = f"127.0.0.1:{silent.getsockname()[1]}/images:tag"
        started = time.monotonic()
        transfer = ask_registry(engine, reference, Cancel(), (5.0, 2.0))
    assert transfer.fault is TransferFault.OTHER
    assert time.monotonic() - started < 10


def test_a_pinned_digest_is_what_is_pulled(
    engine: docker.DockerClient, server: RegistryServer, mark: str, tmp_path: Path
) -> None:
    """A later writer to the registry cannot give another image, not even with good labels."""
    recipe, unpinned = (_make_recipe(tmp_path, mark, name) for name in ("small", "other"))
    first = Machine(engine, tmp_path, "first")
    original = first.builder.ensure(recipe)
    first.builder.ensure(unpinned)
    (result, _) = first.push(server, recipe, unpinned)
    labels = " ".join(f"{key}={value}" for key, value in original.labels.items())
    _push_other(engine, server, result.tag, f"FROM scratch\nLABEL {labels} forged=yes", mark)
    _remove_marked(engine, mark)

    trusting = Machine(engine, tmp_path, "second", ImageRegistry(server.repository))
    assert "forged" in trusting.builder.ensure(recipe).labels, "labels alone do not show it"
    _remove_marked(engine, mark)
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
    recipe = _make_recipe(tmp_path, mark, labels=labels)
    # Nothing listens there: it would be reported if anything were pulled or pushed.
    registry = ImageRegistry(f"127.0.0.1:{find_free_port()}/images")
    machine = Machine(engine, tmp_path, "first", registry)
    assert machine.builder.ensure(recipe).pulled == ""
    assert machine.notices == []
    pusher = RegistryPusher(engine, machine.builder, registry, lambda *_: None)
    child = _make_recipe(tmp_path, mark, "child", parents={"PART": part})
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
    (pushed,) = json.loads(capsys.readouterr().out)
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
