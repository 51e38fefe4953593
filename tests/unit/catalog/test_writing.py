"""Writing records: in their place, and nothing else of the catalog's files changes."""

from __future__ import annotations

import shutil
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.releases import parse_releases
from harness.catalog.writing import Record, data_file, insert_record, write_record
from harness.errors import InfrastructureError
from tests.unit.sample_archives import VERSION


@pytest.mark.parametrize("version", ["2.0.1", "3.1.55", "3.10.99", "3.99.1"])
@pytest.mark.parametrize("product", ["postfix", "openssl", "stunnel"])
def test_a_record_goes_to_its_place_and_nothing_else_changes(product: str, version: str) -> None:
    """Comments and the order of the file are kept."""
    text = data_file(product).read_text("utf-8")
    record = Record(version, date(2027, 1, 2), "d" * 64, ("one.example", "two.example"))
    made = insert_record(text, record)
    versions = [item.version for item in parse_releases(tomllib.loads(made))]
    ordered = [item.version for item in sorted(parse_releases(tomllib.loads(made)), key=_order)]
    assert versions == ordered
    assert made.replace(f"{record}\n", "", 1) == text or made == f"{text}\n{record}"
    assert f"{record}[[" not in made, "the next table keeps its distance"


def _order(item: Any) -> Any:
    return item.order


HEAD = 'product = "x"\narchive = "x"\nsubdir = "x"\nmirrors = ["u"]\n'
RELEASE = f'[[release]]\nversion = "1.0"\nsha256 = "{"a" * 64}"\ncorroborated = 1'


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}{RELEASE}",
        f'{HEAD}\n# About 1.0.\n{RELEASE}\n# About needs.\n[[need]]\nwhy = ""\n',
    ],
    ids=["no end of line", "comments"],
)
@pytest.mark.parametrize("version", ["0.9", "1.1"])
def test_a_record_is_inserted_into_a_handwritten_file(text: str, version: str) -> None:
    """A missing end of line or blank line is no reason to break the file, or to lose a comment."""
    made = insert_record(text, Record(version, None, "b" * 64))
    data = tomllib.loads(made)
    assert sorted(item["version"] for item in data["release"]) == sorted(["1.0", version])
    for comment, table in (("# About 1.0.", "[[release]]"), ("# About needs.", "[[need]]")):
        if comment in text:
            assert f"{comment}\n{table}" in made


def test_a_file_of_another_layout_is_left_alone(tmp_path: Path) -> None:
    """What cannot be edited safely is not edited, and the record is given to do it by hand."""
    path = tmp_path / "postfix.toml"
    text = f'{HEAD}release = [{{version = "1.0", sha256 = "{"a" * 64}", corroborated = 1}}]\n'
    path.write_text(text)
    record = Record("1.1", None, "b" * 64)
    with pytest.raises(InfrastructureError, match="cannot be inserted") as caught:
        write_record(path, record)
    assert str(record) in caught.value.next_step
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_in_one_step_with_its_mode(tmp_path: Path) -> None:
    """A reader meanwhile sees the old file or the new one, and may read it as before."""
    path = tmp_path / "postfix.toml"
    shutil.copy(data_file("postfix"), path)
    path.chmod(0o664)
    with path.open("rb") as old:
        write_record(path, Record(VERSION, None, "b" * 64))
        assert VERSION.encode() not in old.read()
    assert VERSION in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o664
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there_is_told_with_the_record(tmp_path: Path) -> None:
    """Who cannot write the installation gets the record to write it elsewhere."""
    with pytest.raises(InfrastructureError, match="cannot write") as caught:
        write_record(tmp_path / "none.toml", Record(VERSION, None, "b" * 64))
    assert VERSION in caught.value.next_step
