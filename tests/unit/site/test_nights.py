"""Several nights in one site: what counts as changed, and what stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FileError, UsageError
from tests.unit.site.crawling import find_dead_links, read_page
from tests.unit.site.night_samples import (
    CELL,
    REFUSED,
    TIMED_OUT,
    publish,
    read_day,
    site_files,
    write_night,
)

_FEED = "feed.xml"


def _feed_entries(site: Path, folder: str = "") -> int:
    return (site / folder / _FEED).read_text(encoding="utf-8").count("<entry>")


def test_a_changed_image_and_cell_are_named_exactly(tmp_path: Path) -> None:
    """Changes, feeds of the server, client and advice, and the page name the one cell."""
    first = write_night(tmp_path / "1", 1)
    second = write_night(
        tmp_path / "2", 2, cells={CELL: REFUSED}, images={"debian-12": "sha256:" + "9" * 64}
    )
    site = tmp_path / "site"
    publish(site, first, second)
    record = read_day(site, 2)
    assert [change["cell"] for change in record["cells"]] == [CELL]
    assert record["cells"][0]["finding"] == "fixed"
    assert record["flaky"] == []
    assert [image["build"] for image in record["images"]] == ["debian-12"]
    assert _feed_entries(site) == 1
    assert _feed_entries(site, "build/debian-12") == 1
    assert _feed_entries(site, "client/openssl-1.0.2h") == 1
    assert _feed_entries(site, "advice/defaults") == 1
    assert _feed_entries(site, "build/debian-13") == 0
    assert _feed_entries(site, "client/aiosmtplib-debian12") == 0
    assert CELL in read_page(site / "changes/2026-11-02/index.html").text
    assert list(find_dead_links(site)) == []


def test_time_outs_never_count(tmp_path: Path) -> None:
    """A time-out is no change, nor is the result after it that was known before it."""
    nights = [
        write_night(tmp_path / "1", 1),
        write_night(tmp_path / "2", 2, cells={CELL: TIMED_OUT}),
        write_night(tmp_path / "3", 3),
    ]
    site = tmp_path / "site"
    publish(site, *nights)
    for day in (2, 3):
        record = read_day(site, day)
        assert (record["cells"], record["flaky"], record["verdicts"]) == ([], [], [])
    assert _feed_entries(site) == 0


def test_a_change_behind_a_time_out_is_seen(tmp_path: Path) -> None:
    """After a time-out, a cell is compared with what was known before it."""
    other = {"debian-12": "sha256:" + "9" * 64}
    nights = [
        write_night(tmp_path / "1", 1),
        write_night(tmp_path / "2", 2, cells={CELL: TIMED_OUT}, images=other),
        write_night(tmp_path / "3", 3, cells={CELL: REFUSED}, images=other),
    ]
    site = tmp_path / "site"
    for night in nights:
        publish(site, night)
    assert [change["cell"] for change in read_day(site, 3)["cells"]] == [CELL]
    assert read_day(site, 3)["before"] == [
        "20261101T010000Z-aaaa",
        "20261102T010000Z-aaaa",
    ]


def test_what_differs_without_a_cause_is_flaky(tmp_path: Path) -> None:
    """The same image and configuration: listed apart, and in no feed."""
    site = tmp_path / "site"
    publish(
        site, write_night(tmp_path / "1", 1), write_night(tmp_path / "2", 2, cells={CELL: REFUSED})
    )
    record = read_day(site, 2)
    assert record["cells"] == []
    assert [change["cell"] for change in record["flaky"]] == [CELL]
    assert _feed_entries(site) == 0


def test_a_changed_image_of_a_client_is_a_cause(tmp_path: Path) -> None:
    """What its new image does is a change, which feeds name; it is not flaky."""
    site = tmp_path / "site"
    first = write_night(tmp_path / "1", 1)
    second = write_night(
        tmp_path / "2", 2, cells={CELL: REFUSED}, images={"openssl-1.0.2h": "sha256:" + "9" * 64}
    )
    publish(site, first, second)
    record = read_day(site, 2)
    assert [change["cell"] for change in record["cells"]] == [CELL]
    assert record["flaky"] == []
    assert _feed_entries(site, "client/openssl-1.0.2h") == 1


def test_what_an_older_run_could_not_build_is_not_missing_later(tmp_path: Path) -> None:
    """A newer run built it, whichever of the two is published first."""
    site = tmp_path / "site"
    publish(site, write_night(tmp_path / "2", 2))
    missing = [{"name": "debian-12", "kind": "build", "why": "no network"}]
    publish(site, _edit_run(write_night(tmp_path / "1", 1), missing=missing))
    state = json.loads((site / "data/v1/state.json").read_text(encoding="utf-8"))
    assert "debian-12" not in state["missing"]


def test_an_unchanged_night_adds_no_evidence(tmp_path: Path) -> None:
    """Shards and facts are those of the night before; the cells name the newest run."""
    site = tmp_path / "site"
    publish(site, write_night(tmp_path / "1", 1))
    before = {name for name in site_files(site) if "/objects/" in name}
    publish(site, write_night(tmp_path / "2", 2))
    after = {name for name in site_files(site) if "/objects/" in name}
    assert after == before
    facts = json.loads((site / "data/v1/facts/defaults.json").read_text(encoding="utf-8"))
    assert facts["runs"] == ["20261102T010000Z-aaaa"]


def test_a_run_replaces_only_what_it_measured(tmp_path: Path) -> None:
    """An incomplete run of one server leaves the others as the night before measured them."""
    site = tmp_path / "site"
    publish(site, write_night(tmp_path / "1", 1))
    publish(site, write_night(tmp_path / "2", 2, keep=["debian-12"], finished=False))
    facts = json.loads((site / "data/v1/facts/defaults.json").read_text(encoding="utf-8"))
    by_build = dict(zip(facts["builds"], facts["run"], strict=True))
    assert facts["runs"][by_build["debian-12"]] == "20261102T010000Z-aaaa"
    assert facts["runs"][by_build["debian-13"]] == "20261101T010000Z-aaaa"
    assert "incomplete" in read_page(site / "runs/index.html").text
    old = read_page(site / "cell/debian-13/defaults/index.html").text
    assert "measured 2026-11-01" in old


def test_a_permanent_link_survives_the_next_run_and_pruning(tmp_path: Path) -> None:
    """A cell of a run that is no longer kept stays at its address, with its evidence."""
    site = tmp_path / "site"
    publish(site, write_night(tmp_path / "1", 1), keep=1)
    publish(site, write_night(tmp_path / "2", 2, keep=["debian-12"]), keep=1)
    page = read_page(site / "cell/debian-13/defaults/index.html")
    assert "smtp/openssl-1.0.2h/TLSv1" in page.ids
    assert not (site / "data/v1/runs/20261101T010000Z-aaaa.parquet").exists()
    assert list(find_dead_links(site)) == []


def test_publishing_a_run_again_changes_nothing(tmp_path: Path) -> None:
    """The same run twice: the same site, byte for byte."""
    site, night = tmp_path / "site", write_night(tmp_path / "1", 1)
    publish(site, night)
    before = site_files(site)
    publish(site, night)
    after = site_files(site)
    before.pop("data/v1/state.parquet"), after.pop("data/v1/state.parquet")
    changed = [name for name in before if before[name] != after.get(name)]
    assert before.keys() == after.keys()
    assert [name for name in changed if "changes" not in name and name != "index.html"] == []


def test_an_older_run_does_not_replace_a_newer(tmp_path: Path) -> None:
    """Runs may be published in any order."""
    site = tmp_path / "site"
    publish(site, write_night(tmp_path / "2", 2))
    publish(site, write_night(tmp_path / "1", 1, cells={CELL: REFUSED}))
    facts = json.loads((site / "data/v1/facts/defaults.json").read_text(encoding="utf-8"))
    assert facts["runs"] == ["20261102T010000Z-aaaa"]


def test_contradicting_runs_are_refused_naming_both(tmp_path: Path) -> None:
    """Two runs with other texts of one scenario, and two of other schemas."""
    first, second = write_night(tmp_path / "1", 1), write_night(tmp_path / "2", 2)
    path = second / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    run["scenarios"]["answer-1-protocols"]["main_cf"] = "smtpd_tls_protocols = TLSv1\n"
    path.write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(UsageError) as error:
        publish(tmp_path / "site", first, second)
    assert str(first) in str(error.value)
    assert str(second) in str(error.value)
    assert "answer-1-protocols" in str(error.value)
    path.write_text(json.dumps({**run, "schema": 2}), encoding="utf-8")
    with pytest.raises(UsageError, match=r"has schema 1, .* has 2"):
        publish(tmp_path / "site", first, second)
    assert not (tmp_path / "site").exists()


def test_a_rewritten_scenario_is_not_compared(tmp_path: Path) -> None:
    """The cells of another text are no earlier results of this one."""
    site = tmp_path / "site"
    publish(site, write_night(tmp_path / "1", 1))
    second = write_night(tmp_path / "2", 2, cells={
        "debian-12/answer-1-protocols/smtp/openssl-1.0.2h/TLSv1.1": REFUSED
    })  # fmt: skip
    path = second / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    run["scenarios"]["answer-1-protocols"]["main_cf"] = "smtpd_tls_protocols = TLSv1.2\n"
    path.write_text(json.dumps(run), encoding="utf-8")
    publish(site, second)
    record = read_day(site, 2)
    assert record["rewritten"] == ["answer-1-protocols"]
    assert record["cells"] == record["flaky"] == []


def test_variants_show_what_lines_do_and_are_no_advice(tmp_path: Path) -> None:
    """A run of explain has pages of its candidate alone, which say which lines act."""
    night = write_night(tmp_path / "1", 1)
    path = night / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    name = "answer-1-protocols"
    run["scenarios"][name]["main_cf"] = "smtpd_tls_mandatory_protocols = !TLSv1\n"
    variant = f"{name}--without-1"
    run["scenarios"][variant] = {**run["scenarios"]["defaults"], "title": "without"}
    run["axes"]["scenarios"].append(variant)
    path.write_text(json.dumps(run), encoding="utf-8")
    lines = (night / "observations.jsonl").read_text(encoding="utf-8").splitlines()
    more = [
        line.replace("/defaults/", f"/{variant}/").replace('"defaults"', f'"{variant}"')
        for line in lines
        if '"scenario": "defaults"' in line
    ]
    text = "\n".join([*lines, *more]) + "\n"
    (night / "observations.jsonl").write_text(text, encoding="utf-8")
    site = tmp_path / "site"
    publish(site, night)
    assert not (site / "advice" / variant).exists()
    page = read_page(site / f"advice/{name}/index.html").text
    assert "smtpd_tls_mandatory_protocols = !TLSv1: acts" in page


def _edit_run(folder: Path, **fields: Any) -> Path:
    path = folder / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**run, **fields}), encoding="utf-8")
    return folder


def test_a_runs_id_never_leads_out_of_the_site(tmp_path: Path) -> None:
    """It is text of a file that others may have written: '..' and '<' are names like others."""
    site = tmp_path / "place/site"
    for day, name in enumerate(("../../../../escaped", "<script>alert(1)</script>"), 1):
        publish(site, _edit_run(write_night(tmp_path / str(day), day), id=name))
    assert list(tmp_path.rglob("escaped*")) == []
    assert sorted(path.name for path in (tmp_path / "place").iterdir()) == ["site"]
    assert len(list((site / "data/v1/runs").glob("*.parquet"))) == 2
    assert list(find_dead_links(site)) == []


@pytest.mark.parametrize("started", ["yesterday", "", "../../x", "2026-13-01T00:00:00Z"])
def test_a_run_without_a_time_is_refused(tmp_path: Path, started: str) -> None:
    """A sentence names the file and the key; nothing is written."""
    night = _edit_run(write_night(tmp_path / "1", 1), started=started)
    with pytest.raises(FileError, match=r"run\.json: started: '.*' is no time like"):
        publish(tmp_path / "site", night)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"other": 1}'])
@pytest.mark.parametrize(
    "name",
    ["state.json", "state.parquet", "changes/2026-11-01.json", "runs/20261101T010000Z-aaaa.json"],
)
def test_a_damaged_file_of_the_site_is_named(tmp_path: Path, name: str, content: str) -> None:
    """No traceback, and the site is as it was."""
    site = tmp_path / "site"
    publish(site, write_night(tmp_path / "1", 1))
    (site / "data/v1" / name).write_text(content, encoding="utf-8")
    before = site_files(site)
    with pytest.raises(UsageError, match=name):
        publish(site, write_night(tmp_path / "2", 2))
    assert site_files(site) == before


def _expect_acceptance(folder: Path) -> Path:
    """A run whose advice says that TLSv1 is accepted, which is wrong."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    wrong = {"where": [{"offers": ["TLSv1"]}], "outcome": ["accepted"], "line": 1, "says": ""}
    scenarios = run["scenarios"]
    scenarios["answer-1-protocols"]["expect"] = [wrong]
    return _edit_run(folder, scenarios=scenarios)


def _read_verdict(site: Path) -> dict[str, Any]:
    state = json.loads((site / "data/v1/state.json").read_text(encoding="utf-8"))
    verdict: dict[str, Any] = state["verdicts"]["answer-1-protocols"]["debian-12"]
    return verdict


@pytest.mark.parametrize("finished", [True, False], ids=["fewer clients", "stopped"])
def test_a_verdict_on_a_part_replaces_none_on_the_whole(tmp_path: Path, finished: bool) -> None:
    """A run with one client, or a stopped one: all cells that the site shows are judged."""
    site = tmp_path / "site"
    publish(site, _expect_acceptance(write_night(tmp_path / "1", 1)))
    whole = _read_verdict(site)
    part = _expect_acceptance(write_night(tmp_path / "2", 2, finished=finished))
    lines = (part / "observations.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if "aiosmtplib" not in line]
    (part / "observations.jsonl").write_text("".join(kept), encoding="utf-8")
    if finished:
        axes = json.loads((part / "run.json").read_text(encoding="utf-8"))["axes"]
        _edit_run(part, axes={**axes, "clients": ["openssl-1.0.2h"]})
    publish(site, part)
    assert whole["mismatches"] > 0
    assert whole["changed"] is not None
    verdict = _read_verdict(site)
    assert verdict == {**whole, "run": verdict["run"]}
    assert verdict["run"] == "20261102T010000Z-aaaa"
