"""The answer box, the pages of cells, and addresses that outlive a night."""

from __future__ import annotations

from urllib.parse import quote, unquote

from selenium.webdriver import Keys

from tests.browser.site import SiteReader
from tests.browser.site_sample import CHANGED_CELL, FIRST_RUN, SECOND_RUN
from tests.unit import sample_run


def choose_in_box(site: SiteReader, name: str, text: str) -> None:
    """Type into one of the answer box's fields, and take the first match."""
    field = site.find(f"#answer-{name}")
    field.click()  # selects what is there: typing replaces it
    field.send_keys(text)
    site.wait(lambda: site.find_all(f"#answer-{name}-list [role=option]"))
    field.send_keys(Keys.ENTER)


def address_of(cell: str, run: str = "") -> str:
    """The path of a cell's page, with the cell in the fragment."""
    build, scenario, *place = cell.split("/")
    return f"cell/{quote(build)}/{scenario}/#{quote('/'.join(place))}{run}"


def opened_text(site: SiteReader, cell: str) -> str:
    """The evidence below a row, once it is that cell's."""
    site.wait(lambda: [row for row in site.find_all("tr.opened")
                       if row.get_dom_attribute("data-cell") == cell])  # fmt: skip
    return str(site.find("tr.opened").get_property("textContent"))


def test_the_answer_box_finds_names_and_leads_to_the_pair(site: SiteReader) -> None:
    """A few letters of a name find a client and a server; the button leads to their page."""
    site.open("")
    choose_in_box(site, "client", "aiosm")
    choose_in_box(site, "build", "3.10.5")
    site.find("form#answer button[type=submit]").click()
    site.wait(lambda: site.chrome.current_url.endswith("can/aiosmtplib-debian12/debian-13/"))
    assert site.find_all(".answer")


def test_the_answer_box_says_what_it_does_not_know(site: SiteReader) -> None:
    """A name that is not here is refused in words, and nothing is guessed."""
    site.open("")
    site.find("#answer-client").click()
    site.find("#answer-client").send_keys("pine 3.96 on a toaster", Keys.ENTER)
    site.wait(lambda: site.find_all("form#answer [role=alert]:not(:empty)"))
    assert "pine 3.96" in site.find("form#answer [role=alert]").text
    assert site.chrome.current_url == site.address


def test_the_form_leads_on_without_the_script(site: SiteReader) -> None:
    """``can/?client=…&build=…``, as a browser without the script sends it, leads to the pair."""
    site.open("can/?client=openssl-1.0.2h&build=postfix-3.7.11%2Bopenssl-1.1.1w")
    expected = "can/openssl-1.0.2h/postfix-3.7.11%2Bopenssl-1.1.1w/"
    site.wait(lambda: site.chrome.current_url.endswith(expected))
    site.open("can/?client=openssl-1.0.2h&build=debian-7")
    assert "no server “debian-7”" in site.find("[role=alert].warning").text


def test_a_link_to_a_cell_opens_its_evidence(site: SiteReader) -> None:
    """The address of a cell opens the evidence below its row, in sight; names may have a plus."""
    for build in ("debian-13", "postfix-3.7.11+openssl-1.1.1w"):
        cell = f"{build}/answer-1-protocols/submissions/aiosmtplib-debian12/TLSv1"
        site.open(address_of(cell))
        text = opened_text(site, cell)
        evidence = sample_run.evidence_of(sample_run.observe(*cell.split("/")))
        assert all(line in text for line in evidence["log"] + evidence["client"]["dialogue"])
        assert site.find("tr.current").is_displayed()


def test_a_click_opens_and_closes_the_evidence_of_a_row(site: SiteReader) -> None:
    """The row's button opens what is below it; the address follows; again closes it."""
    site.open("cell/debian-12/answer-1-protocols/", ready=False)
    button = site.find("td.more button")
    button.click()
    row = site.script("return arguments[0].closest('tr').id", button)
    opened_text(site, f"debian-12/answer-1-protocols/{row}")
    assert unquote(site.chrome.current_url).endswith(f"#{row}")
    button.click()
    assert site.find_all("tr.opened") == []


def test_an_address_of_the_night_before_opens_now_and_a_pinned_run_stays(site: SiteReader) -> None:
    """A cell's address means the newest run; ``@RUN`` shows what that run measured."""
    site.open(address_of(CHANGED_CELL))
    assert "accepted" in opened_text(site, CHANGED_CELL)
    site.open(address_of(CHANGED_CELL, f"@{FIRST_RUN}"))
    text = opened_text(site, CHANGED_CELL)
    assert text.startswith("✗ refused")
    assert FIRST_RUN in text


def test_an_address_of_a_cell_that_is_not_here_says_so(site: SiteReader) -> None:
    """A stale address does not end at the top without a word."""
    site.open("cell/debian-12/defaults/#smtp/openssl-0.9.7/TLSv1", ready=False)
    site.wait(lambda: "No kept run has it" in site.find("#gone").text)
    assert "smtp/openssl-0.9.7/TLSv1" in site.find("#gone").text


def test_any_two_runs_are_compared(site: SiteReader) -> None:
    """The comparison has exactly the cell that changed; a run that is not kept is named."""
    site.open(f"compare/?a={FIRST_RUN}&b={SECOND_RUN}")
    site.wait(lambda: "compared cells differ" in site.find(".view [role=status]").text)
    assert site.find(".view [role=status]").text.startswith("1 of ")
    assert [row.text for row in site.find_all(".view tbody th")] == [CHANGED_CELL]
    site.open(f"compare/?a=20200101T000000Z-0000&b={SECOND_RUN}")
    assert "20200101T000000Z-0000, which is no longer kept" in site.find(".view .warning").text
