"""The published JSON Schemas describe what a site has."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.unit.site.night_samples import CELL, REFUSED, publish, write_night

SCHEMAS = Path(__file__).parents[3] / "harness/site/schemas"
#: Which files of data/v1 each schema is of.
FILES = {
    "site-index": "index.json",
    "site-facts": "facts/*.json",
    "site-evidence": "objects/*.json.gz",
    "site-run": "runs/*.json",
    "site-changes": "changes/*.json",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of two nights with a change."""
    folder = tmp_path_factory.mktemp("nights")
    other = {"debian-12": "sha256:" + "9" * 64}
    nights = [
        write_night(folder / "1", 1),
        write_night(folder / "2", 2, cells={CELL: REFUSED}, images=other),
    ]
    publish(folder / "site", *nights)
    return folder / "site/data/v1"


def _read_files(data: Path, pattern: str) -> Iterator[Any]:
    for path in sorted(data.glob(pattern)):
        raw = path.read_bytes()
        yield json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)


@pytest.mark.parametrize("name", FILES)
def test_the_schema_is_that_of_its_files(data: Path, name: str) -> None:
    """Every file of the site is valid, and each schema has files."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    records = list(_read_files(data, FILES[name]))
    assert records
    for record in records:
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(record)]
        assert errors == []


def test_facts_of_a_run_have_the_same_form(data: Path) -> None:
    """What the script compares for two runs is read as the facts of today are."""
    schema = json.loads((SCHEMAS / "site-facts.schema.json").read_text(encoding="utf-8"))
    records = [record for record in _read_files(data, "objects/*.json") if "places" in record]
    assert records
    for record in records:
        assert list(Draft202012Validator(schema).iter_errors(record)) == []
        assert record["runs"] == []


def test_the_schemas_are_published(data: Path) -> None:
    """At stable addresses, all of them."""
    assert {path.name for path in (data / "schemas").iterdir()} == {
        path.name for path in SCHEMAS.iterdir()
    }
