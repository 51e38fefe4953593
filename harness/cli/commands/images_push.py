"""``postfix-matrix images push``: publishes built images in a registry, for others to pull."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from harness.cli.completion import complete_images
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.image_selection import choose_orders
from harness.cli.images_json import pushed_data
from harness.cli.output import output_console
from harness.cli.output_forms import JSON, json_options
from harness.cli.output_paths import OutputFile
from harness.cli.printing import print_json, print_text
from harness.cli.progress import Display
from harness.cli.signals import handle_signals
from harness.docker_engine.session import DockerSession, connect, engine_errors
from harness.errors import ExitCode, NothingSelectedError
from harness.images.registry import (
    VARIABLE,
    merge_locks,
    parse_registry,
    read_prior_lock,
    write_lock,
)
from harness.images.registry_pusher import PushResult, PushState, RegistryPusher
from harness.run.session_builder import open_builder

#: "sha256:" and twelve digits, as the engine shows an id.
_SHORT_DIGEST = 19


@click.command(
    "push",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix images push --registry ghcr.io/example/postfix-matrix",
        "postfix-matrix images push 'debian-*' --registry 127.0.0.1:5000/images --lock images.lock",
    ),
)
@click.argument("globs", nargs=-1, shell_complete=complete_images)
@grouped_option(
    OptionGroup.OUTPUT,
    "--registry",
    "repository",
    required=True,
    metavar="HOST/NAME",
    envvar=VARIABLE,
    help=f"The repository that the images become tags of (also {VARIABLE}).",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--lock",
    type=OutputFile(),
    metavar="FILE",
    help="Write the digests of the pushed images into FILE, for --registry-lock.",
)
@json_options("JSON has each image's outcome and digest (docs/schemas).")
@grouped_option(
    OptionGroup.OUTPUT, "--quiet", "-q", is_flag=True, help="Print the results only, no progress."
)
def push_command(
    globs: tuple[str, ...], repository: str, lock: Path | None, form: str, quiet: bool
) -> int:
    """Push built images to a registry.

    GLOBS select by name, as for 'images build'; without them, all images that 'postfix-matrix run'
    needs are pushed, as far as they are built. Nothing is built, and what was made from a --source
    is never pushed. The credentials are those of 'docker login'.
    """
    registry = parse_registry(repository)
    assert registry is not None, "click requires the option"
    prior = {} if lock is None else read_prior_lock(lock, registry.repository)
    orders = choose_orders(globs, parts_first=False)
    with (
        DockerSession(connect()) as session,
        Display(quiet=quiet) as display,
        handle_signals(),
        engine_errors("pushing images"),
    ):
        builder = open_builder(session, display.show_event)
        pusher = RegistryPusher(session.client, builder, registry, display.show_step)
        results = pusher.push_all(orders)
    pushed = [result for result in results if result.state is PushState.PUSHED]
    if form == JSON:
        print_json(pushed_data(results, registry), indent=2)
    else:
        output_console().print(_result_table(results))
        _print_errors(results)
    if any(result.state is PushState.FAILED for result in results):
        return ExitCode.INFRASTRUCTURE
    if not pushed:
        raise NothingSelectedError(
            "none of these images is built, so none was pushed",
            next_step="build them with 'postfix-matrix images build'",
        )
    if lock is not None:
        digests = {result.tag: result.digest for result in pushed}
        write_lock(lock, registry.repository, merge_locks(prior, digests))
    return ExitCode.OK


def _result_table(results: Iterable[PushResult]) -> Table:
    """One row for each image; its whole digest is in the lock file and in JSON."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("image", "state", "after", "digest"):
        justify: Any = "right" if title == "after" else "left"
        table.add_column(title, no_wrap=True, justify=justify)
    for result in results:
        seconds = f"{result.seconds:.0f} s" if result.seconds else ""
        cells = (result.name, result.state, seconds, result.digest[:_SHORT_DIGEST])
        table.add_row(*(Text(text) for text in cells))
    return table


def _print_errors(results: Iterable[PushResult]) -> None:
    """Print on standard error, in full, why images were not pushed."""
    for result in results:
        if result.error:
            print_text(f"\n{result.name}: {result.error}", err=True)
