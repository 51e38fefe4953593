"""Marks, missing builds and where images are from, as a reader of the page sees and opens them."""

from __future__ import annotations

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from harness.observations.run_folder import RunData, load_run
from harness.reports import write_reports
from harness.reports.labels import BUILD_NOTES
from tests.browser.page import Page
from tests.unit import sample_images, sample_run

CELL = f"{sample_images.LEGACY_PAIR}/defaults/smtp/openssl-1.0.2h/TLSv1.2"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A synthetic run with builds of every mark, and something missing of every category."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    sample_run.write_sample_run(folder, marked=True)
    write_reports(folder)
    return load_run(folder)


def inside(page: Page, element: WebElement, box: WebElement) -> bool:
    """Whether an element lies within another one, to the pixel."""
    lies: bool = page.chrome.execute_script(
        "const [a, b] = [...arguments].map((one) => one.getBoundingClientRect());"
        "return a.left >= b.left - 1 && a.right <= b.right + 1 && a.width > 20",
        element,
        box,
    )
    return lies


@pytest.mark.parametrize("width", [390, 1280])
def test_the_mark_is_in_sight_beside_the_name(page: Page, width: int) -> None:
    """In each table the note is in the row's heading, uncut, on a phone as well."""
    with page.screen(width):
        page.load()
        for build, notes in sample_images.NOTES.items():
            head = page.chrome.find_element(
                By.CSS_SELECTOR, f"#s-defaults tr[data-build='{build}'] th"
            )
            badges = head.find_elements(By.CLASS_NAME, "badge")
            assert tuple(" ".join(badge.text.split()) for badge in badges) == notes
            assert all(inside(page, badge, head) for badge in badges)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_and_missing_builds_can_be_read(page: Page, scheme: str) -> None:
    """Their text has the 4.5:1 of WCAG 2.1 (1.4.3), in light and in dark."""
    ratios = page.contrasts(scheme, ".badge")
    assert set(ratios) == set(BUILD_NOTES)
    rest = page.contrasts(scheme, ".notes li, .notes summary, .provenance small, .provenance dt")
    assert len(rest) > 10
    assert {value: ratio for value, ratio in (ratios | rest).items() if ratio < 4.5} == {}


def test_the_panel_says_what_the_marks_mean(page: Page) -> None:
    """Who opens a cell of such a build reads so before the evidence."""
    text = page.open(CELL)
    for note in sample_images.NOTES[sample_images.LEGACY_PAIR]:
        assert f"{note} {BUILD_NOTES[note]}" in text
        assert text.index(note) < text.index("What was negotiated")
    assert f"build log {sample_images.LOG_NAME}" in text
    plain = page.open(CELL.replace(sample_images.LEGACY_PAIR, "debian-12"))
    assert not any(note in plain for note in BUILD_NOTES)


def test_unavailable_builds_are_grouped_by_reason(page: Page) -> None:
    """Groups with reasons come first; a compiler's many lines open on demand."""
    notes = page.chrome.find_element(By.CLASS_NAME, "notes")
    for title in ("does not build", "no source", "image does not keep the contract"):
        assert f"Unavailable, {title}: 1" in notes.text
    assert sample_images.COMPILER in notes.text
    assert "Next step: name a mirror with --mirror" in notes.text
    assert "make: ***" not in notes.text
    notes.find_element(By.XPATH, ".//summary[.='the full reason']").click()
    assert "make: *** [tls_dh.o] Error 1" in notes.text


def test_provenance_opens_by_keyboard(page: Page) -> None:
    """Tab goes from one build to the next, Enter shows all that is known of it, and hides it."""
    page.chrome.find_element(By.CSS_SELECTOR, "#images h2 a").send_keys(Keys.TAB)
    for build in (*sample_run.VERSIONS, sample_images.LEGACY_PAIR):
        summary = page.focused
        assert summary.text == f"everything known about {build}"
        if build != sample_images.LEGACY_PAIR:
            summary.send_keys(Keys.TAB)
    details = page.chrome.find_element(
        By.CSS_SELECTOR, f"[id='image-{sample_images.LEGACY_PAIR}'] details"
    )
    assert sample_images.LOG_NAME not in details.text
    summary.send_keys(Keys.ENTER)
    image = page.data.run.images[sample_images.LEGACY_PAIR]
    lines = (
        *(sample_images.LOG_NAME, sample_images.TREE_SHOWN, image.id, image.reference),
        *("ab" * 32, "cd" * 32, "ba" * 32, "-DHAS_CLOSEFROM", "computed here, published nowhere"),
    )
    for line in lines:
        assert line in details.text
    assert page.focused == summary
    summary.send_keys(Keys.ENTER)
    assert sample_images.LOG_NAME not in details.text


@pytest.mark.parametrize("width", [320, 390, 1024])
def test_provenance_fits_the_screen(page: Page, width: int) -> None:
    """With everything open the page is as wide as the screen, and no version is cut off."""
    with page.screen(width):
        page.load()
        page.chrome.execute_script(
            "for (const one of document.querySelectorAll('#images details')) one.open = true"
        )
        assert page.overflow <= 0
        box = page.chrome.find_element(By.CSS_SELECTOR, "#images .scroll")
        cells = box.find_elements(By.CSS_SELECTOR, "td, th[scope=row]")
        assert len(cells) > 20
        assert all(inside(page, cell, box) for cell in cells)


def test_marked_rows_keep_their_cells_and_their_filter(page: Page) -> None:
    """A mark in the row's heading neither hides a cell nor keeps the build from being chosen."""
    page.choose("build", sample_images.FOREIGN)
    shown = {str(button.get_dom_attribute("id")) for button in page.visible()}
    measured = {cell.cell for cell in page.data.observations if cell.build == sample_images.FOREIGN}
    assert measured <= shown
    assert {cell.split("/")[0] for cell in shown} == {sample_images.FOREIGN}
