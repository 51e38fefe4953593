"""The page under axe-core: no violation of WCAG 2.2, nor of axe-core's best practices.

In light and dark, on a phone, a tablet and a desk screen, with everything closed and with all open.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.observations.run_folder import RunData, load_run
from harness.reports import write_reports
from tests.browser.page import Page
from tests.unit import sample_run

WIDTHS = (390, 800, 1400)
CELL = "debian-13/answer-1-protocols/submission/openssl-1.0.2h/TLSv1"
#: Everything that a reader can open.
OPEN_ALL = "for (const each of document.querySelectorAll('details')) each.open = true;"
#: Also the rules that axe-core does not run by itself.
RUN = """
const done = arguments[arguments.length - 1];
const rules = Object.fromEntries(["target-size", "label-content-name-mismatch"].map(
  (name) => [name, { enabled: true }]));
axe.run(document, { rules, resultTypes: ["violations"] }).then(({ violations }) => done(
  violations.flatMap(({ id, nodes }) => nodes.slice(0, 5).map((node) =>
    `${id}: ${node.target.join(" ")}: ${node.html.slice(0, 160)}: ${node.failureSummary}`))));
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A synthetic run with every outcome, every mark and something missing of every category."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    sample_run.write_sample_run(folder, scenarios=("defaults", "answer-1-protocols"), marked=True)
    write_reports(folder)
    return load_run(folder)


def violations(page: Page, script: str) -> list[str]:
    """What axe-core finds, each with the element."""
    page.chrome.execute_script(script)
    result: Any = page.chrome.execute_async_script(RUN)
    return [str(each) for each in result]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_has_no_violation(page: Page, axe_script: str, scheme: str, width: int) -> None:
    """Protects readers with a screen reader, a keyboard, weak sight or a phone.

    First the page as it opens, then with a cell, all that can be opened, a filter, and a notice.
    """
    page.chrome.set_script_timeout(300)
    with page.screen(width, 900), page.colour_scheme(scheme):
        page.load()
        assert violations(page, axe_script) == []
        page.load("?outcome=refused&outcome=of-tomorrow#" + CELL)
        page.shown(CELL)
        page.chrome.execute_script(OPEN_ALL)
        assert page.chrome.find_element("id", "notice").is_displayed()
        assert violations(page, axe_script) == []


def test_axe_is_really_asked(page: Page, axe_script: str) -> None:
    """Protects this module: text that is hard to read is found, and a button without a name."""
    page.chrome.execute_script(
        "document.querySelector('h1').style.color = '#ccc';"
        "document.querySelector('main').append(document.createElement('button'));"
    )
    rules = {each.partition(":")[0] for each in violations(page, axe_script)}
    assert {"color-contrast", "button-name"} <= rules
