"""What a reader of the terminal sees, and what cannot be done to the terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.observations.rundir import RunData, load_run
from harness.reports.plain import plain
from harness.reports.terminal import print_matrix, short_names, show_cell
from tests.unit import sample_run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The synthetic run."""
    return load_run(sample_run.write_sample_run(tmp_path_factory.mktemp("runs") / "run"))


def printed(data: RunData, width: int = 100, *, terminal: bool = True) -> str:
    """The matrix as text, without colours."""
    out = io.StringIO()
    print_matrix(data, Console(file=out, width=width, force_terminal=terminal, no_color=True,
                               color_system=None))  # fmt: skip
    return out.getvalue()


def shown(data: RunData, cell: str) -> str:
    """One cell's evidence as text."""
    seen = data.find(cell)
    assert seen
    out = io.StringIO()
    show_cell(data, seen, Console(file=out, width=200, color_system=None))
    return out.getvalue()


@pytest.mark.parametrize("width", [100, 120])
def test_seven_offers_fit_and_nothing_is_cut(data: RunData, width: int) -> None:
    """At 100 columns no line is wider and no word of a cell is cut off."""
    text = printed(data, width)
    assert max(map(len, text.splitlines())) <= width
    row = ("✗ version", "✗ version", "✓", "✓", "✓", "– can't", "✓ TLSv1.2")
    cells = " ".join(cell.ljust(9) for cell in row)
    assert f"{'debian-12':16} {'openssl':10} {cells}" in text
    assert " +openssl-1.1.1w aiosmtplib" in text


def test_a_log_file_is_not_cut_at_eighty_columns(data: RunData) -> None:
    """CI logs have no width of their own: the tables are whole there."""
    assert "✓ TLSv1.3" in printed(data, 80, terminal=False)


def test_every_scenario_has_its_claim_and_its_missing_build(data: RunData) -> None:
    """The reader sees what was claimed above each table, and what the table lacks below it."""
    text = " ".join(printed(data, 120).split())
    for title, claim in sample_run.SCENARIOS.values():
        assert title in text
        assert f"Claim: {claim}" in text
    lack = f"{sample_run.MISSING_BUILD} not measured: {sample_run.MISSING_WHY}"
    assert text.count(lack) == len(sample_run.SCENARIOS)


def test_the_summary_says_cells_outcomes_disagreements_and_speed(data: RunData) -> None:
    """The closing lines carry the figures that CI and people look for."""
    text = " ".join(printed(data, 120).split())
    assert "504 of 672 cells measured in 31.2 s, 59.2 cells per second" in text
    assert "client and server: 1 of 222 views compared disagree" in text
    assert "✗ 99 refused" in text
    assert f"missing build {sample_run.MISSING_BUILD}: {sample_run.MISSING_WHY}" in text


def test_clients_that_saw_the_same_share_a_line(data: RunData) -> None:
    """A scenario without a difference is half as long, and none is folded that differs."""
    lines = [line.split() for line in printed(data).splitlines() if line.startswith("debian-13 ")]
    assert [line[1] for line in lines] == ["openssl"] * 9 + ["both"] * 3


def test_words_from_outside_cannot_drive_the_terminal(data: RunData, tmp_path: Path) -> None:
    """Escape sequences and rich's markup in a log line or a claim are shown, not obeyed."""
    folder = sample_run.write_sample_run(tmp_path / "run")
    found = load_run(folder).find(sample_run.ACCEPTED_CELL)
    assert found
    path = folder / str(found.evidence)
    evidence = json.loads(path.read_text(encoding="utf-8"))
    evidence["log"] = ["\x1b]0;owned\x07 \x9b2J [bold red]markup[/] [/nothing]"]
    sample_run.write_json(path, evidence)
    text = shown(load_run(folder), sample_run.ACCEPTED_CELL)
    assert "\\x1b]0;owned\\x07 \\x9b2J [bold red]markup[/] [/nothing]" in text
    scenario = replace(data.run.scenarios["defaults"], claim="\x1b[2J[red]x[/]")
    hostile = replace(data, run=replace(data.run, scenarios={"defaults": scenario}))
    assert "\x1b[2J" not in printed(hostile)
    assert "\\x1b[2J[red]x[/]" in printed(hostile)


def test_plain_keeps_lines_tabs_and_letters() -> None:
    """Only control characters are rewritten."""
    assert plain("a\tb\nü…\r\x00") == "a\tb\nü…\\x0d\\x00"


def test_show_cell_prints_both_sides_and_the_configuration(data: RunData) -> None:
    """A doubter gets log, dialogue, header, both views and the control in one place."""
    text = shown(data, sample_run.ACCEPTED_CELL)
    evidence = sample_run.evidence_of(next(s for s in data.observations
                                           if s.cell == sample_run.ACCEPTED_CELL))  # fmt: skip
    for line in evidence["log"] + evidence["client"]["dialogue"] + evidence["notes"]:
        assert line in text
    assert "Client and server agree." in text
    assert "control-openssl-3.0/permissive/submission/openssl-1.0.2h/TLSv1.2: accepted" in text
    assert "Postfix 3.7.11, OpenSSL 3.0.17" in text
    assert "smtpd_tls_security_level = may" in text
    assert "myhostname = answer-2-smtp-line.mx.test" in text
    assert "postconf: warning: unused parameter: smtp_tls=1" in text


def test_show_cell_prints_the_clients_own_error(data: RunData) -> None:
    """A refusal is shown with its stage, reason and the library's words."""
    text = shown(data, sample_run.REFUSED_CELL)
    assert "✗ refused at handshake: protocol version" in text
    assert "[SSL] protocol-version (_ssl.c:1000)" in text
    assert "SSL_accept error" in text


def test_show_cell_says_when_views_disagree_and_when_evidence_is_gone(data: RunData) -> None:
    """Neither a disagreement nor a lost file is passed over."""
    assert "DISAGREE" in shown(data, sample_run.DISAGREEING_CELL)
    assert "No evidence file could be read" in shown(data, sample_run.NO_EVIDENCE_CELL)


def test_short_names_stay_unique() -> None:
    """Two clients of one family keep their whole names."""
    assert short_names(["openssl-1.0.2h", "aiosmtplib-debian12"]) == {
        "openssl-1.0.2h": "openssl", "aiosmtplib-debian12": "aiosmtplib"}  # fmt: skip
    twins = ["openssl-1.0.2h", "openssl-3.0"]
    assert short_names(twins) == {name: name for name in twins}
