"""The options that name the registry that images are pulled from, or pushed to."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from harness.cli.grouped_help import OptionGroup, grouped_option
from harness.images.registry import LOCK_VARIABLE, VARIABLE, parse_registry

_REGISTRY = grouped_option(
    OptionGroup.SOURCES,
    "--registry",
    "repository",
    metavar="HOST/NAME",
    envvar=VARIABLE,
    help="Pull images that others have pushed there, and build only what it does not have (also "
    f"{VARIABLE}). Labels and versions of what is pulled are checked.",
)
_REGISTRY_LOCK = grouped_option(
    OptionGroup.SOURCES,
    "--registry-lock",
    type=click.Path(path_type=Path),
    metavar="FILE",
    envvar=LOCK_VARIABLE,
    help="Pull only the images in FILE, each by its digest ('images push --lock' writes one; also "
    f"{LOCK_VARIABLE}).",
)


def registry_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``registry``, made of --registry and --registry-lock; None without them."""

    @wraps(command)
    def wrapped(
        *args: Any, repository: str | None, registry_lock: Path | None, **kwargs: Any
    ) -> Any:
        return command(*args, registry=parse_registry(repository, registry_lock), **kwargs)

    return _REGISTRY(_REGISTRY_LOCK(wrapped))
