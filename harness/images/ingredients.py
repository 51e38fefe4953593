"""What an image's recipe needs from outside, fetched before a slot is taken to build it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.catalog.builds import find_by_suite
from harness.docker_engine.cancel import Cancel
from harness.errors import InfrastructureError
from harness.images.package_origin import FetchedFiles
from harness.images.recipe import Recipe
from harness.sources import registries
from harness.sources.archives import Archive, SourceStore
from harness.sources.package_fetch import ChangedPackageError, PackageFetcher


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What was fetched for a recipe.

    ``archives`` are those of releases, ``packages`` those of lock files, both by their names in the
    build context. ``base_files`` are a base's package files, None for a base that has none.
    """

    archives: Mapping[str, Archive]
    packages: Mapping[str, Path]
    base_files: FetchedFiles | None


@dataclass(frozen=True, slots=True)
class IngredientFetcher:
    """Fetches recipes' ingredients; ``on_step`` gets a recipe's name and a description."""

    sources: SourceStore
    package_files: PackageFetcher
    images_dir: Path
    cache_dir: Path
    cancel: Cancel
    on_step: Callable[[str, str], None]

    def fetch(self, recipe: Recipe) -> Ingredients:
        """All that the recipe needs from outside. Blocks.

        Raises:
            SourceError: a source is unavailable, or a package file has other bytes than the pinned.
            OSError: the disk is full.
            Cancelled: the user cancelled the work.
        """
        return Ingredients(
            self._fetch_sources(recipe),
            self._fetch_packages(recipe),
            self._fetch_base_files(recipe),
        )

    def _fetch_sources(self, recipe: Recipe) -> dict[str, Archive]:
        say = partial(self.on_step, recipe.name)
        return {
            name: self.sources.fetch(release, self.cancel, say)
            for name, release in recipe.sources.items()
        }

    def _fetch_packages(self, recipe: Recipe) -> dict[str, Path]:
        if recipe.lock is None:
            return {}
        archives = registries.fetch_packages(
            self.images_dir / recipe.lock,
            self.cache_dir,
            self.cancel,
            partial(self.on_step, recipe.name),
        )
        return {f"lock/{name}": path for name, path in archives.items()}

    def _fetch_base_files(self, recipe: Recipe) -> FetchedFiles | None:
        """A base's package files; an error is kept, since a registry may have an image instead."""
        if not recipe.packages:
            return None
        known = find_by_suite(recipe.args["SUITE"])
        family = known.family if known else "debian"
        say = partial(self.on_step, recipe.name)
        try:
            return FetchedFiles(self.package_files(family, recipe.packages, self.cancel, say))
        except ChangedPackageError:
            raise
        except InfrastructureError as error:
            return FetchedFiles({}, error)
