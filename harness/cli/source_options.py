"""Options that add to the catalog: images and sources of the user's own, and mirrors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import click

from harness.catalog.builds import Additions, check_name
from harness.catalog.clients import Client, own_client
from harness.catalog.releases import Release
from harness.errors import UsageError
from harness.paths import cache_dir
from harness.sources.archives import mirrors_from
from harness.sources.user_sources import parse_local

T = TypeVar("T")

_SOURCE = click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="RELEASE=PATH",
    help="Build a release from a folder or tarball of your own, such as "
    "postfix-3.1.0=~/src/postfix; what comes of it is marked 'unverified source'.",
)
_MIRROR = click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="URL",
    help="Look for sources under this URL first (also POSTFIX_MATRIX_MIRRORS, with spaces "
    "between). The catalog's checksums hold for them too.",
)
_IMAGE = click.option(
    "--image",
    "images",
    multiple=True,
    metavar="NAME[=REFERENCE]",
    help="Test an image of your own that keeps the image contract (docs/image-contract.md).",
)
_CLIENT = click.option(
    "--client",
    "own",
    multiple=True,
    metavar="NAME=REFERENCE",
    help="Measure with a client of your own too: an image that keeps the client contract "
    "(docs/client-contract.md; 'clients check' tells).",
)


def client_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --client to a command."""
    return _CLIENT(command)


def read_clients(words: Iterable[str]) -> tuple[Client, ...]:
    """The clients that --client names.

    Raises:
        UsageError: one of them is wrong, or there twice.
    """
    return tuple(_by_name("--client", map(_client, words)).values())


def _client(word: str) -> tuple[str, Client]:
    name, _, reference = word.partition("=")
    if not reference:
        raise UsageError(
            f"--client {word} names no image", next_step="write it as --client NAME=REFERENCE"
        )
    return name, own_client(name, reference)


def source_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --source to a command."""
    return _SOURCE(command)


def mirror_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --mirror to a command that fetches."""
    return _MIRROR(command)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --source and --mirror to a command that fetches."""
    return _SOURCE(_MIRROR(command))


def image_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --image to a command."""
    return _IMAGE(command)


def read_additions(sources: Iterable[str], images: Iterable[str] = ()) -> Additions:
    """What the options add.

    Raises:
        UsageError: one of them is wrong, or names what another one names.
    """
    return Additions(
        releases=_by_name("--source", ((one.id, one) for one in _releases(sources))),
        images=_by_name("--image", map(_image, images)),
    )


def read_mirrors(options: tuple[str, ...]) -> tuple[str, ...]:
    """The mirrors of the options, then those of the environment.

    Raises:
        UsageError: one of them is no URL.
    """
    return mirrors_from(options, os.environ)


def _releases(words: Iterable[str]) -> Iterator[Release]:
    return (parse_local(word, cache_dir()) for word in words)


def _by_name(option: str, named: Iterable[tuple[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, value in named:
        if name in found:
            raise UsageError(
                f"{option} names {name} twice", next_step="leave out one of them: which is meant?"
            )
        found[name] = value
    return found


def _image(word: str) -> tuple[str, str]:
    """``NAME=REFERENCE``, or a reference that can be a name as it is."""
    name, equals, reference = word.partition("=")
    return check_name(name), reference if equals else name
