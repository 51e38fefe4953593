"""The pages of a site: whole without a script, of bounded size, and no text becomes markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.site.advice_pages import EMBED_LIMIT
from harness.site.extras import load_pyarrow
from harness.site.pages import PAGE_LIMIT
from tests.unit.sample_run import HOSTILE, write_sample_run
from tests.unit.site.atom import find_feed_faults
from tests.unit.site.crawling import Page, find_dead_links, read_page
from tests.unit.site.night_samples import CELL, REFUSED, publish, write_night

#: Text that would act as markup, as a formula, or as Markdown, if it were not treated as text.
TITLE = '<script>alert("t")</script>'
CLAIM = '=HYPERLINK("http://evil") & ]]> `code` [link](javascript:alert(1)) \u202e\x1b[31m'
ERROR = "<img src=x onerror=alert(2)> \x00\x07 & \ud800"


def _make_hostile(folder: Path) -> None:
    """Put hostile text wherever a run has free text."""
    path = folder / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    for info in run["scenarios"].values():
        info["title"], info["claim"], info["source"] = TITLE, CLAIM, TITLE
        info["url"] = "javascript:alert(1)"
        info["main_cf"] = f"smtpd_banner = {TITLE}\n"
        info["expect"] = [
            {"where": [{"offers": ["TLSv1"]}], "outcome": ["refused"], "line": 1, "says": TITLE}
        ]
    run["missing"][0]["why"] = f"{TITLE} see /home/me/.cache/log"
    run["command"] = ["postfix-matrix", "run", "--runs", "/home/me/runs", TITLE]
    run["images"]["debian-12"]["labels"]["org.postfix-matrix.how"] = TITLE
    run["images"]["debian-12"]["build_log"] = "/home/me/.cache/postfix-matrix/log"
    run["images"]["openssl-1.0.2h"]["describe"] = {
        "client": TITLE, "version": TITLE, "tls_version": TITLE, "tls_library": TITLE,
        "offers": [TITLE],
    }  # fmt: skip
    path.write_text(json.dumps(run), encoding="utf-8")
    for evidence in (folder / "evidence/debian-12").rglob("*.json"):
        data = json.loads(evidence.read_text(encoding="utf-8"))
        if data["client"]["error"]:
            data["client"]["error"] = ERROR
            data["log"] = [f"{HOSTILE} SSL_accept error {ERROR}"]
            evidence.write_text(json.dumps(data), encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of a hostile run with every outcome and every kind of mark."""
    folder = tmp_path_factory.mktemp("hostile")
    write_sample_run(folder / "run", marked=True)
    _make_hostile(folder / "run")
    publish(folder / "site", folder / "run", base="https://example.org/tls/")
    return folder / "site"


def _pages(site: Path) -> Iterator[tuple[str, Page]]:
    for path in sorted(site.rglob("*.html")):
        yield str(path.relative_to(site)), read_page(path)


def test_no_link_is_dead(site: Path) -> None:
    """Every link of every page leads to a file, and to an element of it."""
    assert list(find_dead_links(site)) == []


def test_hostile_text_stays_text(site: Path) -> None:
    """No page has an element or a link that a text of the run made."""
    shown = False
    for name, page in _pages(site):
        scripts = 0 if name.endswith("embed.html") else 1
        assert page.tags.count("script") == scripts, name
        assert "img" not in page.tags, name
        assert not any(link.lower().startswith("javascript:") for link in page.links), name
        shown = shown or TITLE in page.text
    assert shown


def test_pages_keep_their_budget(site: Path) -> None:
    """At most 60 KB and 3,000 buttons each; a page to embed 15 KB."""
    for path in site.rglob("*.html"):
        assert path.stat().st_size <= PAGE_LIMIT, path
        assert read_page(path).tags.count("button") < 3000
    for path in site.rglob("embed.html"):
        assert path.stat().st_size <= EMBED_LIMIT, path


def test_no_page_has_what_its_policy_forbids(site: Path) -> None:
    """No inline script, style or handler, and nothing from another host."""
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "Content-Security-Policy" in text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", re.sub(r"&lt;.*?&gt;", "", text)), path
        assert not re.search(r"<(?:script|link)[^>]*(?:src|href)=\"https?://(?!example\.org)", text)


def test_each_page_has_a_title_and_a_description_of_its_own(site: Path) -> None:
    """Search engines show them; no two pages have the same title."""
    titles: dict[str, str] = {}
    for path in sorted(site.rglob("index.html")):
        text = path.read_text(encoding="utf-8")
        title = re.findall(r"<title>(.*?)</title>", text)[0]
        assert "&lt;script" in title or titles.setdefault(title, str(path)) == str(path)
        assert len(re.findall(r'<meta name="description" content="([^"]+)"', text)[0]) > 10
        assert text.count("<h1") == 1


def test_feeds_and_badges_are_well_formed(site: Path) -> None:
    """Feeds are valid Atom, XML parsers read badges, and the hostile title is text there."""
    for path in site.rglob("feed.xml"):
        address = f"https://example.org/tls/{path.relative_to(site).as_posix()}"
        assert list(find_feed_faults(path, address.replace("+", "%2B"))) == [], path
    for path in site.rglob("badge.svg"):
        ElementTree.fromstring(path.read_bytes())
    for path in site.rglob("badge.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["schemaVersion"] == 1


def test_markdown_to_paste_keeps_text_as_text(site: Path) -> None:
    """Neither a tag nor a link of the run's text works where the answer is pasted."""
    text = (site / "advice/answer-1-protocols/answer.md").read_text(encoding="utf-8")
    outside = re.sub(r"(?s)```.*?```", "", text)
    assert "<script" not in outside
    assert "](javascript:" not in outside.replace("\\]", "")


def test_no_path_of_the_machine_is_published(site: Path) -> None:
    """No file names a home folder."""
    for path in site.rglob("*"):
        if path.is_file() and path.suffix != ".gz":
            assert b"/home/me" not in path.read_bytes(), path


def test_the_administrators_page_answers_first(site: Path) -> None:
    """One sentence per port before anything else."""
    page = read_page(site / "can/aiosmtplib-debian12/debian-12/index.html").text
    assert "Yes on port 25 (smtp, STARTTLS): TLSv1.3" in page
    assert page.index("Yes on port 25") < page.index("offer by offer")


def test_an_unmeasured_pair_names_its_neighbours_as_such(site: Path) -> None:
    """A server that was unavailable has pages; they say so and show the nearest."""
    page = read_page(site / "can/aiosmtplib-debian12/debian-11/index.html").text
    assert "Not measured" in page
    assert "other software than what you asked about" in page
    assert "aiosmtplib-debian12 to debian-12" in page


def test_a_cell_page_has_both_sides(site: Path) -> None:
    """What client and server said of a refused cell is on the page, without a script."""
    page = read_page(site / "cell/debian-13/answer-1-protocols/index.html")
    assert "smtp/openssl-1.0.2h/TLSv1" in page.ids
    assert "[SSL] protocol-version" in page.text
    assert "SSL_accept error" in page.text


def test_software_that_people_search_for_has_a_page(site: Path) -> None:
    """It says that it was not measured, and names the nearest."""
    text = read_page(site / "client/outlook-windows-7/index.html").text
    assert "Not measured here" in text


def test_facts_are_the_observations(site: Path) -> None:
    """Each cell's number leads to its outcome, as the run's table has it."""
    _, pq = load_pyarrow()
    rows = pq.read_table(next((site / "data/v1/runs").glob("*.parquet"))).to_pylist()
    outcomes = {row["cell"]: row["outcome"] for row in rows}
    for path in (site / "data/v1/facts").glob("*.json"):
        facts = json.loads(path.read_text(encoding="utf-8"))
        for build, line, standing in zip(
            facts["builds"], facts["cells"], facts["standing"], strict=True
        ):
            assert len(standing) == len(line) == len(facts["places"])
            for place, number in zip(facts["places"], line, strict=True):
                names = (facts[key][i] for key, i in zip(
                    ("services", "clients", "offers"), place, strict=True
                ))  # fmt: skip
                cell = "/".join((build, facts["scenario"], *names))
                expected = outcomes.get(cell)
                shown = facts["results"][number]["outcome"] if number >= 0 else None
                assert shown == expected


def test_a_run_beside_the_runs_before_it_needs_no_script(tmp_path: Path) -> None:
    """Each kept run has a page with every cell that differs, and the list leads there."""
    first = write_night(tmp_path / "1", 1)
    second = write_night(tmp_path / "2", 2, cells={CELL: REFUSED})
    site = tmp_path / "site"
    publish(site, first, second)
    pages = {path.parent.name for path in (site / "compare").glob("*/index.html")}
    assert pages == {"20261101T010000Z-aaaa", "20261102T010000Z-aaaa"}
    page = read_page(site / "compare/20261102T010000Z-aaaa/index.html")
    assert CELL in page.text
    assert "accepted" in page.text
    assert "../../runs/20261101T010000Z-aaaa/" in page.links
    assert "../compare/20261102T010000Z-aaaa/" in read_page(site / "compare/index.html").links
    assert "20261101T010000Z-aaaa.parquet" in str(
        read_page(site / "runs/20261101T010000Z-aaaa/index.html").links
    )
