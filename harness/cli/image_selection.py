"""Which images a command is about: globs over their names, or all that a run needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from harness.catalog.builds import NO_ADDITIONS, Build, UserAdditions
from harness.catalog.clients import all_clients, all_controls, find_client
from harness.catalog.peers import is_peer
from harness.catalog.selectors import split_globs
from harness.images.batch_build import Orderable, add_parts, list_orderables, order_name
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import (
    build_recipe,
    client_recipe,
    control_recipe,
    dns_recipe,
    sasl_recipe,
)
from harness.paths import images_dir
from harness.run.choosing import check_used, choose_builds, choose_from


def choose_orders(
    globs: tuple[str, ...], additions: UserAdditions = NO_ADDITIONS, *, parts_first: bool = True
) -> dict[str, Orderable]:
    """The orders by name; without globs, all that a run needs.

    ``parts_first``: a pair's OpenSSL is an order too, since it takes longest.

    Raises:
        UsageError: a glob matches nothing, or a source of the user's is not used.
    """
    listed = list_orderables(additions)

    def default_orders() -> dict[str, Orderable]:
        default_names = {
            client_recipe(client).name for client in all_clients() if not client.unasked
        }
        helpers = [
            order
            for name, order in listed.items()
            if is_helper(order) and name not in default_names
        ]
        default = [*choose_builds((), additions).values(), *helpers]
        return {order_name(order): order for order in default}

    # Hidden recipes by whole names only, as 'images list' shows them for a failed build.
    hidden_names = set(split_globs(globs)) - set(listed)
    hidden = {
        recipe.name: recipe
        for recipe in _hidden_recipes(listed.values())
        if recipe.name in hidden_names
    }
    chosen = choose_from("image", globs, {**listed, **hidden}, default_orders, additions)
    orders = add_parts(chosen.values()) if parts_first else dict(chosen)
    check_used(additions, orders.values())
    return orders


def needed_orders(builds: Mapping[str, Build], clients: Iterable[str]) -> dict[str, Orderable]:
    """The orders of a run on these builds with these clients: these, and its helpers.

    A peer of outbound cells is a build or a helper already, and a user's image is not ours.
    """
    of_clients = [client_recipe(find_client(name)) for name in clients if not is_peer(name)]
    helpers = [
        *(control_recipe(control.name) for control in all_controls()),
        sasl_recipe(),
        dns_recipe(),
    ]
    orders: list[Orderable] = [build for build in builds.values() if not build.reference]
    orders += [*of_clients, *helpers]
    return {order_name(order): order for order in orders}


def image_references(orders: Iterable[Orderable]) -> list[str]:
    """The names and tags of their images; a tag is a hash of all that the image is made from."""
    recipes = (build_recipe(order) if isinstance(order, Build) else order for order in orders)
    return sorted({recipe.tag(images_dir()) for recipe in recipes})


def _hidden_recipes(orders: Iterable[Orderable]) -> Iterator[Recipe]:
    """The recipes of the images that these are built on."""
    for order in orders:
        recipe = build_recipe(order) if isinstance(order, Build) else order
        for parent in recipe.parents.values():
            yield parent
            yield from _hidden_recipes([parent])


def is_helper(order: Orderable) -> bool:
    """Whether a run needs it to measure any build: a client, a control or the authentication."""
    return isinstance(order, Recipe) and order.kind in (
        RecipeKind.CLIENT,
        RecipeKind.CONTROL,
        RecipeKind.SASL,
        RecipeKind.DNS,
    )
