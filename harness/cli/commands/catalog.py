"""``postfix-matrix catalog``: which releases there are, and a record for a new one."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import click

from harness.catalog.corroboration import corroboration
from harness.catalog.releases import (
    PRODUCTS,
    Package,
    Release,
    Source,
    SourceKind,
    load,
    releases,
)
from harness.catalog.releases import packages as packaged
from harness.catalog.writing import data_file, write
from harness.cli.source_options import read_mirrors
from harness.paths import cache_dir
from harness.sources.catalog_add import (
    Verified,
    Wanted,
    keep,
    verified,
)

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@click.group("catalog")
def catalog_group() -> None:
    """List the releases of Postfix, OpenSSL and stunnel, or add one."""


@catalog_group.command("list")
@click.argument("product", type=click.Choice(PRODUCTS), required=False)
@click.option("--json", "as_json", is_flag=True, help="The records as JSON on standard output.")
def list_command(product: str | None, as_json: bool) -> None:
    """List releases: version, date, who vouches for the hash, and where the source is from.

    A hash that only one place publishes is uncorroborated; upstream with all its mirrors is one.
    """
    names = [product] if product else list(PRODUCTS)
    found: list[Release | Package] = []
    for name in names:
        found += [*releases(name), *packaged(name)]
    if as_json:
        click.echo(json.dumps([_json(one) for one in found], indent=2))
        return
    rows = [_row(one) for one in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@catalog_group.command("add")
@click.argument("product", type=click.Choice(PRODUCTS))
@click.argument("version")
@click.option("--url", "urls", multiple=True, metavar="URL", help="Another place of the archive.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The archive itself. The catalog's own mirrors are not asked then.",
)
@click.option("--sha256", metavar="HEX", help="The hash that it must have, if you have it.")
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="URL",
    help="Ask this mirror too: a URL below which the archive has upstream's name (also "
    "POSTFIX_MATRIX_MIRRORS).",
)
@click.option("--dry-run", is_flag=True, help="Print the record, and write nothing.")
def add_command(
    product: str,
    version: str,
    urls: tuple[str, ...],
    file: Path | None,
    sha256: str | None,
    mirrors: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Fetch VERSION of PRODUCT, verify it, and write its record into the catalog.

    All places that have the archive must give the same bytes, and the source in it must say that it
    is this version. Nothing of it is run.
    """
    wanted = Wanted(product, version, urls, read_mirrors(mirrors), file, _hash(sha256))
    sources = cache_dir() / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=sources) as folder:
        found = verified(wanted, load(product), Path(folder), _say)
        for reason in found.failed:
            _say(f"not had from {reason}")
        if not dry_run:
            write(data_file(product), found.record)
            keep(found, cache_dir())
    click.echo(str(found.record), nl=False)
    _close(wanted, found, dry_run=dry_run)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _hash(text: str | None) -> str:
    if text is not None and not _SHA256.fullmatch(text.strip()):
        raise click.BadParameter("it must have 64 hex digits", param_hint="--sha256")
    return (text or "").strip().lower()


def _close(wanted: Wanted, found: Verified, *, dry_run: bool) -> None:
    """What was done, how far it can be believed, and what to do next."""
    number = len(found.record.places)
    if number < 2:
        _say(f"its hash: {corroboration(number)}; compare it with upstream's announcement")
    if dry_run:
        _say("nothing was written")
        return
    _say(f"written to {data_file(wanted.product)}; its archive is in the cache of sources")
    pair = {
        "postfix": f"{wanted.id}+openssl-VERSION",
        "openssl": f"postfix-VERSION+{wanted.id}",
    }.get(wanted.product)
    if pair:
        _say(f"next: postfix-matrix images build {pair}")


def _row(one: Release | Package) -> tuple[str, str, str, str]:
    if isinstance(one, Package):
        return one.id, "-", "-", f"packages {one.package} of Debian {one.suite}"
    vouched = corroboration(max(source.corroborated for source in one.sources))
    where = dict.fromkeys(_place(source) for source in one.sources)
    return one.id, str(one.date or "-"), vouched, ", ".join(where)


def _place(source: Source) -> str:
    match source.kind:
        case SourceKind.URL:
            return "upstream"
        case SourceKind.DEBIAN:
            return source.place
        case SourceKind.NPM:
            return f"npm {source.package}"
        case SourceKind.LOCAL:
            return str(source)


def _json(one: Release | Package) -> dict[str, Any]:
    about = {"id": one.id, "product": one.product, "version": one.version}
    if isinstance(one, Package):
        return {**about, "package": one.package, "suite": one.suite}
    sources = [
        {
            "kind": source.kind.value,
            "place": str(source),
            "sha256": source.sha256,
            "corroborated": source.corroborated,
        }
        for source in one.sources
    ]
    return {**about, "date": one.date.isoformat() if one.date else None, "sources": sources}
