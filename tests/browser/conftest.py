"""A real headless Chromium for the tests of the page. Without one they fail; they never skip."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from harness.observations.run_folder import RunData
from tests.browser.page import Page
from tests.browser.site import SiteReader, read_axe_script, serve_folder
from tests.browser.site_sample import publish_two_nights

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1440,1000",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder ``browser``."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")


def _program(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.fail(
        f"no {names[0]} on PATH, which the browser tests need: install the Debian packages "
        "chromium and chromium-driver (scripts/setup --browser does)",
        pytrace=False,
    )


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests, with a fresh profile; each test loads the page anew."""
    options = ChromeOptions()
    options.binary_location = _program("chromium", "chromium-browser", "google-chrome")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=Service(_program("chromedriver")))
    yield browser
    browser.quit()


@pytest.fixture(scope="session")
def axe_script() -> str:
    """axe-core's script."""
    return read_axe_script()


@pytest.fixture
def page(chrome: Chrome, data: RunData) -> Iterator[Page]:
    """The page of the module's ``data``, freshly loaded; its console must stay empty."""
    opened = Page(chrome, data)
    opened.load()
    yield opened
    console: list[object] = chrome.get_log("browser")  # type: ignore[no-untyped-call]
    assert console == []


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of two nights. Tests read it; one that changes a site makes a copy."""
    work = tmp_path_factory.mktemp("site")
    return publish_two_nights(work / "runs", work / "site")


@pytest.fixture(scope="session")
def site_address(site_folder: Path) -> Iterator[str]:
    """Where the site is served."""
    with serve_folder(site_folder) as address:
        yield address


@pytest.fixture
def site(chrome: Chrome, site_folder: Path, site_address: str) -> Iterator[SiteReader]:
    """A reader of the site; the console must stay empty."""
    chrome.get_log("browser")  # type: ignore[no-untyped-call]
    yield SiteReader(chrome, site_folder, site_address)
    chrome.get("about:blank")
    console: list[object] = chrome.get_log("browser")  # type: ignore[no-untyped-call]
    assert console == []
