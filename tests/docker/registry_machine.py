"""A machine that builds, pushes and pulls images of a few bytes, for the tests of registries."""

from __future__ import annotations

import io
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from harness.images.image_builder import ImageBuilder
from harness.images.recipe import Recipe, RecipeKind
from harness.images.registry import ImageRegistry
from harness.images.registry_pusher import PushResult, RegistryPusher
from tests.docker.registry_server import (
    RegistryServer,
)

#: On every image that a test makes, so that all of them can be removed.
TEST_LABEL = "org.postfix-matrix.test"


def remove_marked(engine: docker.DockerClient, mark: str) -> None:
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


def make_recipe(
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


def image_exists(engine: docker.DockerClient, reference: str) -> bool:
    try:
        engine.images.get(reference)
    except ImageNotFound:
        return False
    return True


def push_other(
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
