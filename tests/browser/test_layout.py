"""What fits: the first result, whole words, the table on screen and paper, the view in the address.

Ciphers in offers, as the default matrix has them, made its table several screens wide.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.common.by import By

from harness.observations.run_folder import RunData
from harness.observations.run_json import ScenarioInfo
from harness.reports.html import render_html
from tests.browser.page import Page
from tests.unit.sample_verdicts import run_of

RC4 = "TLSv1.2+ciphers=RC4-SHA:RC4-MD5:ECDHE-RSA-RC4-SHA"
ANONYMOUS = "TLSv1.2+ciphers=AECDH-AES256-SHA:ADH-AES256-SHA:AECDH-AES128-SHA:ADH-AES128-SHA"
GCM = "TLSv1.2+ciphers=ECDHE-RSA-AES256-GCM-SHA384+groups=secp384r1"
REFUSED = "refused protocol-version"
OPEN = {
    "SSLv2": REFUSED, "SSLv3": REFUSED, "TLSv1": "TLSv1", "TLSv1.1": "TLSv1.1",
    "TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3", "default": "TLSv1.3", "plaintext": "plaintext",
    RC4: "refused no-shared-cipher", ANONYMOUS: "TLSv1.2 AECDH-AES256-SHA", GCM: "TLSv1.2",
    "TLSv1..TLSv1.2+cert=trusted": "TLSv1.2", "default+sni=none+resume": "error no-control",
}  # fmt: skip
CLIENTS = ("openssl-3.5.7", "php-phpmailer-debian11", "aiosmtplib-debian12")
SCREENS = [(1400, 900), (800, 900), (390, 844)]
CELL = "debian-12/defaults/smtp/openssl-3.5.7/TLSv1.2"
#: A4 across, less the page's margins, in CSS pixels (96 an inch).
PAPER = 1054


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A run with long offers, three clients, and two scenarios of one title; its page."""
    folder = tmp_path_factory.mktemp("runs")
    strict = OPEN | {"TLSv1": REFUSED}
    scenarios = {"defaults": {"smtp": OPEN, "submission": OPEN}, "strict": {"smtp": strict},
                 "strict-too": {"smtp": strict}}  # fmt: skip
    one_client = run_of(scenarios, folder=folder)
    observations = tuple(
        replace(cell, client=client, cell=cell.cell.replace(CLIENTS[0], client))
        for client in CLIENTS
        for cell in one_client.observations
    )
    info = ScenarioInfo(title="Exclude TLS 1.0", claim="It is excluded.")
    infos = {name: info if "strict" in name else known
             for name, known in one_client.run.scenarios.items()}  # fmt: skip
    run = replace(
        one_client.run, axes=replace(one_client.run.axes, clients=CLIENTS), scenarios=infos
    )
    made = replace(one_client, run=run, observations=observations)
    (folder / "index.html").write_text(render_html(made), encoding="utf-8")
    return made


def query(page: Page) -> dict[str, list[str]]:
    """The filters in the address bar."""
    return parse_qs(urlsplit(page.chrome.current_url).query)


def heads(page: Page, scenario: str = "defaults") -> list[str]:
    """The heads of a table's columns that are shown, after the first."""
    found = page.chrome.find_elements(By.CSS_SELECTOR, f"#s-{scenario} thead th[data-offer]")
    return [" ".join(head.text.split()) for head in found if head.is_displayed()]


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_the_first_result_is_on_the_first_screen(page: Page, width: int, height: int) -> None:
    """Protects the reader who does not scroll: a cell is in sight, and nothing overflows."""
    with page.screen(width, height):
        page.load()
        bottom: float = page.chrome.execute_script(
            "return document.querySelector('#matrix td button').getBoundingClientRect().bottom"
        )
        assert bottom < height
        assert page.overflow <= 0


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_no_word_is_cut(page: Page, width: int, height: int) -> None:
    """Protects ``✗*version``: every cell and every head is as wide as its text."""
    with page.screen(width, height):
        page.load()
        cut = page.chrome.execute_script(
            "return [...document.querySelectorAll('#matrix button, #matrix th, #matrix th span')]"
            ".filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one)"
            ".display !== 'inline' && one.checkVisibility({ visibilityProperty: true }))"
            ".map((one) => one.textContent)"
        )
        assert cut == []


def test_the_whole_default_table_fits_on_a_desk_screen(page: Page) -> None:
    """Protects the second client: all columns are in sight at 1400 pixels, none is off-screen."""
    with page.screen(1400, 900):
        page.load()
        for box in page.chrome.find_elements(By.CSS_SELECTOR, "#matrix .scroll"):
            wide: int = page.chrome.execute_script(
                "return arguments[0].scrollWidth - arguments[0].clientWidth", box
            )
            assert wide <= 0


def test_long_offers_have_short_names_and_a_legend(page: Page) -> None:
    """Protects the table's width; what a name stands for is in the legend and the tooltip."""
    names = heads(page)
    assert names[:8] == ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "default",
                         "plaintext"]  # fmt: skip
    assert names[8:11] == ["TLSv1.2 RC4", "TLSv1.2 anon", "TLSv1.2 ECDHE GCM secp384r1"]
    assert len(set(names)) == len(OPEN)
    page.chrome.find_element(By.CSS_SELECTOR, ".legend summary").click()
    legend = page.chrome.find_element(By.CSS_SELECTOR, ".legend .offers").text
    for offer in (RC4, ANONYMOUS, GCM):
        head = page.chrome.find_element(By.CSS_SELECTOR, f"th[data-offer='{offer}']")
        assert head.get_dom_attribute("title") == offer
        assert offer in legend


def test_filters_leave_no_empty_row_or_column(page: Page) -> None:
    """Protects the filtered view: what has no cell that passes is left out, on both axes."""
    page.choose("outcome", "plaintext")
    assert heads(page) == ["plaintext"]
    page.choose("outcome", "plaintext")
    assert len(heads(page)) == len(OPEN)
    page.choose("client", CLIENTS[1])
    page.choose("offer", RC4)
    assert heads(page) == ["TLSv1.2 RC4"]
    rows = [row.get_dom_attribute("data-client")
            for row in page.chrome.find_elements(By.CSS_SELECTOR, "tr[data-client]")
            if row.is_displayed()]  # fmt: skip
    assert set(rows) == {CLIENTS[1]}
    row = page.chrome.find_element(By.CSS_SELECTOR, "#s-defaults tr.lead:not([hidden])")
    assert "debian-11" in row.text, "the first row that is left has the build's name"


def test_the_address_has_the_filters_and_the_open_cell(page: Page) -> None:
    """Protects what is shared: the same view opens again from the address, and after a reload."""
    page.choose("client", CLIENTS[0])
    page.choose("offer", RC4)
    page.choose("offer", "TLSv1.2")
    page.choose("differs")
    assert query(page) == {"client": [CLIENTS[0]], "offer": [RC4, "TLSv1.2"], "differs": ["1"]} or (
        query(page) == {"client": [CLIENTS[0]], "offer": ["TLSv1.2", RC4], "differs": ["1"]}
    )
    page.open(CELL)
    before = [cell.get_dom_attribute("id") for cell in page.visible()]
    address = page.chrome.current_url
    page.chrome.get("about:blank")
    page.chrome.get(address)
    page.shown(CELL)
    assert [cell.get_dom_attribute("id") for cell in page.visible()] == before
    assert page.chrome.current_url == address
    page.chrome.find_element(By.CSS_SELECTOR, "#filters [type=reset]").click()
    assert query(page) == {}


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        (
            "#debian-12/defaults/smtp/openssl-3.5.7/TLSv1.9",
            ("no cell", CELL.replace("TLSv1.2", "")),
        ),
        ("#gone/defaults/smtp/openssl-3.5.7/TLSv1.2", ("no cell gone/", "of another run")),
        ("#s-gone", ("no place s-gone",)),
        ("#%E0%A4%A", ("no place",)),
        ("?build=gone&client=openssl-3.5.7", ("does not have build gone",)),
        ("?scenario=gone", ("does not have scenario gone",)),
    ],
)
def test_a_stale_link_says_so(page: Page, address: str, parts: tuple[str, ...]) -> None:
    """Protects the reader of an old link from the top of a page that says nothing."""
    page.load(address)
    notice = page.chrome.find_element(By.ID, "notice")
    assert notice.is_displayed()
    for part in parts:
        assert part in notice.text


def test_names_in_the_contents_are_unique(page: Page) -> None:
    """Protects whoever chooses by name: scenarios of one title have their ids beside it."""
    links = page.chrome.find_elements(By.CSS_SELECTOR, ".contents a")
    names = [str(link.get_property("textContent")) for link in links]
    assert "Exclude TLS 1.0 (strict)" in names
    assert "Exclude TLS 1.0 (strict-too)" in names
    assert len(set(names)) == len(names)


def test_on_paper_every_client_and_every_column_is_there(page: Page) -> None:
    """Protects the print: the table is not wider than the paper, and no row is left out."""
    chrome = page.chrome
    with page.screen(PAPER):
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        try:
            widest: float = chrome.execute_script(
                "return Math.max(...[...document.querySelectorAll('#matrix table')]"
                ".map((table) => table.getBoundingClientRect().right))"
            )
            shown = {cell.get_dom_attribute("id") for cell in page.visible()}
        finally:
            chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert widest <= PAPER
    assert {cell.cell for cell in page.data.observations} <= shown
    printed = chrome.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    document = base64.b64decode(printed["data"])
    assert document.startswith(b"%PDF-")
    assert b"/MediaBox [0 0 842" in document or b"/MediaBox [0 0 841" in document
