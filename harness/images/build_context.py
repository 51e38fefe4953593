"""The context archive of one build: the recipe's files, with its sources and packages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.images.context import context_files, write_tar
from harness.images.ingredients import Ingredients
from harness.images.recipe import Recipe
from harness.sources.archives import check_unchanged


@contextmanager
def open_context(
    recipe: Recipe,
    ingredients: Ingredients,
    *,
    images_dir: Path,
    temp_dir: Path,
) -> Iterator[Any]:
    """The context as an open file.

    Raises:
        SourceError: an archive has changed since it was verified.
    """
    files = context_files(images_dir / recipe.folder, recipe.extra_folders(images_dir))
    archives = ingredients.archives
    paths = {**{name: archive.path for name, archive in archives.items()}, **ingredients.packages}
    with tempfile.TemporaryFile(dir=temp_dir) as file:
        written = write_tar(file, files, paths)
        for name, archive in archives.items():
            # It may have changed since it was verified minutes ago, above all a user's archive.
            check_unchanged(archive, written[name])
        file.seek(0)
        yield file
