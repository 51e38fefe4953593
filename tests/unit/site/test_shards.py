"""Shards of evidence lose nothing, and pages show it with and without reading them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.site.refusals import MOST_ENTRIES, group_refusals
from harness.site.shards import ID_SIGN, read_shard, restore_evidence
from tests.unit.site.crawling import read_page
from tests.unit.site.night_samples import CELL, REFUSED, publish, write_night

_BUILD, _SCENARIO, _SPOT = CELL.split("/", 2)


def change_evidence(run: Path, cell: str, **fields: Any) -> Path:
    """Give a cell other fields of its evidence; the file."""
    lines = (run / "observations.jsonl").read_text(encoding="utf-8").splitlines()
    (name,) = (json.loads(line)["evidence"] for line in lines if json.loads(line)["cell"] == cell)
    path = run / str(name)
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, **fields}, ensure_ascii=False), encoding="utf-8")
    return path


def find_shard(site: Path) -> dict[str, Any]:
    """The shard of the cell's server and scenario."""
    shards = [read_shard(path) for path in (site / "data/v1/objects").glob("*.json.gz")]
    (shard,) = (s for s in shards if (s["build"], s["scenario"]) == (_BUILD, _SCENARIO))
    return shard


@pytest.mark.parametrize(
    ("note", "sign"),
    [("as ever", ID_SIGN), (f"{CELL} is {CELL}\n", ID_SIGN), (f"a {ID_SIGN} of its own", None)],
)
def test_evidence_is_in_the_shard_as_in_the_run(tmp_path: Path, note: str, sign: str) -> None:
    """The id's sign is put back exactly; where the evidence itself has it, it is not used."""
    run = write_night(tmp_path / "1", 1)
    path = change_evidence(run, CELL, notes=[note, CELL])
    publish(tmp_path / "site", run)
    shard = find_shard(tmp_path / "site")
    assert shard["id_sign"] == sign
    assert restore_evidence(shard, _SPOT) == json.loads(path.read_text(encoding="utf-8"))
    assert (CELL in json.dumps(shard["cells"])) == (sign is None)


def test_what_both_sides_said_is_on_the_page_also_of_a_kept_shard(tmp_path: Path) -> None:
    """The page of a night that changed nothing reads the shard, and shows the same lines."""
    texts = []
    runs = [write_night(tmp_path / str(day), day, cells={CELL: REFUSED}) for day in (1, 2)]
    for run in runs:
        client = {"error": f"{CELL}: alert protocol version, thread 140140140140"}
        change_evidence(run, CELL, client=client)
        publish(tmp_path / "site", run)
        texts.append(read_page(tmp_path / f"site/cell/{_BUILD}/{_SCENARIO}/index.html").text)
    assert all(f"{CELL}: alert protocol version, thread 140140140140" in text for text in texts)


def test_cells_that_differ_in_numbers_alone_are_one_entry() -> None:
    """Threads and processes change with each dialogue; another error is another entry."""
    errors = [f"{140_000_000 + n}:error:0A0000C1:no shared cipher" for n in range(5)]
    evidence = {f"smtp/c/{n}": {"client": {"error": error}} for n, error in enumerate(errors)}
    evidence["smtp/c/x"] = {"client": {"error": "unknown protocol"}}
    groups = group_refusals(evidence, evidence)
    assert [group.spots for group in groups] == [[f"smtp/c/{n}" for n in range(5)], ["smtp/c/x"]]
    assert groups[0].client == errors[0]
    many = {str(n): {"client": {"error": chr(97 + n % 26) * (n + 1)}} for n in range(99)}
    assert len(group_refusals(many, many)) == MOST_ENTRIES


def test_a_clients_page_has_what_a_page_of_all_clients_has_no_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page split by client shows each client's own lines, however many others' come first."""
    monkeypatch.setattr("harness.site.cell_pages.MOST_ROWS", 0)
    monkeypatch.setattr("harness.site.refusals.MOST_ENTRIES", 1)
    clients = ("openssl-1.0.2h", "aiosmtplib-debian12")
    cells = {f"{_BUILD}/{_SCENARIO}/smtp/{client}/SSLv2": client for client in clients}
    run = write_night(tmp_path / "1", 1, cells=dict.fromkeys(cells, REFUSED))
    for cell, client in cells.items():
        change_evidence(run, cell, client={"error": f"what {client} reports"})
    publish(tmp_path / "site", run)
    for client in clients:
        page = read_page(tmp_path / f"site/cell/{_BUILD}/{_SCENARIO}/{client}/index.html")
        assert f"what {client} reports" in page.text
