"""``postfix-matrix images key``: a key for a CI's cache of the images that a command needs."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import click

from harness.catalog.builds import NO_ADDITIONS
from harness.catalog.selectors import select_names, split_globs
from harness.cli.commands.check import find_builds
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.image_selection import image_references, needed_orders
from harness.cli.output_paths import OutputFile
from harness.cli.printing import print_text
from harness.files import write_atomically
from harness.images.batch_build import Orderable
from harness.run.choosing import choose_builds, choose_clients
from harness.snapshots.snapshot_file import load_snapshot

#: Hex digits of the key's hash.
_DIGITS = 32


@click.command(
    "key",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix images key -b debian-12 -c openssl-1.0.2h",
        "postfix-matrix images key --snapshot snapshot.json --references images.txt",
    ),
)
@grouped_option(
    OptionGroup.SELECTION,
    "--builds",
    "-b",
    multiple=True,
    metavar="GLOBS",
    help="The builds, as for the command that measures.",
)
@grouped_option(
    OptionGroup.SELECTION,
    "--clients",
    "-c",
    multiple=True,
    metavar="GLOBS",
    help="The clients, as for the command that measures.",
)
@grouped_option(
    OptionGroup.SELECTION,
    "--snapshot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Builds and clients of a snapshot, as 'check' measures it.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--references",
    type=OutputFile(),
    metavar="FILE",
    help="Write the images' names and tags to FILE too, one per line, for 'docker save'.",
)
def key_command(
    builds: tuple[str, ...],
    clients: tuple[str, ...],
    snapshot: Path | None,
    references: Path | None,
) -> None:
    """Print a key for a CI's cache of images.

    The images are those that a command with these options needs. The key is a hash of their tags,
    and each tag a hash of all that its image is made from; before it stands the processor's
    architecture. So it is another key as soon as one image is another. No Docker engine is needed.
    """
    names = image_references(_choose_needed(builds, clients, snapshot).values())
    if references is not None:
        write_atomically(references, "\n".join(names) + "\n")
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:_DIGITS]
    print_text(f"{platform.machine().lower()}-{digest}")


def _choose_needed(
    builds: tuple[str, ...], clients: tuple[str, ...], snapshot: Path | None
) -> dict[str, Orderable]:
    """The images of a run of this selection, or of a check of this snapshot.

    Raises:
        UsageError: a glob that matches nothing, or a file that is no snapshot.
    """
    if snapshot is None:
        return needed_orders(choose_builds(builds), choose_clients(clients))
    recorded = load_snapshot(snapshot)
    chosen, _ = find_builds(recorded, builds, NO_ADDITIONS)
    known = dict.fromkeys(place.client for place in recorded.cells)
    return needed_orders(chosen, select_names("client", list(known), split_globs(clients)))
