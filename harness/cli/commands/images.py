"""``postfix-matrix images``: build, list, check and prune the harness's Docker images."""

from __future__ import annotations

from collections.abc import Iterator

import click
import docker
from rich.table import Table
from rich.text import Text

from harness.catalog.references import check_reference
from harness.cli.argument_checks import WholeNumber
from harness.cli.commands.images_key import key_command
from harness.cli.commands.images_push import push_command
from harness.cli.completion import complete_images
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.image_selection import choose_orders, is_helper
from harness.cli.images_json import built_data, image_report_data, image_states_data
from harness.cli.output import output_console
from harness.cli.output_forms import JSON, json_options
from harness.cli.printing import print_json, print_text
from harness.cli.progress import Display
from harness.cli.reachable import print_reachable
from harness.cli.registry_options import registry_options
from harness.cli.signals import handle_signals
from harness.cli.source_options import (
    read_additions,
    read_mirrors,
    source_options,
)
from harness.cli.terminal import terminal_columns
from harness.conformance.image_checks import ImageReport
from harness.conformance.image_examination import examine_image
from harness.docker_engine.session import (
    DockerSession,
    connect,
    engine_errors,
)
from harness.errors import DoesNotBuildError, ExitCode, UsageError
from harness.images.batch_build import (
    BuildResult,
    BuildState,
    Orderable,
    build_all,
    list_orderables,
)
from harness.images.image_states import (
    ImageState,
    list_states,
)
from harness.images.pruning import TaggedImage, find_outdated, our_images, remove_images
from harness.images.pulled_images import PulledRecords
from harness.images.refusals import Refusals
from harness.images.registry import ImageRegistry
from harness.paths import cache_dir, images_dir
from harness.plain_text import escape_controls
from harness.reports.wrapping import listing_lines
from harness.run.choosing import check_used, choose_from
from harness.run.session_builder import open_builder
from harness.targets.lab import Lab
from harness.widths import FILE_WIDTH

#: From so many columns on, the list of images has the day on which each was made.
_WIDE = 100


@click.group(
    "images",
    epilog=format_examples("postfix-matrix images list", "postfix-matrix images build 'client-*'"),
)
def images_group() -> None:
    """Build, list, check and remove Docker images."""


@images_group.command(
    "build",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix images build 'postfix-3.7.11+*'",
        "postfix-matrix images build --mirror https://mirror.example/sources",
    ),
)
@click.argument("globs", nargs=-1, shell_complete=complete_images)
@source_options
@registry_options
@grouped_option(
    OptionGroup.MEASURING, "--again", is_flag=True, help="Build again what did not compile before."
)
@grouped_option(
    OptionGroup.MEASURING,
    "--compilers",
    type=WholeNumber(1),
    help="Builds that compile at the same time; each uses all processors (default: 1 or 2, by the "
    "memory of the machine).",
)
@json_options("JSON has each image's outcome (docs/schemas).")
@grouped_option(
    OptionGroup.OUTPUT, "--quiet", "-q", is_flag=True, help="Print the results only, no progress."
)
def build_command(
    globs: tuple[str, ...],
    sources: tuple[str, ...],
    mirrors: tuple[str, ...],
    registry: ImageRegistry | None,
    again: bool,
    compilers: int | None,
    form: str,
    quiet: bool,
) -> int:
    """Build images, selected by name.

    GLOBS are such as 'postfix-*+openssl-*' or 'client-*'; without them, all images that
    'postfix-matrix run' needs are built. Without a --registry, a pair's OpenSSL is built even if
    its Postfix is unavailable. Existing images are not built again. A pair that does not compile is
    a result and not a failure. A source that cannot be reached is a failure, and so is a client or
    a control that does not build.
    """
    # What a registry has needs no parts; those of the rest are built before it.
    orders = choose_orders(globs, read_additions(sources), parts_first=registry is None)
    places = read_mirrors(mirrors)
    with (
        DockerSession(connect()) as session,
        Display(quiet=quiet) as display,
        handle_signals(),
        engine_errors("building images"),
    ):
        builder = open_builder(
            session,
            display.show_event,
            mirrors=places,
            registry=registry,
            compilers=compilers,
            again=again,
        )
        results = build_all(builder, orders, lambda result: display.show_step(result.name, ""))
    by_name = {result.name: result for result in results}
    ordered = [by_name[name] for name in orders]
    if form == JSON:
        print_json(built_data(ordered), indent=2)
    else:
        output_console().print(_result_table(ordered))
        _print_errors(ordered)
    failed = any(_is_failure(orders[result.name], result.state) for result in ordered)
    return ExitCode.INFRASTRUCTURE if failed else ExitCode.OK


@images_group.command(
    "list",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix images list 'client-*' --json",
        "postfix-matrix images list --reachable",
    ),
)
@click.argument("globs", nargs=-1, shell_complete=complete_images)
@source_options
@grouped_option(
    OptionGroup.SOURCES,
    "--reachable",
    is_flag=True,
    help="Ask the places of each release's source whether they have it; list by branch which "
    "releases this machine reaches, and why not the rest. Nothing is fetched.",
)
@json_options("JSON has a record for each image or release (docs/schemas).")
def list_command(
    globs: tuple[str, ...],
    sources: tuple[str, ...],
    mirrors: tuple[str, ...],
    reachable: bool,
    form: str,
) -> None:
    """List images, and which of them are built.

    GLOBS select by name; with --reachable, releases such as 'openssl-1.1*'.
    """
    if mirrors and not reachable:
        raise UsageError("--mirror has no use without --reachable", next_step="add --reachable")
    additions = read_additions(sources)
    if reachable:
        print_reachable(globs, additions, read_mirrors(mirrors), form=form)
        return
    known = list_orderables(additions)
    chosen = choose_from("image", globs, known, lambda: known, additions).values()
    check_used(additions, chosen)
    with engine_errors("listing images"):
        there = our_images(connect())
    cache = cache_dir()
    rows = list_states(chosen, there, Refusals(cache), PulledRecords(cache), images_dir())
    if form == JSON:
        print_json(image_states_data(rows), indent=2)
    else:
        for line in _entry_lines(rows, terminal_columns() or FILE_WIDTH):
            print_text(line)


@images_group.command(
    "check",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix images check registry.example/mail:7",
        "postfix-matrix images check registry.example/mail:7 --json",
    ),
)
@click.argument("reference")
@json_options("JSON has every check and the versions that were read back (docs/schemas).")
def check_command(reference: str, form: str) -> int:
    """Check an image against the image contract.

    The image REFERENCE is started as a run would start it. The exit code is 1 where it does not
    keep the contract.
    """
    check_reference(reference)
    with (
        DockerSession(connect()) as session,
        Lab(session) as lab,
        engine_errors("checking the image"),
    ):
        report = examine_image(lab, reference)
    if form == JSON:
        print_json(image_report_data(report), indent=2)
    else:
        print_text(_format_report(report))
    return ExitCode.OK if report.ok else ExitCode.DIFFERS


def _format_report(report: ImageReport) -> str:
    """The checks and their result. Text that comes from the image is printed without markup."""
    verdict = "keeps" if report.ok else "does not keep"
    checks = "\n".join(str(check) for check in report.checks)
    closing = f"{report.reference} {verdict} the image contract (docs/image-contract.md)"
    return f"{checks}\n\n{closing}"


@images_group.command(
    "prune",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix images prune --dry-run", "postfix-matrix images prune --all"
    ),
)
@grouped_option(
    OptionGroup.SELECTION,
    "--all",
    "everything",
    is_flag=True,
    help="Remove the images that are up to date, too.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--dry-run",
    is_flag=True,
    help="Print which images would be removed, and remove nothing.",
)
def prune_command(everything: bool, dry_run: bool) -> None:
    """Remove this project's outdated images.

    What killed runs left behind is removed, too. Images without our label, pulled images, the
    engine's build cache and images that a container uses are kept, and without --all those that
    were made from your own --source.
    """
    client = connect()
    if dry_run:
        with engine_errors("listing images"):
            for image in _list_unwanted(client, everything=everything):
                print_text(image.reference)
        return
    # A session begins by removing what dead sessions left behind.
    with DockerSession(client), engine_errors("removing images"):
        unwanted = _list_unwanted(client, everything=everything)
        removed = remove_images(client, unwanted, lambda text: print_text(text, err=True))
    print_text(f"removed {removed} of {len(unwanted)} images", err=True)


def _list_unwanted(client: docker.DockerClient, *, everything: bool) -> list[TaggedImage]:
    images = our_images(client)
    return images if everything else find_outdated(images, images_dir())


def _is_failure(order: Orderable, state: BuildState) -> bool:
    """Whether a state is a failure; a build, or half of one, that does not compile is a result."""
    return state in (BuildState.UNREACHED, BuildState.FAILED) or (
        state is BuildState.REFUSED and is_helper(order)
    )


def _result_table(results: list[BuildResult]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("image", "state", "after", ""):
        table.add_column(
            title, no_wrap=title != "", justify="right" if title == "after" else "left"
        )
    for result in results:
        table.add_row(
            *_table_cells(
                result.name, result.state, f"{result.seconds:.0f} s", _failure_reason(result)
            )
        )
    return table


def _table_cells(*texts: str) -> Iterator[Text]:
    """Compilers' messages as they are: in a plain string "[enabled by default]" is markup."""
    return (Text(escape_controls(text)) for text in texts)


def _failure_reason(result: BuildResult) -> str:
    if isinstance(result.error, DoesNotBuildError):
        return result.error.reason
    return result.error.what.splitlines()[0] if result.error else ""


def _print_errors(results: list[BuildResult]) -> None:
    """Print on standard error, in full, why images are unavailable, and what to do about it."""
    for result in results:
        if result.error:
            print_text(f"\n{result.name}: {result.error}", err=True)


def _entry_lines(rows: list[ImageState], width: int) -> Iterator[str]:
    """A table that ends in the state; a state that is too long for its column is below it."""
    wide = width >= _WIDE
    head = ("image", "Postfix", "OpenSSL", "size", *(("made",) if wide else ()), "state")
    return listing_lines([head, *(_entry_cells(row, wide=wide) for row in rows)], width)


def _entry_cells(row: ImageState, *, wide: bool) -> tuple[str, ...]:
    size = f"{row.size / 1e6:.0f} MB" if row.size else ""
    made = (row.made[:10],) if wide else ()
    return (row.name, row.postfix, row.openssl, size, *made, row.state)


images_group.add_command(key_command)
images_group.add_command(push_command)
