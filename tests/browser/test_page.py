"""The page in a real browser, from the disk: what a reader clicks, types, filters and shares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from harness.observations.record import TlsView
from harness.observations.run_folder import RunData, load_run
from harness.reports import write_reports
from harness.reports.differences import DifferenceStanding, differences
from harness.reports.grid import build_grid
from harness.reports.html import render_html
from tests.browser.page import Page
from tests.unit import sample_run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A synthetic run with its reports."""
    folder = sample_run.write_sample_run(tmp_path_factory.mktemp("runs") / "run")
    write_reports(folder)
    return load_run(folder)


@pytest.mark.parametrize(
    "cell",
    [sample_run.ACCEPTED_CELL, sample_run.REFUSED_CELL, sample_run.DISAGREEING_CELL],
)
def test_a_click_opens_the_evidence_of_that_very_cell(page: Page, cell: str) -> None:
    """The panel shows what the cell's file on the disk says, and nothing of another cell."""
    text = page.open(cell)
    evidence = page.evidence(cell)
    for line in evidence["log"] + evidence["client"]["dialogue"] + evidence["notes"]:
        assert line in text
    if evidence["client"]["error"]:
        assert evidence["client"]["error"] in text
    if evidence["received"]:
        assert evidence["received"].splitlines()[1] in text


def test_the_panel_shows_outcome_views_control_configuration_and_image(page: Page) -> None:
    """All evidence of a cell is in one place."""
    text = page.open(sample_run.DISAGREEING_CELL)
    assert text.startswith("✓ accepted, TLSv1.2")
    assert "Client and server disagree" in text
    differing = page.panel.find_elements(By.CSS_SELECTOR, ".views .differs")
    assert {cell.text for cell in differing} == {
        "ECDHE-RSA-AES256-GCM-SHA384", "AES128-SHA", "256", "128"}  # fmt: skip
    assert "control-openssl-3.5/permissive/submission/aiosmtplib-debian12/TLSv1.2" in text
    assert "Postfix 3.10.5, OpenSSL 3.5.1" in text
    assert "myhostname = defaults.mx.test" in text
    assert "postfix-matrix/debian-13:0123456789ab" in text


def test_lost_evidence_is_said(page: Page) -> None:
    """A cell without an evidence file opens as well, and says what is unavailable."""
    assert "no evidence file of this cell" in page.open(sample_run.NO_EVIDENCE_CELL)


def test_a_hostile_log_line_is_only_text(page: Page) -> None:
    """Markup and script in a log line are shown as they were logged and do nothing."""
    text = page.open(sample_run.HOSTILE_CELL)
    assert sample_run.HOSTILE in text
    assert page.panel.find_elements(By.CSS_SELECTOR, "img, script") == []
    assert page.chrome.title.startswith("What Postfix")


def test_a_link_to_a_cell_opens_it(page: Page) -> None:
    """A shared address shows the evidence at once, with the cell in sight, whatever its name."""
    for build in ("debian-13", "postfix-3.7.11+openssl-1.1.1w"):
        cell = f"{build}/answer-1-protocols/submissions/aiosmtplib-debian12/TLSv1.3"
        page.load("#" + cell)
        page.shown(cell)
        hit = page.chrome.execute_script(
            "const box = arguments[0].getBoundingClientRect();"
            "const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);"
            "return at?.closest('button') === arguments[0]",
            page.cell(cell),
        )
        assert hit, f"{cell} is not in sight beside its evidence"


def test_the_address_follows_the_open_cell_and_back_goes_back(page: Page) -> None:
    """What the address bar shows can be shared; the browser's Back returns to the cell before."""
    page.open(sample_run.ACCEPTED_CELL)
    page.open(sample_run.REFUSED_CELL)
    assert unquote(page.chrome.current_url).endswith("#" + sample_run.REFUSED_CELL)
    page.chrome.back()
    page.shown(sample_run.ACCEPTED_CELL)


def test_the_control_is_one_click_away(page: Page) -> None:
    """The link to the control cell opens the control's own evidence."""
    page.open(sample_run.REFUSED_CELL)
    observation = page.data.find(sample_run.REFUSED_CELL)
    assert observation is not None
    assert observation.control is not None
    page.panel.find_element(By.LINK_TEXT, observation.control).click()
    assert page.evidence(observation.control)["client"]["dialogue"][-1] in page.shown(
        observation.control
    )


def test_keyboard_alone_reaches_opens_and_closes_a_cell(page: Page) -> None:
    """Tab reaches the tables, arrows move, Enter opens, Escape closes and gives the focus back."""
    first = page.chrome.find_element(By.CSS_SELECTOR, "#matrix td button[tabindex='0']")
    assert len(page.chrome.find_elements(By.CSS_SELECTOR, "#matrix button[tabindex='0']")) == 1
    page.chrome.execute_script("arguments[0].focus()", first)
    first.send_keys(Keys.ARROW_RIGHT)
    page.focused.send_keys(Keys.ARROW_DOWN)
    target = page.focused
    expected = "debian-12/defaults/smtp/aiosmtplib-debian12/SSLv3"
    assert target.get_dom_attribute("id") == expected
    target.send_keys(Keys.ENTER)
    page.shown(expected)
    assert page.focused.get_dom_attribute("id") == "panel-title"
    page.focused.send_keys(Keys.ESCAPE)
    assert not page.panel.is_displayed()
    assert page.focused == target


def test_filters_narrow_each_axis(page: Page) -> None:
    """Service, build, client, outcome and scenario narrow what is shown; it says how many."""
    assert len(page.visible()) == 504
    page.choose("service", "submission")
    page.choose("build", "debian-12")
    page.choose("client", "openssl-1.0.2h")
    assert len(page.visible()) == 4 * 7
    page.choose("outcome", "refused")
    ids = {str(button.get_dom_attribute("id")) for button in page.visible()}
    assert ids == {
        cell.cell for cell in page.data.observations
        if (cell.service, cell.build, cell.client) == ("submission", "debian-12", "openssl-1.0.2h")
        and cell.outcome == "refused"
    }  # fmt: skip
    option = "select option[value='answer-1-protocols']"
    page.chrome.find_element(By.CSS_SELECTOR, option).click()
    assert len(page.visible()) == 3
    assert page.chrome.find_element(By.ID, "shown").text == "3 cells shown"
    page.chrome.find_element(By.CSS_SELECTOR, "#filters [type=reset]").click()
    page.wait(lambda: len(page.visible()) == 504)


def test_a_link_to_a_cell_that_the_filters_hide_shows_it(page: Page) -> None:
    """A control's link works under a filter that hides the control: the filters are lifted."""
    page.choose("build", "debian-13")
    test_the_control_is_one_click_away(page)
    assert len(page.visible()) == 504


def test_only_disagreements_finds_the_one(page: Page) -> None:
    """The one disagreement of the run is found with one click."""
    page.choose("disagree")
    result = [button.get_dom_attribute("id") for button in page.visible()]
    assert result == [sample_run.DISAGREEING_CELL]


_LEFT = (DifferenceStanding.DIFFERS, DifferenceStanding.UNCOMPARED)


def test_only_what_differs_from_defaults(page: Page) -> None:
    """One click leaves defaults whole, each other scenario's differences, and its sentence.

    A cell of which one side is unknown stays too, marked so: it is not the same.
    """
    page.choose("differs")
    left = {str(button.get_dom_attribute("id")) for button in page.visible()}
    besides = differences(build_grid(page.data))
    differing = {cell for difference in besides.values()
                 for cell, comparison in difference.cells.items()
                 if comparison.standing in _LEFT and not comparison.both_unobserved}  # fmt: skip
    assert len(differing) > 100
    assert {cell for cell in left if "/defaults/" not in cell} == differing
    assert len(left) - len(differing) == 126
    for scenario, difference in besides.items():
        section = page.chrome.find_element(By.ID, f"s-{scenario}")
        assert difference.statement in section.text


def test_a_scenario_without_a_difference_is_one_sentence(chrome: Chrome, tmp_path: Path) -> None:
    """Its table gives way to the statement; a changed cipher is named in its cell."""
    folder = sample_run.write_sample_run(tmp_path / "run", scenarios=("defaults",))
    cell = "debian-12/ciphers/smtp/openssl-1.0.2h/default"
    change = {"client_saw": TlsView("TLSv1.2", "AES128-SHA")}
    data = load_run(folder)
    two = (sample_run.twin(data, {}, "same"), sample_run.twin(data, {cell: change}, "ciphers"))
    observations = (
        *two[0].observations,
        *(s for s in two[1].observations if s.scenario == "ciphers"),
    )
    axes = replace(data.run.axes, scenarios=("defaults", "same", "ciphers"))
    data = replace(data, run=replace(data.run, axes=axes), observations=observations)
    (folder / "index.html").write_text(render_html(data), encoding="utf-8")
    page = Page(chrome, data)
    page.load()
    assert page.cell(cell).text == "✓*TLSv1.2"
    page.choose("differs")
    assert page.cell(cell).text == "✓*cipher"
    same = chrome.find_element(By.ID, "s-same")
    assert "The same as defaults in all 124 cells" in same.text
    assert not same.find_element(By.TAG_NAME, "table").is_displayed()
    chrome.find_element(By.CSS_SELECTOR, "#filters [type=reset]").click()
    page.wait(same.find_element(By.TAG_NAME, "table").is_displayed)
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_the_panel_says_how_a_cell_stands_beside_defaults(page: Page) -> None:
    """The counterpart's outcome is read beside the cell's own."""
    text = page.open(sample_run.REFUSED_CELL)
    assert "Compared with defaults" in text
    assert "under defaults: accepted, TLSv1" in text
    assert "Compared with defaults" not in page.open(sample_run.DISAGREEING_CELL)


def test_headings_of_the_panel_fit_what_stands_below(page: Page) -> None:
    """A control's log is not called Postfix's, nor an answer to EHLO a decision."""
    text = page.open("control-openssl-3.5/permissive/smtp/openssl-1.0.2h/TLSv1")
    assert "What the control server logged (stunnel, and the Postfix behind it)" in text
    assert "What Postfix logged" not in text
    text = page.open(sample_run.ACCEPTED_CELL)
    assert "What Postfix logged for this connection" in text
    assert "The last SMTP reply before QUIT" in text
    assert "that decided it" not in text
    heading = page.panel.find_element(By.XPATH, "//h3[.='Output of postfix check and postconf']")
    assert "Warnings" not in text
    key = heading.find_element(By.XPATH, "following-sibling::div[1]//*[contains(@class,'key')]")
    assert key.text.startswith("postconf: warning:")


def test_no_match_is_said(page: Page) -> None:
    """Filters that leave nothing say so instead of showing a blank page."""
    page.choose("service", "smtp")
    page.choose("disagree")
    assert page.chrome.find_element(By.ID, "nothing").is_displayed()


def test_a_missing_build_is_shown_with_its_reason(page: Page) -> None:
    """The reader sees the unmeasured row in the table, not a shorter table."""
    row = page.chrome.find_element(By.CSS_SELECTOR, f"tr[data-build='{sample_run.MISSING_BUILD}']")
    assert sample_run.MISSING_WHY in row.text


@pytest.mark.parametrize("width", [320, 390, 1024])
def test_narrow_screens_scroll_tables_and_not_the_page(page: Page, width: int) -> None:
    """On a phone the page is as wide as the screen, and the panel covers no more than it."""
    with page.screen(width):
        page.load("#" + sample_run.ACCEPTED_CELL)
        page.shown(sample_run.ACCEPTED_CELL)
        assert page.overflow <= 0
        assert page.panel.size["width"] <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_every_outcome_has_contrast(page: Page, scheme: str) -> None:
    """Each kind of cell has the 4.5:1 of WCAG 2.1 (1.4.3) between its text and its ground."""
    ratios = page.contrasts(scheme, "#matrix td button", "outcome")
    assert len(ratios) >= 8
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
