"""The ids of the images that a plan's cells need, as far as they are on this machine.

Nothing else is asked of the engine: no image is made, and no container starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import docker
from docker.errors import ImageNotFound

from harness.catalog.builds import Build
from harness.catalog.clients import Client, all_controls, find_client
from harness.catalog.peers import PEER_BUILD, is_peer
from harness.catalog.plan import Plan
from harness.docker_engine.session import engine_errors
from harness.images import recipes
from harness.paths import images_dir
from harness.targets.proxy import NAME as HAPROXY

#: Questions to the engine at a time.
_THREADS = 8


def read_image_ids(
    client: docker.DockerClient,
    plan: Plan,
    builds: Mapping[str, Build],
    user_clients: Iterable[Client] = (),
) -> dict[str, str]:
    """The ids by the names that run.json has; an image that is not there has no entry.

    Raises:
        InfrastructureError: the engine does not answer.
    """
    references = dict(_list_references(plan, builds, {user.name: user for user in user_clients}))

    def find_id(reference: str) -> str | None:
        try:
            return str(client.images.get(reference).id)
        except ImageNotFound:
            return None

    with engine_errors("asking for the ids of images"), ThreadPoolExecutor(_THREADS) as threads:
        ids = dict(zip(references, threads.map(find_id, references.values()), strict=True))
    return {name: image for name, image in ids.items() if image is not None}


def _list_references(
    plan: Plan, builds: Mapping[str, Build], user_clients: Mapping[str, Client]
) -> Iterator[tuple[str, str]]:
    """Names and references: the tag that follows from a recipe, or what the user named."""
    folder = images_dir()
    for name in plan.builds:
        build = builds[name]
        yield name, build.reference or recipes.build_recipe(build).tag(folder)
    for name in plan.clients:
        if not is_peer(name):
            client = user_clients.get(name) or find_client(name)
            yield name, client.reference or recipes.client_recipe(client).tag(folder)
    for control in all_controls():
        yield control.name, recipes.control_recipe(control.name).tag(folder)
    yield "sasl", recipes.sasl_recipe().tag(folder)
    yield "dns", recipes.dns_recipe().tag(folder)
    yield HAPROXY, recipes.proxy_recipe().tag(folder)
    yield "peer", recipes.build_recipe(Build.parse(PEER_BUILD)).tag(folder)
