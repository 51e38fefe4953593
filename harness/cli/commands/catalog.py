"""``postfix-matrix catalog``: lists the known releases, and adds a record for a new one."""

from __future__ import annotations

import re
import tarfile
import tempfile
from pathlib import Path

import click

from harness.catalog.builds import Distribution, all_distributions
from harness.catalog.checksum_trust import describe_corroboration
from harness.catalog.package_files import least_corroborated, package_files_of
from harness.catalog.reachability import name_place
from harness.catalog.releases import (
    PRODUCTS,
    Package,
    Source,
    SourceKind,
    all_packages,
    all_releases,
    load_data,
)
from harness.catalog.writing import data_file, write_record
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.output_forms import JSON, json_options
from harness.cli.printing import print_json, print_text
from harness.cli.source_options import read_mirrors
from harness.cli.terminal import terminal_columns
from harness.errors import UsageError
from harness.paths import cache_dir
from harness.reports.catalog_json import CatalogRecord, catalog_data
from harness.reports.wrapping import listing_lines
from harness.sources.catalog_add import (
    RequestedRelease,
    VerifiedArchive,
    cache_archive,
    check_request,
    fetch_and_verify,
)

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_DISTRIBUTIONS = "distributions"


@click.group(
    "catalog",
    epilog=format_examples(
        "postfix-matrix catalog list openssl", "postfix-matrix catalog add postfix 3.12.0 --dry-run"
    ),
)
def catalog_group() -> None:
    """List the known releases, or add one to the catalog."""


@catalog_group.command(
    "list",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix catalog list", "postfix-matrix catalog list postfix --json"
    ),
)
@click.argument("product", type=click.Choice([*PRODUCTS, _DISTRIBUTIONS]), required=False)
@json_options("JSON has the whole records (docs/schemas).")
def list_command(product: str | None, form: str) -> None:
    """List releases and distributions: date, hash and source.

    A hash is uncorroborated if only one place publishes it; upstream and its mirrors count as one
    place. A distribution has a hash here if it is made from package files.
    """
    names = [product] if product else [*PRODUCTS, _DISTRIBUTIONS]
    records: list[CatalogRecord] = []
    for name in names:
        if name == _DISTRIBUTIONS:
            records += all_distributions()
        else:
            records += [*all_releases(name), *all_packages(name)]
    if form == JSON:
        print_json(catalog_data(records), indent=2)
        return
    for line in listing_lines([_format_row(record) for record in records], terminal_columns()):
        print_text(line)


@catalog_group.command(
    "add",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix catalog add postfix 3.12.0 --dry-run",
        "postfix-matrix catalog add openssl 4.0.4 --file openssl-4.0.4.tar.gz",
    ),
)
@click.argument("product", type=click.Choice(PRODUCTS))
@click.argument("version")
@grouped_option(
    OptionGroup.SOURCES,
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="Another URL of the archive.",
)
@grouped_option(
    OptionGroup.SOURCES,
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The archive itself; the catalog's mirrors are not used then.",
)
@grouped_option(
    OptionGroup.SOURCES,
    "--sha256",
    metavar="HEX",
    help="The hash that it must have, if you know it.",
)
@grouped_option(
    OptionGroup.SOURCES,
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="URL",
    help="Use this mirror too: a URL below which the archive has upstream's name (also "
    "POSTFIX_MATRIX_MIRRORS).",
)
@grouped_option(
    OptionGroup.OUTPUT, "--dry-run", is_flag=True, help="Print the record, and write nothing."
)
def add_command(
    product: str,
    version: str,
    urls: tuple[str, ...],
    file: Path | None,
    sha256: str | None,
    mirrors: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Fetch and verify a release, and add its record.

    All places that have the archive must give the same bytes, and its source must state the
    VERSION. Nothing of it is run.
    """
    request = RequestedRelease(
        product, version, urls, read_mirrors(mirrors), file, _parse_hash(sha256)
    )
    check_request(request, load_data(product))
    if file is not None and not tarfile.is_tarfile(file):
        raise UsageError(
            f"--file {str(file)!r} is no tar archive",
            cause="a web page was saved under its name, or it is another file",
            next_step="name the archive of the release",
        )
    sources = cache_dir() / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=sources) as folder:
        result = fetch_and_verify(request, load_data(product), Path(folder), _print_note)
        for reason in result.failed:
            _print_note(f"not fetched from {reason}")
        if not dry_run:
            write_record(data_file(product), result.record)
            cache_archive(result, cache_dir())
    print_text(str(result.record), nl=False)
    _print_summary(request, result, dry_run=dry_run)


def _print_note(text: str) -> None:
    print_text(text, err=True)


def _parse_hash(text: str | None) -> str:
    if text is not None and not _SHA256.fullmatch(text.strip()):
        raise UsageError(
            f"--sha256 {text!r} is no SHA-256 hash", next_step="write it with 64 hex digits"
        )
    return (text or "").strip().lower()


def _print_summary(request: RequestedRelease, result: VerifiedArchive, *, dry_run: bool) -> None:
    """Print what was done, how trustworthy the hash is, and what to do next."""
    number = len(result.record.places)
    if number < 2:
        _print_note(
            f"its hash: {describe_corroboration(number)}; compare it with upstream's announcement"
        )
    if dry_run:
        _print_note("nothing was written")
        return
    _print_note(f"written to {data_file(request.product)}; its archive is in the cache of sources")
    pair = {
        "postfix": f"{request.id}+openssl-VERSION",
        "openssl": f"postfix-VERSION+{request.id}",
    }.get(request.product)
    if pair:
        _print_note(f"next: postfix-matrix images build {pair}")


def _format_row(record: CatalogRecord) -> tuple[str, str, str, str]:
    if isinstance(record, Distribution):
        trust, packages = _describe_packages(record)
        return record.id, str(record.released or "-"), trust, packages
    if isinstance(record, Package):
        return record.id, "-", "-", f"packages {record.package} of Debian {record.suite}"
    vouched = describe_corroboration(max(source.corroborated for source in record.sources))
    where = dict.fromkeys(_describe_place(source) for source in record.sources)
    return record.id, str(record.date or "-"), vouched, ", ".join(where)


def _describe_packages(distribution: Distribution) -> tuple[str, str]:
    """The trust in the hashes of a distribution's package files, and where its packages are."""
    if files := package_files_of(distribution.suite):
        return describe_corroboration(least_corroborated(files)), (
            f"{len(files)} package files of {distribution.title}"
        )
    archive = ", archived" if distribution.archived else ""
    return "-", f"packages of {distribution.title}{archive}"


def _describe_place(source: Source) -> str:
    return "upstream" if source.kind is SourceKind.URL else name_place(source)
