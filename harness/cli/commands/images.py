"""``postfix-matrix images``: build, list, check and prune what Docker holds for the harness."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import click
import docker
from rich.table import Table
from rich.text import Text

from harness.catalog.builds import Additions, Build
from harness.catalog.clients import all_clients
from harness.cli.output import output
from harness.cli.progress import Display
from harness.cli.signals import terminable
from harness.cli.source_options import (
    read_additions,
    read_mirrors,
    source_option,
    source_options,
)
from harness.conformance.image_checks import Report
from harness.conformance.image_examination import examine
from harness.docker_engine.session import (
    DockerSession,
    connect,
    talking,
)
from harness.errors import DoesNotBuildError, ExitCode
from harness.images.batch_build import (
    BuildResult,
    Orderable,
    State,
    build_all,
    catalogue,
    name_of,
    with_parts,
)
from harness.images.image_states import (
    ImageState,
    survey,
)
from harness.images.pruning import Found, our_images, outdated, remove
from harness.images.recipes import Recipe, RecipeKind, build_recipe, client_recipe
from harness.images.refusals import Refusals
from harness.paths import cache_dir, images_dir
from harness.reports.plain_text import plain
from harness.run.builders import open_builder
from harness.run.choosing import (
    check_used,
    choose_builds,
    choose_from,
    split_globs,
)
from harness.targets.lab import Lab


@click.group("images")
def images_group() -> None:
    """Build, list, check and remove images: Postfix × OpenSSL, clients, controls."""


@images_group.command("build")
@click.argument("globs", nargs=-1)
@source_options
@click.option("--again", is_flag=True, help="Try again what a compiler refused before.")
@click.option(
    "--compilers",
    type=click.IntRange(1),
    help="Builds that compile at a time; each uses all processors (default: by memory, 1 or 2).",
)
@click.option("--json", "as_json", is_flag=True, help="The results as JSON on standard output.")
@click.option("--quiet", "-q", is_flag=True, help="No progress; the results only.")
def build_command(
    globs: tuple[str, ...],
    sources: tuple[str, ...],
    mirrors: tuple[str, ...],
    again: bool,
    compilers: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Build images: GLOBS choose by name, such as 'postfix-*+openssl-*' or 'client-*'.

    Without GLOBS, all that 'postfix-matrix run' needs. With a pair comes its OpenSSL, also where
    its Postfix cannot be had. What is there already is not built again. A pair that does not
    compile is a finding, and no failure; a source that is not reached is one, and so is a client or
    a control that does not build.
    """
    orders = _orders(globs, read_additions(sources))
    places = read_mirrors(mirrors)
    with (
        DockerSession(connect()) as session,
        Display(quiet=quiet) as display,
        terminable(),
        talking("building images"),
    ):
        shop = open_builder(session, display.take, mirrors=places, compilers=compilers, again=again)
        results = build_all(shop, orders, lambda one: display.step(one.name, ""))
    by_name = {one.name: one for one in results}
    ordered = [by_name[name] for name in orders]
    if as_json:
        click.echo(json.dumps([_result_json(one) for one in ordered], indent=2))
    else:
        output().print(_result_table(ordered))
        _explain(ordered)
    lacking = any(_is_lacking(orders[one.name], one.state) for one in ordered)
    return ExitCode.INFRASTRUCTURE if lacking else ExitCode.OK


@images_group.command("list")
@click.argument("globs", nargs=-1)
@source_option
@click.option("--json", "as_json", is_flag=True, help="As JSON on standard output.")
def list_command(globs: tuple[str, ...], sources: tuple[str, ...], as_json: bool) -> None:
    """List images that can be built, and which of them are there; GLOBS choose by name."""
    additions = read_additions(sources)
    known = catalogue(additions)
    chosen = choose_from("image", globs, known, lambda: known, additions).values()
    check_used(additions, chosen)
    with talking("listing images"):
        there = our_images(connect())
    rows = survey(chosen, there, Refusals(cache_dir()), images_dir())
    if as_json:
        click.echo(json.dumps([_entry_json(one) for one in rows], indent=2))
    else:
        output().print(_entry_table(rows))


@images_group.command("check")
@click.argument("reference")
@click.option("--json", "as_json", is_flag=True, help="The checks as JSON on standard output.")
def check_command(reference: str, as_json: bool) -> int:
    """Hold the image REFERENCE against the image contract, point by point.

    It is started as a run would start it. Exit code 1 where it does not keep the contract.
    """
    with DockerSession(connect()) as session, Lab(session) as lab, talking("checking the image"):
        report = examine(lab, reference)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    else:
        click.echo(_told(report))
    return ExitCode.OK if report.ok else ExitCode.DIFFERS


def _told(report: Report) -> str:
    """The checks and what they come to. What an image says is a stranger's word."""
    verdict = "keeps" if report.ok else "does not keep"
    checks = "\n".join(str(check) for check in report.checks)
    closing = f"{report.reference} {verdict} the image contract (docs/image-contract.md)"
    return plain(f"{checks}\n\n{closing}")


@images_group.command("prune")
@click.option("--all", "everything", is_flag=True, help="Also what would be built the same today.")
@click.option(
    "--dry-run", is_flag=True, help="Say which images would be removed, and remove nothing."
)
def prune_command(everything: bool, dry_run: bool) -> None:
    """Remove the project's own images that are out of date, and what killed runs left.

    Images without our label, pulled ones and the engine's build cache are left alone, and so is
    what a container uses. Those made from a --source of your own are kept without --all.
    """
    client = connect()
    if dry_run:
        with talking("listing images"):
            for one in _unwanted(client, everything=everything):
                click.echo(one.reference)
        return
    # A session begins by removing what dead ones left.
    with DockerSession(client), talking("removing images"):
        unwanted = _unwanted(client, everything=everything)
        removed = remove(client, unwanted, lambda text: click.echo(plain(text), err=True))
    click.echo(f"removed {removed} of {len(unwanted)} images", err=True)


def _unwanted(client: docker.DockerClient, *, everything: bool) -> list[Found]:
    found = our_images(client)
    return found if everything else outdated(found, images_dir())


def _orders(globs: tuple[str, ...], additions: Additions) -> dict[str, Orderable]:
    """What is to be built, by name: all that a run needs where no glob adds."""
    listed = catalogue(additions)

    def unasked() -> dict[str, Orderable]:
        asked = {client_recipe(one).name for one in all_clients() if not one.unasked}
        helpers = [one for name, one in listed.items() if _is_helper(one) and name not in asked]
        default = [*choose_builds((), additions).values(), *helpers]
        return {name_of(one): one for one in default}

    # The hidden ones by their whole names only, such as 'images list' tells of a refusal.
    wanted = set(split_globs(globs)) - set(listed)
    hidden = {one.name: one for one in _hidden(listed.values()) if one.name in wanted}
    chosen = choose_from("image", globs, {**listed, **hidden}, unasked, additions)
    orders = with_parts(chosen.values())
    check_used(additions, orders.values())
    return orders


def _hidden(orders: Iterable[Orderable]) -> Iterator[Recipe]:
    """What images stand on."""
    for one in orders:
        recipe = build_recipe(one) if isinstance(one, Build) else one
        for parent in recipe.parents.values():
            yield parent
            yield from _hidden([parent])


def _is_helper(one: Orderable) -> bool:
    """Whether a run needs it to measure any build: a client, a control or the authentication."""
    return isinstance(one, Recipe) and one.kind in (
        RecipeKind.CLIENT,
        RecipeKind.CONTROL,
        RecipeKind.SASL,
        RecipeKind.DNS,
    )


def _is_lacking(order: Orderable, state: State) -> bool:
    """Whether a state is a failure. That a build, or its half, does not build is an answer."""
    return state in (State.UNREACHED, State.FAILED) or (
        state is State.REFUSED and _is_helper(order)
    )


def _result_table(results: list[BuildResult]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("image", "state", "after", ""):
        table.add_column(
            title, no_wrap=title != "", justify="right" if title == "after" else "left"
        )
    for one in results:
        table.add_row(*_cells(one.name, one.state, f"{one.seconds:.0f} s", _why(one)))
    return table


def _cells(*words: str) -> Iterator[Text]:
    """Compilers' and labels' words as they are: in a string "[enabled by default]" is markup."""
    return (Text(plain(word)) for word in words)


def _why(one: BuildResult) -> str:
    if isinstance(one.error, DoesNotBuildError):
        return one.error.reason
    return one.error.what.splitlines()[0] if one.error else ""


def _explain(results: list[BuildResult]) -> None:
    """What to do about what could not be had, whole, on standard error."""
    for one in results:
        if one.error:
            click.echo(plain(f"\n{one.name}: {one.error}"), err=True)


def _result_json(one: BuildResult) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state,
        "seconds": round(one.seconds, 1),
        "reference": one.image.reference if one.image else None,
        "id": one.image.id if one.image else None,
        "why": str(one.error) if one.error else None,
    }


def _entry_table(rows: list[ImageState]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("image", "state", "Postfix", "OpenSSL", "size", "made"):
        table.add_column(title, no_wrap=title != "state")
    for one in rows:
        size = f"{one.size / 1e6:.0f} MB" if one.size else ""
        table.add_row(*_cells(one.name, one.state, one.postfix, one.openssl, size, one.made[:10]))
    return table


def _entry_json(one: ImageState) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state,
        "reference": one.reference,
        "postfix": one.postfix or None,
        "openssl": one.openssl or None,
        "bytes": one.size or None,
        "made": one.made or None,
    }
