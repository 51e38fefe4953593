"""matrix.md, matrix.csv and index.html as files: whole, safe, and true to the run folder."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InfrastructureError, UsageError
from harness.files import write_atomically
from harness.observations.record import TlsView
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import Missing
from harness.plain_text import escape_controls
from harness.reports import write_reports
from harness.reports.html import render_html
from harness.reports.markdown import render_markdown
from harness.reports.plain_text import escape_markdown
from harness.reports.table_csv import COLUMNS, render_csv
from tests.unit import sample_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic run's folder."""
    return sample_run.write_sample_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def data(folder: Path) -> RunData:
    """The synthetic run."""
    return load_run(folder)


@pytest.fixture(scope="module")
def page(data: RunData) -> str:
    """Its page."""
    return render_html(data)


def rows_of(data: RunData) -> dict[str, dict[str, str]]:
    """matrix.csv read back, by cell."""
    rows = list(csv.DictReader(io.StringIO(render_csv(data), newline="")))
    by_cell = {row["cell"]: row for row in rows}
    assert len(by_cell) == len(rows)
    return by_cell


def test_write_reports_makes_three_files_and_leaves_nothing_else(tmp_path: Path) -> None:
    """A report is complete under its name, and no temporary file is left."""
    folder = sample_run.write_sample_run(tmp_path / "run")
    before = {path.name for path in folder.iterdir()}
    written = write_reports(folder)
    assert [path.name for path in written] == ["matrix.md", "matrix.csv", "index.html"]
    assert {path.name for path in folder.iterdir()} - before == {p.name for p in written}
    again = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in write_reports(folder)] == again


def test_reports_of_a_killed_run_are_made(tmp_path: Path) -> None:
    """What was measured before the kill is reported, with a note that the run did not finish."""
    folder = sample_run.write_sample_run(tmp_path / "run", finished=False)
    for path in write_reports(folder)[::2]:
        assert "not finished" in path.read_text(encoding="utf-8")


def test_a_folder_that_is_no_run_gets_no_report(tmp_path: Path) -> None:
    """A wrong path is an error and stays as it is."""
    with pytest.raises(UsageError):
        write_reports(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_report(tmp_path: Path) -> None:
    """Half a report never replaces a whole one."""
    path = tmp_path / "matrix.md"
    (path / "old").mkdir(parents=True)
    with pytest.raises(InfrastructureError, match="cannot write"):
        write_atomically(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["matrix.md"]
    assert [p.name for p in path.iterdir()] == ["old"]


def test_bytes_that_are_no_text_do_not_stop_a_report(tmp_path: Path) -> None:
    """A log line with a stray byte (in Python a lone surrogate) is reported, the byte named."""
    folder = sample_run.write_sample_run(tmp_path / "run")
    data = load_run(folder)
    observation = data.observations[0]
    bad = {"cell": observation.cell, "log": ["stray \udcff byte"], "client": {"error": "\udcfe"}}
    (folder / str(observation.evidence)).write_text(json.dumps(bad), encoding="utf-8")
    page = write_reports(folder)[-1].read_text(encoding="utf-8")
    result = blocks_of(page)[observation.scenario]["cells"][observation.cell]["evidence"]
    assert result["log"] == bad["log"]
    path = write_atomically(tmp_path / "x.md", f"a {escape_controls(chr(0xDCFF))} \udcfe")
    assert path.read_text(encoding="utf-8") == "a \\xff \\udcfe"


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    """The user learns what could not be written and what to do."""
    with pytest.raises(InfrastructureError, match=r"cannot write .*matrix\.md") as caught:
        write_atomically(tmp_path / "gone" / "matrix.md", "x")
    assert caught.value.next_step


def test_csv_has_every_cell_with_every_field(data: RunData) -> None:
    """A script reads out of matrix.csv just what observations.jsonl says."""
    rows = rows_of(data)
    for cell in data.observations:
        row = rows[cell.cell]
        assert row["outcome"] == cell.outcome
        assert row["reason"] == (cell.reason or "")
        assert row["agree"] == {None: "", True: "true", False: "false"}[cell.agree]
        assert row["client_cipher"] == (cell.client_saw.cipher if cell.client_saw else "")
        assert row["evidence"] == cell.evidence
    assert rows[sample_run.ACCEPTED_CELL]["postfix"] == "3.7.11"
    assert rows[sample_run.ACCEPTED_CELL]["server_bits"] == "256"


def test_csv_has_the_cells_that_were_not_measured(data: RunData) -> None:
    """A planned cell without an observation is a row that says why."""
    missing = {c: r for c, r in rows_of(data).items() if r["outcome"] == "not-measured"}
    assert len(missing) == 4 * 3 * 2 * 7
    assert {row["why_not_measured"] for row in missing.values()} == {sample_run.MISSING_WHY}


def test_csv_text_is_no_spreadsheet_formula(data: RunData) -> None:
    """A reason that begins like a formula stays text, on one line."""
    entry = Missing(sample_run.MISSING_BUILD, "build", '=HYPERLINK(1)\nsecond, "line"')
    hostile = replace(data, run=replace(data.run, missing=(entry,)))
    whys = {row["why_not_measured"] for row in rows_of(hostile).values()} - {""}
    assert whys == {'\'=HYPERLINK(1) second, "line"'}
    assert render_csv(hostile).splitlines()[0] == ",".join(COLUMNS)


def test_markdown_tables_are_rectangular_and_link_to_the_evidence(
    data: RunData, folder: Path
) -> None:
    """GitHub renders each table, and every link of a cell leads to a file that is there."""
    text = render_markdown(data)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {line.count("|") - line.count("\\|") for line in block.splitlines()
                  if "not measured:" not in line}  # fmt: skip
        assert len(widths) == 1, block
    links = re.findall(r"\]\((evidence/[^)]+)\)", text)
    assert len(links) == len(data.observations)
    broken = [link for link in links if not (folder / link.replace("%2B", "+")).exists()]
    assert len(broken) == 1  # NO_EVIDENCE_CELL


def test_markdown_says_claim_missing_build_and_agreement(data: RunData) -> None:
    """The reader on GitHub sees the same facts as in the terminal."""
    text = render_markdown(data)
    assert "1 of 222 views compared disagree" in text
    assert f"- build `{sample_run.MISSING_BUILD}`: {sample_run.MISSING_WHY}" in text
    assert "> One -o option below the submission entry makes the server use TLS 1.2." in text
    assert "[✓≠](" in text


def test_markdown_says_what_each_scenario_changes(data: RunData) -> None:
    """Below each scenario's heading and in the list of them stands how it differs from defaults."""
    text = render_markdown(sample_run.twin(data, {}))
    message = (
        "The same as defaults in all 124 cells, with these clients and offers; "
        "42 cells not measured here; 2 cells not compared: a time-out, or an error of the harness."
    )
    assert f"](#twin): {message}" in text
    assert f"\n\n{message}\n\n### smtp" in text
    assert text.count(message) == 2
    assert text.count("| debian-12 | openssl-1.0.2h |") == 2 * 3, "tables stay whole"


def test_markdown_of_outside_words_is_inert() -> None:
    """Pipes, HTML and line ends in a claim or reason cannot break a table or the page."""
    assert escape_markdown("a|b\n<img> `x` [l](u)") == r"a\|b &lt;img&gt; \`x\` \[l\](u)"


class Tags(HTMLParser):
    """Collects the page's elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, dict(attrs)))


def blocks_of(page: str) -> dict[str, Any]:
    """The evidence embedded in the page, by scenario."""
    result = re.findall(r'class="evidence" data-scenario="([^"]+)">([^<]+)</script>', page)
    return {name: json.loads(gzip.decompress(base64.b64decode(text))) for name, text in result}


def test_page_needs_nothing_from_outside(page: str) -> None:
    """The page works from a disk: no element loads anything, and the policy forbids it."""
    tags = Tags(page).tags
    loading = [(t, a) for t, a in tags if t != "a" and {"src", "href", "srcset"} & a.keys()]
    assert loading == [("link", {"rel": "icon", "href": "data:,"})]
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|innerHTML|eval\(", page)
    policy = next(a["content"] for t, a in tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_page_says_what_each_scenario_changes(data: RunData) -> None:
    """One sentence a scenario; a cell that differs is marked and its title says how."""
    cell = "debian-12/twin/smtp/openssl-1.0.2h/TLSv1.2"
    change = {cell: {"client_saw": TlsView("TLSv1.2", "AES128-SHA")}}
    page = render_html(sample_run.twin(data, change))
    assert "Differs from defaults in 1 of 124 cells (smtp; TLSv1.2);" in page
    marked = [a for t, a in Tags(page).tags if t == "button" and a.get("data-beside") == "differs"]
    assert [a["id"] for a in marked] == [cell]
    assert "differs in cipher; under defaults: accepted, TLSv1.2, ECDHE" in str(marked[0]["title"])
    result = blocks_of(page)["twin"]["cells"]
    assert result[cell]["beside"].startswith("differs in cipher")
    assert result[cell.replace("TLSv1.2", "TLSv1.1")]["beside"] == "the same as under defaults"
    assert "beside" not in blocks_of(page)["defaults"]["cells"][cell.replace("twin", "defaults")]


def test_policy_allows_just_the_pages_own_script_and_style(page: str) -> None:
    """The hashes in the policy are those of the blocks as they stand in the page."""
    for tag in ("script", "style"):
        block = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert block
        digest = base64.b64encode(hashlib.sha256(block[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page


def test_page_has_a_button_for_every_cell_and_its_evidence(page: str, data: RunData) -> None:
    """Each observation can be clicked, and opens the evidence of its own file."""
    buttons = [a["id"] for t, a in Tags(page).tags if t == "button" and a.get("id")]
    assert len(set(buttons)) == len(buttons)
    assert {cell.cell for cell in data.observations} == set(buttons)
    blocks = blocks_of(page)
    for observation in data.observations:
        result = blocks[observation.scenario]["cells"][observation.cell]
        assert result["evidence"] == data.evidence(observation)
        assert result["seen"]["outcome"] == observation.outcome
    assert blocks["defaults"]["instances"]["debian-13"] == data.instance("debian-13", "defaults")


def test_hostile_words_do_not_reach_the_markup(page: str, data: RunData) -> None:
    """A log line with markup lies only inside the compressed block; a claim's markup is escaped."""
    assert "onerror" not in page
    assert "<b>any</b>" not in page
    assert "&lt;b&gt;any&lt;/b&gt;" in page
    log = blocks_of(page)["defaults"]["cells"][sample_run.HOSTILE_CELL]["evidence"]["log"]
    assert sample_run.HOSTILE in log[1]
    bad = replace(data.run.scenarios["defaults"], url="javascript:alert(1)")
    run = replace(data.run, scenarios={**data.run.scenarios, "defaults": bad})
    assert "javascript:alert" not in render_html(replace(data, run=run))


def test_page_of_a_full_matrix_stays_small(page: str) -> None:
    """A page of the sample's 546 cells stays under 400 kB, so that 2000 fit in 1.5 MB."""
    assert len(page.encode()) < 400_000
