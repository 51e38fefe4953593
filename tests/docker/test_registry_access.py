"""Registries that want a password, or do not answer: images are built here all the same."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from harness.docker_engine.cancel import Cancel
from harness.docker_engine.session import connect
from harness.docker_engine.transfers import TransferFault, ask_registry
from harness.errors import InfrastructureError
from harness.images.registry import ImageRegistry
from harness.images.registry_pusher import PushState, RegistryPusher
from tests.docker.registry_machine import (
    Machine,
    make_recipe,
    remove_marked,
)
from tests.docker.registry_server import (
    PASSWORD,
    USER,
    RegistryServer,
    find_free_port,
    start_registry,
)

pytestmark = pytest.mark.docker


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
    recipes = [make_recipe(tmp_path, mark, name) for name in ("small", "other")]
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
        recipe = make_recipe(tmp_path, mark)
        first = Machine(engine, tmp_path, "first")
        first.builder.ensure(recipe)
        assert first.push(guarded, recipe)[0].state is PushState.PUSHED
        remove_marked(engine, mark)
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
    recipes = [make_recipe(tmp_path, mark, name) for name in ("small", "other")]
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
