"""The page as a reader handles it, for the tests in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from harness.observations.run_folder import RunData


class Page:
    """The page as its reader handles it."""

    def __init__(self, chrome: Chrome, data: RunData) -> None:
        self.chrome = chrome
        self.data = data
        self.address = (data.folder / "index.html").as_uri()

    def load(self, fragment: str = "") -> None:
        """Load the page anew; ``about:blank`` first, else only the fragment would change."""
        self.chrome.get("about:blank")
        self.chrome.get(self.address + fragment)

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition holds."""
        return WebDriverWait(self.chrome, 10).until(lambda _: condition())

    def cell(self, cell_id: str) -> WebElement:
        """A cell's button."""
        return self.chrome.find_element(By.ID, cell_id)

    @property
    def panel(self) -> WebElement:
        """The evidence panel."""
        return self.chrome.find_element(By.ID, "panel")

    def open(self, cell_id: str) -> str:
        """Click a cell, and read what the panel then shows."""
        self.cell(cell_id).click()
        return self.shown(cell_id)

    def shown(self, cell_id: str) -> str:
        """The panel's text, once it shows this cell."""
        self.wait(lambda: self.panel.get_dom_attribute("data-cell") == cell_id)
        return str(self.panel.get_property("textContent"))

    def evidence(self, cell_id: str) -> dict[str, Any]:
        """What the cell's evidence file says, read from the disk."""
        observation = self.data.find(cell_id)
        assert observation
        text = (self.data.folder / str(observation.evidence)).read_text(encoding="utf-8")
        result: dict[str, Any] = json.loads(text)
        return result

    def visible(self) -> list[WebElement]:
        """The cells under test that pass the filters."""
        result: list[WebElement] = self.chrome.execute_script(
            "return [...document.querySelectorAll('.scenario:not(.control) td button:not(.faded)')]"
            ".filter(button => button.checkVisibility())"
        )
        return result

    def choose(self, name: str, value: str = "") -> None:
        """Open the filters, and tick one as a reader does; without a value, one that has none."""
        self.open_filters()
        which = f"[value='{value}']" if value else ""
        self.chrome.find_element(By.CSS_SELECTOR, f"input[name={name}]{which}").click()

    def open_filters(self) -> None:
        """Open the filters, unless they are."""
        choices = self.chrome.find_element(By.ID, "choices")
        if choices.get_dom_attribute("open") is None:
            choices.find_element(By.TAG_NAME, "summary").click()

    def contrasts(self, scheme: str, selector: str, attribute: str = "") -> dict[str, float]:
        """Contrast ratios in a colour scheme, by an element's attribute or by its text."""
        script = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
        with self.colour_scheme(scheme):
            result: dict[str, float] = self.chrome.execute_script(script, selector, attribute)
        return result

    @contextmanager
    def colour_scheme(self, scheme: str) -> Iterator[None]:
        """The page as a reader has it who prefers ``light`` or ``dark``."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        try:
            yield
        finally:
            self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    @contextmanager
    def screen(self, width: int, height: int = 800) -> Iterator[None]:
        """The page on a screen of this size in pixels, a phone's below 1000."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 1000}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            yield
        finally:
            self.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    @property
    def overflow(self) -> int:
        """How many pixels the page is wider than the screen."""
        width: int = self.chrome.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width

    @property
    def focused(self) -> WebElement:
        """The element with the keyboard's focus."""
        return self.chrome.switch_to.active_element
