"""A published site as its reader handles it, for the tests in a browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".setup" / "browser-packages" / "node_modules"

#: Texts that the browser does not show in full: a box that hides what overflows, or an ellipsis.
CUT_TEXTS = """
return [...document.querySelectorAll('main *, header *, footer *')].filter(element => {
  const style = getComputedStyle(element);
  return element.checkVisibility() && !element.closest('.vh, .wide') && element.textContent.trim()
    && !['visible', 'auto', 'scroll'].includes(style.overflowX)
    && element.scrollWidth > element.clientWidth + 1;
}).map(element => element.outerHTML.slice(0, 120));
"""


class _QuietHandler(SimpleHTTPRequestHandler):
    """Files of a folder, without a line per request on standard error."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    """Serve a folder on a port of the loopback interface; yields its address with a slash."""
    handler = partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def find_package(name: str) -> Path:
    """The folder of an npm package that scripts/setup installs."""
    folder = PACKAGES / name
    if not folder.is_dir():
        pytest.fail(f"no {folder}: run scripts/setup --browser", pytrace=False)
    return folder


def read_axe_script() -> str:
    """axe-core's script."""
    return (find_package("axe-core") / "axe.min.js").read_text(encoding="utf-8")


class SiteReader:
    """A reader of a site in a browser."""

    def __init__(self, chrome: Chrome, folder: Path, address: str) -> None:
        self.chrome = chrome
        self.folder = folder
        self.address = address

    def open(self, path: str, *, ready: bool = True) -> None:
        """Open a page anew; ``ready``: wait until the script has made its views."""
        self.chrome.get("about:blank")
        self.chrome.get(self.address + path)
        if ready:
            unmade = "return document.querySelectorAll('section.view:not([data-ready])').length"
            self.wait(lambda: self.script(unmade) == 0)

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition holds."""
        return WebDriverWait(self.chrome, 10).until(lambda _: condition())

    def script(self, text: str, *arguments: Any) -> Any:
        """Run JavaScript in the page."""
        return self.chrome.execute_script(text, *arguments)

    def find(self, selector: str) -> WebElement:
        """The first element of a selector."""
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        """All elements of a selector."""
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def choose(self, facet: str, value: str) -> None:
        """Tick a value of a facet, whose list is opened where it is closed."""
        script = """
        const [facet, value] = arguments;
        const boxes = [...document.querySelectorAll('form.filters label')];
        const label = boxes.find(box => box.closest('fieldset, .facet')?.textContent.includes(facet)
          && box.querySelector('span')?.textContent === value);
        label.closest('details')?.setAttribute('open', '');
        label.querySelector('input').click();
        """
        self.script(script, facet, value)

    @property
    def status(self) -> str:
        """How many cells and rows are shown, as the view says."""
        return self.find(".view .state [role=status]").text

    def shown_cells(self) -> list[str]:
        """The addresses of the cells shown, without the site's."""
        links: list[str] = self.script(
            "return [...document.querySelectorAll('.view td.o a')].map(link => link.href)"
        )
        return [link.removeprefix(self.address) for link in links]

    @property
    def overflow(self) -> int:
        """How many pixels the page is wider than the screen."""
        width: int = self.script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width

    def cut_texts(self) -> list[str]:
        """Elements whose text is not shown in full."""
        result: list[str] = self.script(CUT_TEXTS)
        return result

    def foreign_resources(self) -> list[str]:
        """What the page loaded from elsewhere than its site."""
        names: list[str] = self.script(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )
        return [name for name in names if not name.startswith((self.address, "data:"))]

    def violations(self) -> list[str]:
        """What axe-core finds on the page as it is: rule and elements."""
        if not self.script("return 'axe' in window"):
            self.script(read_axe_script())
        found = self.chrome.execute_async_script(
            "const done = arguments[0]; axe.run({resultTypes: ['violations']})"
            ".then(result => done(JSON.stringify(result.violations)))"
        )
        return [
            f"{rule['id']}: {node['html'][:160]}"
            for rule in json.loads(found)
            for node in rule["nodes"]
        ]

    @contextmanager
    def screen(self, width: int, height: int = 900, scheme: str = "light") -> Iterator[None]:
        """A screen of this size in pixels (a phone's below 700), in a colour scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        try:
            yield
        finally:
            self.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    @contextmanager
    def without_script(self) -> Iterator[None]:
        """JavaScript switched off."""
        self.chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            yield
        finally:
            self.chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    def press(self, key: str) -> None:
        """Press a key where the focus is; nothing is scrolled or focused before it."""
        ActionChains(self.chrome).send_keys(key).perform()

    @property
    def focused(self) -> WebElement:
        """The element with the keyboard's focus."""
        return self.chrome.switch_to.active_element
