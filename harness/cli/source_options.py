"""Options that add to the catalog: the user's images, clients and sources, and mirrors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from harness.catalog.builds import UserAdditions, check_image_name
from harness.catalog.clients import Client, recorded_client, user_client
from harness.catalog.recordings import RECORDED_PREFIX, all_recordings, read_recordings
from harness.catalog.references import check_reference
from harness.catalog.releases import Release
from harness.catalog.selectors import select_names
from harness.cli.argument_checks import AnyText
from harness.cli.grouped_help import OptionGroup, grouped_option
from harness.errors import UsageError
from harness.paths import cache_dir
from harness.sources.archives import mirrors_from
from harness.sources.user_sources import parse_user_source

T = TypeVar("T")

_SOURCE = grouped_option(
    OptionGroup.SOURCES,
    "--source",
    "sources",
    multiple=True,
    type=AnyText(),
    metavar="RELEASE=PATH",
    help="Build a release from your own folder or tarball, such as "
    "postfix-3.1.0=~/src/postfix; its results are marked 'unverified source'.",
)
_MIRROR = grouped_option(
    OptionGroup.SOURCES,
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="URL",
    help="Look for sources under this URL first (also POSTFIX_MATRIX_MIRRORS, with spaces "
    "between). The catalog's checksums apply to them too.",
)
_IMAGE = grouped_option(
    OptionGroup.SOURCES,
    "--image",
    "images",
    multiple=True,
    metavar="NAME[=REFERENCE]",
    help="Test your own image, which must keep the image contract (docs/image-contract.md).",
)
_CLIENT = grouped_option(
    OptionGroup.SOURCES,
    "--client",
    "user_clients",
    multiple=True,
    metavar="NAME=REFERENCE",
    help="Measure with your own client too: an image that keeps the client contract "
    "(docs/client-contract.md; 'clients check' tries it), or a file of 'clients record', FILE.tsv.",
)


def client_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --client to a command."""
    return _CLIENT(command)


def read_clients(values: Iterable[str]) -> tuple[Client, ...]:
    """The clients that the values of --client name.

    Raises:
        UsageError: a value is wrong, or names a client twice.
    """
    parsed = (named for value in values for named in _parse_client(value))
    return tuple(_index_by_name("--client", parsed).values())


def _parse_client(value: str) -> Iterator[tuple[str, Client]]:
    """The clients that a value names: an image, or recordings of a file."""
    name, _, reference = value.partition("=")
    if not reference:
        raise UsageError(
            f"--client {value} names no image", next_step="write it as --client NAME=REFERENCE"
        )
    if reference.endswith(".tsv"):
        yield from _read_recorded_clients(name, Path(reference))
        return
    with _naming_option("--client", value):
        client = user_client(name, check_reference(reference))
    yield name, client


def _read_recorded_clients(glob: str, path: Path) -> Iterator[tuple[str, Client]]:
    """The clients of a file of recorded hellos that a glob chooses."""
    known = {recording.client: recording for recording in read_recordings(path)}
    taken = [recording.client for recording in all_recordings() if recording.client in known]
    if taken:
        raise UsageError(
            f"{path}: {taken[0]} cannot be the name of a recording",
            cause="the tool already has that name",
            next_step=f"write another one in its line, such as {RECORDED_PREFIX}mine",
        )
    for name in select_names("recording", list(known), [glob]):
        yield name, recorded_client(known[name])


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --source and --mirror to a command that fetches."""
    return _SOURCE(_MIRROR(command))


def image_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --image to a command."""
    return _IMAGE(command)


def read_additions(sources: Iterable[str], images: Iterable[str] = ()) -> UserAdditions:
    """The additions to the catalog that the options make.

    Raises:
        UsageError: a value is wrong, or two of them have the same name.
    """
    return UserAdditions(
        releases=_index_by_name(
            "--source", ((release.id, release) for release in _parse_releases(sources))
        ),
        images=_index_by_name("--image", map(_parse_image, images)),
    )


def read_mirrors(options: tuple[str, ...]) -> tuple[str, ...]:
    """The mirrors of the options, then those of the environment.

    Raises:
        UsageError: one of them is not a URL.
    """
    return mirrors_from(options, os.environ)


def _parse_releases(values: Iterable[str]) -> Iterator[Release]:
    return (parse_user_source(value, cache_dir()) for value in values)


def _index_by_name(option: str, named: Iterable[tuple[str, T]]) -> dict[str, T]:
    by_name: dict[str, T] = {}
    for name, value in named:
        if name in by_name:
            raise UsageError(f"{option} names {name} twice", next_step="leave one of them out")
        by_name[name] = value
    return by_name


def _parse_image(value: str) -> tuple[str, str]:
    """``NAME=REFERENCE``, or a reference that is a valid name itself."""
    name, equals, reference = value.partition("=")
    with _naming_option("--image", value):
        return check_image_name(name), check_reference(reference if equals else name)


@contextmanager
def _naming_option(option: str, value: str) -> Iterator[None]:
    """Errors on a part of an option's value name the option and the whole value, too."""
    try:
        yield
    except UsageError as error:
        what = f"{option} {value}: {error.what}"
        raise UsageError(what, cause=error.cause, next_step=error.next_step) from error
