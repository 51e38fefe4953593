"""Every page type of a site: on a phone and a screen, light and dark, without JavaScript."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.browser.site import SiteReader, find_package
from tests.browser.site_sample import SECOND_RUN

#: A page of each type, and the first element of its answer.
PAGES = {
    "overview": ("", "form#answer"),
    "pairs": ("can/", "form#answer"),
    "pair": ("can/openssl-1.0.2h/debian-12/", ".answer"),
    "builds": ("build/", "main li"),
    "build": ("build/debian-13/", "table"),
    "clients": ("client/", "main li"),
    "client": ("client/openssl-1.0.2h/", "table"),
    "other software": ("client/outlook-windows-7/", ".answer"),
    "all advice": ("advice/", "main li"),
    "advice": ("advice/answer-1-protocols/", "h1 ~ *"),
    "cells": ("cell/debian-12/answer-1-protocols/", "table"),
    "comparison": ("compare/", "h1 ~ *"),
    "comparison of a run": (f"compare/{SECOND_RUN}/", "table"),
    "days": ("changes/", "main li"),
    "changes of a day": ("changes/2026-11-23/", "h1 ~ *"),
    "runs": ("runs/", "table"),
    "run": (f"runs/{SECOND_RUN}/", "dl"),
    "data": ("data/", "main li"),
    "about": ("about/", "main p"),
}
#: Widths of a phone, a tablet and a screen, each in one of the colour schemes.
SCREENS = ((390, 844, "dark"), (800, 900, "light"), (1400, 900, "light"))
AXE_WIDTHS = (390, 1400)
#: Rules of taste: lower-case doctype, role=region on a div, titles above 70 characters; and
#: ids as HTML allows them (anything without white space), not as CSS would have them.
HTML_RULES = {
    "extends": ["html-validate:recommended"],
    "rules": {
        "doctype-style": "off", "prefer-native-element": "off", "long-title": "off",
        "valid-id": ["error", {"relaxed": True}],
    },
}  # fmt: skip

every_page = pytest.mark.parametrize(("path", "answer"), PAGES.values(), ids=PAGES)


@every_page
def test_a_page_fits_every_screen_and_axe_finds_nothing(
    site: SiteReader, path: str, answer: str
) -> None:
    """No page is wider than the screen, cuts a text, or has its answer below the first 900 px.

    Nor does one load a file from elsewhere. axe-core's rules hold in both colour schemes.
    """
    for width, height, scheme in SCREENS:
        with site.screen(width, height, scheme):
            site.open(path)
            assert site.overflow <= 0, width
            assert site.cut_texts() == [], width
            assert site.foreign_resources() == []
            top = site.script(
                "return document.querySelector(arguments[0]).getBoundingClientRect().top", answer
            )
            assert top < 900, width
            if width in AXE_WIDTHS:
                assert site.violations() == [], width


@every_page
def test_a_page_is_whole_without_javascript(site: SiteReader, path: str, answer: str) -> None:
    """Without the script a page has its answer and its text, and fits a phone."""
    with site.without_script(), site.screen(390):
        site.open(path, ready=False)
        assert site.find(answer).is_displayed()
        assert len(site.find("main").text) > 60
        assert site.overflow <= 0


def test_html_validate_finds_no_error(site_folder: Path, tmp_path: Path) -> None:
    """Every page of the site is valid HTML."""
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(HTML_RULES), encoding="utf-8")
    program = find_package("html-validate") / "bin" / "html-validate.mjs"
    pages = sorted(str(page) for page in site_folder.rglob("*.html"))
    done = subprocess.run(
        ["node", program, "--config", rules, "--formatter", "stylish", *pages],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "")


@pytest.mark.parametrize("path", ["", "advice/answer-1-protocols/", "cell/debian-12/defaults/"])
def test_colours_forced_by_the_system_leave_every_sign(site: SiteReader, path: str) -> None:
    """With forced colours nothing is told by colour alone: each result keeps its glyph."""
    features = [{"name": "forced-colors", "value": "active"}]
    site.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        site.open(path)
        texts = [element.text for element in site.find_all("td.o:not(.empty), .v")]
        assert all(texts)
        assert site.violations() == []
    finally:
        site.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
