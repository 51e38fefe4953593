"""The table of cells: filters, counts, address, exports, keyboard, evidence, paper."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from harness.outcomes import Outcome
from tests.browser.site import SiteReader, serve_folder
from tests.browser.site_sample import CHANGED_CELL, change_facts
from tests.unit import sample_run

ADVICE = "advice/answer-1-protocols/"
#: Cells of a scenario: 4 builds (of which one was unavailable), 3 services, 2 clients, 7 offers.
ALL_CELLS = 168


@contextmanager
def changed_site(
    site: SiteReader, tmp_path: Path, scenario: str, change: Any
) -> Iterator[SiteReader]:
    """A copy of the site whose facts of one scenario are changed."""
    folder = tmp_path / "site"
    shutil.copytree(site.folder, folder)
    change_facts(folder, scenario, change)
    with serve_folder(folder) as address:
        yield SiteReader(site.chrome, folder, address)


def export(site: SiteReader, kind: str, into: Path) -> str:
    """Click an export, and read the file that it leaves."""
    into.mkdir(exist_ok=True)
    site.chrome.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(into)}
    )
    site.script(
        "[...document.querySelectorAll('.state button')]"
        ".find(button => button.textContent === arguments[0]).click()",
        kind,
    )
    endings = {"CSV": "csv", "JSON": "json", "Markdown": "md"}
    site.wait(lambda: list(into.glob(f"*.{endings[kind]}")))
    (path,) = into.glob(f"*.{endings[kind]}")
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def test_filters_narrow_what_is_shown_and_count_what_is_left(site: SiteReader) -> None:
    """A choice narrows the table; the counts beside the other choices follow it."""
    site.open(ADVICE)
    assert site.status.startswith(f"{ALL_CELLS} of {ALL_CELLS} cells")
    site.choose("Service", "submission")
    site.choose("Client", "openssl-1.0.2h")
    assert site.status.startswith("28 of 168 cells, 4 rows")
    pills = {
        label.find_element(By.TAG_NAME, "span").text: label.find_element(By.TAG_NAME, "small").text
        for label in site.find_all("form.filters label:has(input[type=checkbox])")
    }
    assert pills["smtp"] == "28"
    assert pills["aiosmtplib-debian12"] == "28"
    assert len(site.shown_cells()) == 28
    assert all("/submission/openssl-1.0.2h/" in unquote(cell.replace("#", "/"))
               for cell in site.shown_cells())  # fmt: skip


def test_rows_and_columns_without_a_cell_are_hidden(site: SiteReader) -> None:
    """What no shown cell stands in is not there: neither its column nor its row."""
    site.open(ADVICE)
    site.choose("Outcome", "✗ refused")
    heads = [head.text for head in site.find_all(".view thead th")][1:]
    assert set(heads) == {"SSLv2", "SSLv3", "TLSv1"}
    assert all(row.find_elements(By.CSS_SELECTOR, "td.o-refused")
               for row in site.find_all(".view tbody tr:not(.group)"))  # fmt: skip


def test_only_what_differs_from_the_baseline(site: SiteReader) -> None:
    """One click leaves the cells that differ from defaults; a time-out is no difference."""
    site.open(ADVICE)
    site.choose("Only", "what differs from defaults")
    cells = {unquote(cell).replace("/#", "/").removeprefix("cell/") for cell in site.shown_cells()}
    refused = {
        f"{build}/answer-1-protocols/{service}/{client}/TLSv1"
        for build in sample_run.VERSIONS
        for service in sample_run.SERVICES
        for client in sample_run.CLIENTS
    } - {CHANGED_CELL}
    plaintext = {
        cell.replace("/defaults/", "/answer-1-protocols/")
        for cell, outcome in sample_run.SPECIAL.items()
        if outcome == Outcome.PLAINTEXT
    }
    disagreeing = {sample_run.DISAGREEING_CELL.replace("/defaults/", "/answer-1-protocols/")}
    assert cells == refused | plaintext | disagreeing
    assert len(site.find_all(".view td.differs .mark")) == len(cells)


def test_a_search_looks_at_the_names_of_the_axes(site: SiteReader) -> None:
    """Each word must be in one of a cell's names, whatever axis it is of."""
    site.open(ADVICE)
    site.find("input[type=search]").send_keys("debian-13 aiosmtplib TLSv1.3")
    assert site.status.startswith("3 of 168 cells")
    site.find("input[type=search]").send_keys(" nothing")
    assert "No cell passes these filters" in site.find(".view").text


def test_filters_survive_a_reload_and_back_undoes_one(site: SiteReader) -> None:
    """The address has the filters: it can be shared, reloaded, and gone back in."""
    site.open(ADVICE)
    site.choose("Service", "submission")
    site.choose("Outcome", "✗ refused")
    narrow = site.status
    shared = site.chrome.current_url.removeprefix(site.address)
    assert "service=submission" in shared
    site.open(shared)
    assert site.status == narrow
    site.open(ADVICE)
    site.choose("Service", "submission")
    site.choose("Outcome", "✗ refused")
    site.chrome.back()
    site.wait(lambda: site.status.startswith("56 of 168 cells"))


def test_an_address_with_names_that_are_not_here_says_so(site: SiteReader) -> None:
    """A stale filter or cell is named in words; what is known of the address still counts."""
    site.open(ADVICE + "?build=debian-7&service=smtp&cell=debian-7/x/smtp/y/TLSv1")
    texts = [warning.text for warning in site.find_all(".view .warning")]
    assert any("the build “debian-7”" in text for text in texts)
    assert any("debian-7/x/smtp/y/TLSv1" in text for text in texts)
    assert site.status.startswith("56 of 168 cells")


@pytest.mark.parametrize("rows", ["clients", "builds"])
def test_an_export_equals_the_rows_shown(site: SiteReader, tmp_path: Path, rows: str) -> None:
    """CSV and JSON have the cells shown, in their order; Markdown has the same rows."""
    site.open(f"{ADVICE}?service=submission&outcome=refused&rows={rows}")
    shown = site.shown_cells()
    labels = [cell.text.replace("\n", " ") for cell in site.find_all(".view td.o:not(.empty)")]
    rows_shown = [row.text for row in site.find_all(".view tbody th[scope=row]")]
    table = list(csv.DictReader(export(site, "CSV", tmp_path / "c").splitlines()))
    assert [row["address"].removeprefix(site.address) for row in table] == shown
    document = json.loads(export(site, "JSON", tmp_path / "j"))
    assert [cell["cell"] for cell in document["cells"]] == [row["cell"] for row in table]
    assert {cell["outcome"] for cell in document["cells"]} == {"refused"}
    assert document["licence"]["id"] == "CC-BY-4.0"
    lines = export(site, "Markdown", tmp_path / "m").splitlines()
    heads = ("| client |", "| build |", "|---")
    written = [line for line in lines if line.startswith("|") and not line.startswith(heads)]
    assert [
        line.split(" | ")[0].removeprefix("| ").replace("\\", "") for line in written
    ] == rows_shown
    assert sum(line.count("✗") for line in written) == len(labels) == len(shown)


HOSTILE_NAME = '=HYPERLINK("x")|<img src=x onerror=alert(1)>`'


def test_hostile_names_stay_text(site: SiteReader, tmp_path: Path) -> None:
    """A name that is a formula, a table cell's end or markup stays text in page and exports."""

    def rename(facts: dict[str, Any]) -> dict[str, Any]:
        return facts | {"clients": [HOSTILE_NAME, *facts["clients"][1:]]}

    with changed_site(site, tmp_path, "answer-1-protocols", rename) as changed:
        changed.open(ADVICE + "?service=smtp")
        assert HOSTILE_NAME in changed.find(".view table").text
        assert changed.find_all(".view img") == []
        table = list(csv.DictReader(export(changed, "CSV", tmp_path / "c").splitlines()))
        assert {row["client"] for row in table if "HYPERLINK" in row["client"]} == {
            "'" + HOSTILE_NAME
        }
        markdown = export(changed, "Markdown", tmp_path / "m")
        assert "\\|&lt;img src=x" in markdown
        assert "<img" not in markdown


def test_the_keyboard_walks_opens_and_closes(site: SiteReader) -> None:
    """Tab reaches one cell, arrows move, Enter opens, Escape closes and gives the focus back."""
    site.open(ADVICE)
    assert len(site.find_all(".view td a[tabindex='0']")) == 1
    first = site.find(".view td a[tabindex='0']")
    site.script("arguments[0].focus()", first)
    first.send_keys(Keys.ARROW_RIGHT)
    site.press(Keys.ARROW_DOWN)
    walked = site.focused
    row, column = (walked.get_dom_attribute(f"data-{axis}") for axis in ("row", "column"))
    assert (row, column) == ("1", "1")
    walked.send_keys(Keys.ENTER)
    site.wait(lambda: site.find_all("dialog .evidence"))
    assert site.focused.get_dom_attribute("id") == "cell-title"
    site.press(Keys.ESCAPE)
    site.wait(lambda: not site.find_all("dialog"))
    assert site.focused == walked


@pytest.mark.parametrize(
    "cell",
    [sample_run.REFUSED_CELL, sample_run.DISAGREEING_CELL, sample_run.HOSTILE_CELL],
)
def test_a_cell_opens_its_own_evidence_as_text(site: SiteReader, cell: str) -> None:
    """The address opens the evidence of that very cell; a log line is only text."""
    build, scenario = cell.split("/")[:2]
    site.open(f"build/{build}/?scenario={scenario}&cell={cell}")
    site.wait(lambda: site.find_all("dialog .evidence"))
    text = str(site.find("dialog").get_property("textContent"))
    observation = sample_run.observe(*cell.split("/"))
    evidence = sample_run.evidence_of(observation)
    for line in evidence["log"] + evidence["client"]["dialogue"]:
        assert line in text
    assert ("disagree" in text) == (cell == sample_run.DISAGREEING_CELL)
    assert site.find_all("dialog img, dialog script") == []


def test_a_choice_of_configurations_is_in_the_address(site: SiteReader) -> None:
    """A server's page shows each configuration; the address keeps which."""
    site.open("build/debian-12/")
    options = [option.get_dom_attribute("value") for option in site.find_all(".view select option")]
    assert options[0] == "defaults"
    site.find(".view select option[value=answer-1-protocols]").click()
    site.wait(lambda: "scenario=answer-1-protocols" in site.chrome.current_url)
    site.wait(lambda: site.find_all(".view td.differs"))
    assert all(cell.startswith("cell/debian-12/answer-1-protocols/") for cell in site.shown_cells())


#: So many clients that the table keeps only the rows in sight as elements.
MANY = 20


def multiply_clients(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts with each client many times over."""
    clients = [f"{name}-{turn}" for turn in range(MANY) for name in facts["clients"]]
    count = len(facts["clients"])
    places = [[service, client + turn * count, offer]
              for turn in range(MANY) for service, client, offer in facts["places"]]  # fmt: skip
    return facts | {
        "clients": clients, "places": places,
        "cells": [line * MANY for line in facts["cells"]],
        "standing": [line * MANY for line in facts["standing"]],
    }  # fmt: skip


def test_a_long_table_is_walked_filtered_and_printed_whole(
    site: SiteReader, tmp_path: Path
) -> None:
    """Only rows in sight are elements; keys reach the others, and paper has every client."""
    with changed_site(site, tmp_path, "answer-1-protocols", multiply_clients) as changed:
        changed.open(ADVICE)
        assert changed.status.startswith(f"{ALL_CELLS * MANY} of {ALL_CELLS * MANY} cells")
        assert len(changed.find_all(".view tbody tr")) < 200
        link = changed.find(".view td a[tabindex='0']")
        changed.script("arguments[0].focus()", link)
        # Three at once, as of a key held down: no line is made between them.
        changed.script(
            "for (let press = 0; press < 3; press++) document.activeElement.dispatchEvent("
            "new KeyboardEvent('keydown', { key: 'PageDown', bubbles: true, cancelable: true }))"
        )
        changed.wait(lambda: changed.focused.get_dom_attribute("data-row") == "30")
        for _ in range(5):
            changed.press(Keys.PAGE_DOWN)
        changed.wait(lambda: changed.focused.get_dom_attribute("data-row") == "80")
        changed.script(
            "addEventListener('beforeprint', () => { window.printed = new Set("
            "[...document.querySelectorAll('.view tbody th[scope=row]')].map(th => th.textContent))"
            ".size; })"
        )
        changed.chrome.execute_cdp_cmd("Page.printToPDF", {})
        assert changed.script("return window.printed") == 2 * MANY


def test_paper_has_every_column(site: SiteReader) -> None:
    """On a page of A4 (718 px between usual margins) no table is wider than the paper."""
    for path in (ADVICE, "build/debian-12/", "can/openssl-1.0.2h/debian-12/", ""):
        with site.screen(718):
            site.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
            try:
                site.open(path)
                assert site.overflow <= 0, path
            finally:
                site.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_page_opened_from_the_disk_says_why_it_has_no_filters(
    chrome: Chrome, site: SiteReader
) -> None:
    """From file: no data can be read; the page stays as without the script, with a sentence."""
    chrome.get((site.folder / "advice/answer-1-protocols/index.html").as_uri())
    site.wait(lambda: site.find_all(".view .note"))
    assert "python3 -m http.server" in site.find(".view .note").text
    chrome.get("about:blank")
    chrome.get_log("browser")  # type: ignore[no-untyped-call] # the browser reports its refusal
