"""The project's address: the package's own, the user's, or none."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.observations.project_url import VARIABLE, project_url
from harness.outcomes import Outcome
from harness.reports.answer_text import render_answer
from harness.reports.provenance import how_to_cite
from harness.scenarios.expectations import Expectation
from harness.verdicts.verdict import judge_run
from tests.unit.sample_verdicts import run_of

URL = "https://git.example.org/mail/postfix-matrix"


def test_a_placeholder_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects readers from an address that leads nowhere (RFC 2606)."""
    monkeypatch.delenv(VARIABLE, raising=False)
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    if ".example/" in project["urls"]["Homepage"]:
        assert project_url() == ""


def test_answers_and_reports_have_the_users_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects whoever reads a pasted answer: it leads to the tool."""
    cells = {"TLSv1": "TLSv1", "default": "TLSv1.3"}
    data = run_of({"defaults": {"smtp": cells}, "advice": {"smtp": cells}},
                  [Expectation(outcome=(Outcome.ACCEPTED,))])  # fmt: skip
    (verdict, *_) = judge_run(data)
    monkeypatch.setenv(VARIABLE, URL)
    assert f"]({URL})" in render_answer(data, verdict)
    assert how_to_cite(data.run).endswith(f". {URL}")
    monkeypatch.setenv(VARIABLE, "none")
    assert "http" not in render_answer(data, verdict)
    assert not how_to_cite(data.run).endswith(URL)


@pytest.mark.parametrize("wrong", ["x", "ftp://x.org", "https://", "https://a b", "javascript:1"])
def test_what_is_no_url_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """Protects pages: only a web address becomes a link."""
    monkeypatch.setenv(VARIABLE, wrong)
    with pytest.raises(UsageError, match="is no URL"):
        project_url()
