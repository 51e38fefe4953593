"""The list of what a machine reaches: for people in 80 columns, and for programs."""

from __future__ import annotations

import json

from harness.reports.reachability_json import reachability_data
from harness.reports.reachability_text import format_reachability
from tests.unit.catalog.test_reachability import ANSWERS, THERE, UNREACHED, answers_of


def test_the_list_says_by_branch_what_there_is_and_why_not_the_rest() -> None:
    """Protects a user with the Internet: each release is counted, with a reason."""
    text = "\n".join(format_reachability(ANSWERS))
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line[:1].isdigit()}
    assert rows["1.1.0"] == ["2", "1", "1", "0", *["Ubuntu's", "pool:", "1.1.0g"]]
    assert rows["3.0"] == ["1", "1", "0", "0", *["the", "cache", "here:", "all"]]
    assert rows["3.5"] == ["1", "0", "0", "1"]
    assert "www.openssl.org, github.com: no answer within 5 s (1)" in text
    assert "Debian's pool (deb.debian.org), HTTP 404: openssl-3.5.9" in text
    assert "This machine reaches 2 of 4 releases." in text
    assert "--mirror URL" in text


def test_a_machine_that_reaches_all_is_not_advised() -> None:
    """Protects readers: nothing stands in for what is not missing."""
    lines = format_reachability([answers_of("openssl-1.1.1w", THERE)])
    assert lines[-1] == "This machine reaches 1 of 1 releases."
    assert not any("answer" in line for line in lines)


def test_no_line_is_wider_than_a_terminal() -> None:
    """Protects terminals of 80 columns: the versions of a branch are wrapped below each other."""
    names = [f"openssl-1.1.1{letter}" for letter in "abcdefghijklmnopqstuvw"]
    many = [answers_of(name, UNREACHED, THERE) for name in names]
    lines = format_reachability([answers_of("openssl-1.1.1", UNREACHED, UNREACHED), *many])
    assert max(map(len, lines)) <= 80
    wide = [line for line in lines if "1.1.1w" in line]
    assert wide[0].startswith(" " * 30)


def test_programs_get_every_answer() -> None:
    """Protects other programs: each place that was asked, with its URL, state and reason."""
    data = json.loads(json.dumps(reachability_data(ANSWERS)))
    (lettered, *_) = data["branches"]
    missing, there = lettered["releases"]
    assert (missing["available"], missing["place"]) == (False, None)
    assert (there["available"], there["place"]) == (True, "Ubuntu's pool")
    assert [answer["state"] for answer in there["answers"]] == ["not reached"] * 2 + ["there"]
    assert there["answers"][-1]["url"].startswith("http://archive.ubuntu.com/ubuntu/pool/main/o/")
    assert {place["place"] for place in data["unanswering"]} == {"www.openssl.org", "github.com"}
