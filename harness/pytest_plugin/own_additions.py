"""What a test session adds to the tool's own: images of builds and clients, and policies.

Every process of pytest-xdist reads them from the same options and the same configuration file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog.builds import NO_ADDITIONS, UserAdditions
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.catalog.clients import Client


@dataclass(frozen=True, slots=True)
class OwnAdditions:
    """Images of the user's own, by the name of the build, and clients.

    ``policies`` is a policies.toml, or a folder that has one; None: the tool's policies alone.
    """

    images: UserAdditions = NO_ADDITIONS
    clients: tuple[Client, ...] = ()
    policies: Path | None = None


NO_OWN = OwnAdditions()


def read_own_images(images: Iterable[str], clients: Iterable[str]) -> OwnAdditions:
    """The images and clients that ``NAME=REFERENCE`` name, for --postfix-image and its siblings.

    Raises:
        UsageError: a value is wrong, or two of them have the same name.
    """
    images, clients = list(images), list(clients)
    if not images and not clients:
        return NO_OWN
    # They import the command line's options.
    from harness.cli.source_options import read_additions, read_clients

    return OwnAdditions(read_additions((), images), read_clients(clients))


def merge_values(from_file: Sequence[str], from_options: Sequence[str]) -> list[str]:
    """The values of the configuration file and of options, which replace those of their names."""
    named = {value.partition("=")[0] for value in from_options}
    return [*(v for v in from_file if v.partition("=")[0] not in named), *from_options]


def find_policies(given: str, rootdir: Path, beside: Path) -> Path | None:
    """The user's policies.toml: the one that the configuration file names, else beside the test.

    Args:
        given: the value of the key ``postfix_policies``, a file or folder below the rootdir.
        rootdir: pytest's, which is also looked into.
        beside: the test's folder.

    Raises:
        UsageError: the configuration file names none.
    """
    # Tests with no policy of their own need not load what reads them.
    from harness.scenarios.policies import POLICIES

    if given:
        path = rootdir / given
        path = path / POLICIES if path.is_dir() else path
        if not path.is_file():
            raise UsageError(
                f"there is no {path}",
                cause="the key postfix_policies of pytest's configuration file names it",
                next_step="name a policies.toml, or the folder that has it",
            )
        return path
    for folder in (beside, rootdir):
        if (folder / POLICIES).is_file():
            return folder / POLICIES
    return None
