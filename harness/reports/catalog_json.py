"""The catalog's records for other programs: docs/schemas/catalog-list.schema.json."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from harness.catalog.builds import Distribution
from harness.catalog.package_files import package_files_of
from harness.catalog.releases import Package, Release, Source

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1

CatalogRecord = Release | Package | Distribution


def catalog_data(records: Iterable[CatalogRecord]) -> dict[str, Any]:
    """Every record, in the order given."""
    return {"schema": SCHEMA, "records": [_record_data(record) for record in records]}


def _record_data(record: CatalogRecord) -> dict[str, Any]:
    match record:
        case Distribution():
            return _distribution_data(record)
        case Package():
            return {
                **_release_names("package", record),
                "package": record.package,
                "suite": record.suite,
            }
        case Release():
            return {
                **_release_names("release", record),
                "date": record.date.isoformat() if record.date else None,
                "sources": [_source_data(source) for source in record.sources],
            }


def _release_names(kind: str, record: Release | Package) -> dict[str, str]:
    return {
        "kind": kind,
        "id": record.id,
        "product": record.product,
        "version": record.version,
    }


def _source_data(source: Source) -> dict[str, Any]:
    return {
        "kind": source.kind.value,
        "place": str(source),
        "sha256": source.sha256,
        "corroborated": source.corroborated,
    }


def _distribution_data(distribution: Distribution) -> dict[str, Any]:
    """A distribution's record; ``files`` is empty for one that is not made from package files."""
    return {
        "kind": "distribution",
        "id": distribution.id,
        "suite": distribution.suite,
        "date": distribution.released.isoformat() if distribution.released else None,
        "archived": distribution.archived,
        "files": [asdict(file) for file in package_files_of(distribution.suite)],
    }
