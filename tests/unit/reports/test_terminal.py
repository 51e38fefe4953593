"""What a reader of the terminal sees, and what cannot be done to the terminal."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.observations.record import Outcome, TlsView
from harness.observations.run_folder import RunData, load_run
from harness.plain_text import escape_controls
from harness.reports.terminal import print_matrix, show_cell
from harness.reports.terminal_table import build_label, short_names
from tests.unit import sample_run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The synthetic run."""
    return load_run(sample_run.write_sample_run(tmp_path_factory.mktemp("runs") / "run"))


def printed(data: RunData, width: int = 100, *, terminal: bool = True, full: bool = False) -> str:
    """The matrix as text, without colours."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=terminal, no_color=True, color_system=None
    )
    print_matrix(data, console, full=full)
    return out.getvalue()


def under(text: str, scenario: str) -> str:
    """What is printed of one scenario, with single blanks."""
    part = text.split(f"\n{scenario}  ")[1].split("\n\n")[0]
    return "\n".join(" ".join(line.split()) for line in part.splitlines())


def shown(data: RunData, cell: str) -> str:
    """One cell's evidence as text."""
    observation = data.find(cell)
    assert observation
    out = io.StringIO()
    show_cell(data, observation, Console(file=out, width=200, color_system=None))
    return out.getvalue()


@pytest.mark.parametrize("width", [100, 120])
def test_seven_offers_fit_and_nothing_is_cut(data: RunData, width: int) -> None:
    """At 100 columns no line is wider and no label of a cell is cut off."""
    text = printed(data, width)
    assert max(map(len, text.splitlines())) <= width
    row = ("✗ version", "✗ version", "✓    ", "✓      ", "✓      ", "– can't", "✓ TLSv1.2")
    assert f"{'debian-12':16} {'openssl':10} {' '.join(row)}" in text
    assert " +openssl-1.1.1w aiosmtplib" in text


def test_a_log_file_is_not_cut_at_eighty_columns(data: RunData) -> None:
    """CI logs have no width of their own: the tables are whole there."""
    assert "✓ TLSv1.3" in printed(data, 80, terminal=False)


def test_every_scenario_has_its_claim_and_its_missing_build(data: RunData) -> None:
    """The reader sees what was claimed above each table, and what was not measured below it."""
    text = " ".join(printed(data, 120).split())
    for title, claim in sample_run.SCENARIOS.values():
        assert title in text
        assert f"Claim: {claim}" in text
    line = f"{sample_run.MISSING_BUILD} not measured: {sample_run.MISSING_WHY}"
    assert text.count(line) == len(sample_run.SCENARIOS)


def test_a_long_reason_does_not_drown_the_tables(data: RunData) -> None:
    """The terminal has the first line of a compiler's output, and says where the others are."""
    entry = replace(data.run.missing[0], why="did not build\n    Step 22/31\n  next step: look")
    text = printed(replace(data, run=replace(data.run, missing=(entry,))))
    assert text.count(f"{entry.name} not measured: did not build\n") == len(sample_run.SCENARIOS)
    assert "Step 22/31" not in text
    message = f"for other reasons:\n  build {entry.name}: did not build\n  next step: look\n"
    assert f"unavailable, {message}  matrix.md and the page have the reasons in full\n" in text


def test_the_summary_says_cells_outcomes_disagreements_and_speed(data: RunData) -> None:
    """The closing lines carry the figures that CI and people look for."""
    text = " ".join(printed(data, 120).split())
    assert "504 of 672 cells measured in 31.2 s, 59.2 cells per second" in text
    assert "client and server: 1 of 222 views compared disagree" in text
    assert "✗ 99 refused" in text
    line = f"build {sample_run.MISSING_BUILD}: {sample_run.MISSING_WHY}"
    assert f"unavailable, for other reasons: {line}" in text
    assert "have the reasons in full" not in text


def test_clients_with_the_same_results_share_a_line(data: RunData) -> None:
    """A scenario without a difference is half as long, and none is folded that differs."""
    text = printed(data, full=True)
    lines = [line.split() for line in text.splitlines() if line.startswith("debian-13 ")]
    assert [line[1] for line in lines] == ["openssl"] * 5 + ["both"]


def test_only_lines_that_differ_from_defaults_are_printed(data: RunData) -> None:
    """A planted difference is found without comparing tables by eye, and without colour."""
    planted = sample_run.twin(
        data, {"debian-12/twin/smtp/openssl-1.0.2h/TLSv1": {
            "outcome": Outcome.REFUSED, "reason": "protocol-version", "client_saw": None,
            "server_saw": None, "agree": None}})  # fmt: skip
    text = under(printed(planted), "twin")
    assert "Differs from defaults in 1 of 124 cells (smtp; TLSv1)" in text
    message = "42 cells not measured here; 2 cells not compared: a time-out, or an error"
    assert message in " ".join(text.split())
    rows = [line for line in text.splitlines() if line.startswith(("debian", "postfix", "sub"))]
    assert rows == [
        "debian-12 openssl ✗ version ✗ version ✗*version ✓ ✓ – can't ✓ TLSv1.2",
        f"debian-11 not measured: {sample_run.MISSING_WHY}",
    ]


def test_a_cell_that_differs_is_underlined_where_there_is_style(data: RunData) -> None:
    """Beside its sign, a difference stands out on a terminal."""
    cell = "debian-12/twin/smtp/openssl-1.0.2h/TLSv1"
    planted = sample_run.twin(data, {cell: {"outcome": Outcome.PLAINTEXT}})
    out = io.StringIO()
    print_matrix(planted, Console(file=out, width=110, force_terminal=True,
                                  color_system="standard"))  # fmt: skip
    styled = re.findall(r"\x1b\[([\d;]+)m○\*plain", out.getvalue())
    assert len(styled) == 1
    assert {"1", "4"} <= set(styled[0].split(";"))


def test_where_nothing_differs_one_line_says_so(data: RunData) -> None:
    """A scenario without a difference has a sentence and no table."""
    text = under(printed(sample_run.twin(data, {})), "twin")
    message = "The same as defaults in all 124 cells, with these clients and offers; 42 cells"
    assert message in " ".join(text.split())
    assert "TLSv1.2" not in text


def test_only_the_cipher_is_said_in_the_cell_and_below_it(data: RunData) -> None:
    """A change that no sign of the table shows is named."""
    view = TlsView("TLSv1.2", "AES128-SHA", 128)
    cell = "debian-12/twin/smtp/openssl-1.0.2h/"
    change = {"client_saw": view, "server_saw": view}
    planted = sample_run.twin(data, {f"{cell}TLSv1.2": change, f"{cell}default": change})
    text = under(printed(planted), "twin")
    assert "✓ ✓ ✓*cipher – can't ✓*cipher" in text
    assert f"*cipher: AES128-SHA instead of {sample_run.CIPHERS['TLSv1.2']}, in 2 cells" in text


def test_an_unmeasured_cell_is_shown_and_said(data: RunData) -> None:
    """Neither a cell lost here nor one lost under defaults passes for the same."""
    twins = sample_run.twin(data, {})
    lost = {"debian-12/twin/smtp/openssl-1.0.2h/TLSv1",
            "debian-13/defaults/submissions/aiosmtplib-debian12/TLSv1.2"}  # fmt: skip
    kept = tuple(cell for cell in twins.observations if cell.cell not in lost)
    text = under(printed(replace(twins, observations=kept)), "twin")
    message = " ".join(text.split())
    assert "The same as defaults in all 122 cells, with these clients and offers" in message
    assert (
        "43 cells not measured here; 1 cell measured here and not under defaults; 2 cells not"
        in message
    )
    assert "debian-12 openssl ✗ version ✗ version ? ✓ ✓" in text
    assert "debian-13 aiosmtplib – can't ✗ version ✓ ✓ ✓?" in text


def test_full_prints_every_line(data: RunData) -> None:
    """Who wants the whole tables has them, beside the statement."""
    text = printed(sample_run.twin(data, {}), full=True)
    lines = [line for line in under(text, "twin").splitlines() if line.startswith("debian-12 ")]
    assert len(lines) == 3
    assert "The same as defaults in all 124 cells" in text


def test_a_run_without_defaults_prints_whole_tables(data: RunData) -> None:
    """With nothing to compare with, nothing is left out, and no comparison is explained."""
    axes = replace(data.run.axes, scenarios=("answer-1-protocols",))
    kept = tuple(cell for cell in data.observations if cell.scenario == "answer-1-protocols")
    text = printed(replace(data, run=replace(data.run, axes=axes), observations=kept))
    assert sum(line.startswith("debian-12 ") for line in text.splitlines()) == 1
    assert "smtp :25, submission :587, submissions :465" in text
    assert "efaults" not in text


def test_words_from_outside_cannot_drive_the_terminal(data: RunData, tmp_path: Path) -> None:
    """Escape sequences and rich's markup in a log line or a claim are shown, not obeyed."""
    folder = sample_run.write_sample_run(tmp_path / "run")
    observation = load_run(folder).find(sample_run.ACCEPTED_CELL)
    assert observation
    path = folder / str(observation.evidence)
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
    assert escape_controls("a\tb\nü…\r\x00") == "a\tb\nü…\\x0d\\x00"


def test_show_cell_prints_both_sides_and_the_configuration(data: RunData) -> None:
    """The reader gets log, dialogue, header, both views and the control in one place."""
    text = shown(data, sample_run.ACCEPTED_CELL)
    evidence = sample_run.evidence_of(next(s for s in data.observations
                                           if s.cell == sample_run.ACCEPTED_CELL))  # fmt: skip
    for line in evidence["log"] + evidence["client"]["dialogue"] + evidence["notes"]:
        assert line in text
    assert "Client and server agree." in text
    assert "control-openssl-3.5/permissive/submission/openssl-1.0.2h/TLSv1.2: accepted" in text
    assert "Postfix 3.7.11, OpenSSL 3.0.17" in text
    assert "smtpd_tls_security_level = may" in text
    assert "myhostname = answer-2-smtp-line.mx.test" in text
    assert "postconf: warning: unused parameter: smtp_tls=1" in text


def test_show_cell_prints_the_clients_own_error(data: RunData) -> None:
    """A refusal is shown with its stage, reason and the library's error text."""
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


@given(st.text("ab1.+-", min_size=1, max_size=60))
def test_a_builds_name_is_cut_and_not_shortened(name: str) -> None:
    """However long, all of it stands in the table's first column, whose width is fixed."""
    lines = build_label(name)
    assert "".join(line.strip() for line in lines) == name
    assert max(map(len, lines)) <= 16


def evidence_with(folder: Path, cell: str, **client: object) -> RunData:
    """A run whose cell has another client result in its evidence."""
    data = load_run(sample_run.write_sample_run(folder, scenarios=("defaults",)))
    observation = data.find(cell)
    assert observation
    path = folder / str(observation.evidence)
    evidence = json.loads(path.read_text(encoding="utf-8"))
    evidence["client"].update(client)
    sample_run.write_json(path, evidence)
    return data


@pytest.mark.parametrize(
    ("reply", "queue_id", "title"),
    [
        ({"code": 250, "text": "mx.test"}, None, "The last SMTP reply before QUIT"),
        ({"code": 250, "text": "queued as 4B"}, "4B", "The SMTP reply that decided it"),
        ({"code": 530, "text": "Must issue STARTTLS"}, None, "The SMTP reply that decided it"),
    ],
)
def test_a_reply_is_said_to_decide_only_where_it_does(
    tmp_path: Path, reply: dict[str, object], queue_id: str | None, title: str
) -> None:
    """The answer to EHLO of a client that sends no mail is not passed off as a decision."""
    cell = sample_run.DISAGREEING_CELL
    text = shown(evidence_with(tmp_path, cell, reply=reply, queue_id=queue_id), cell)
    assert f"\n{title}\n  {reply['code']} {reply['text']}\n" in text
    assert text.count("SMTP reply") == 1


def test_a_controls_log_is_not_called_postfixs(data: RunData) -> None:
    """What stunnel logged stands under a heading that names it; a control has no instance."""
    text = shown(data, "control-openssl-3.5/permissive/smtp/openssl-1.0.2h/TLSv1")
    assert "What the control server logged (stunnel, and the Postfix behind it)" in text
    assert "What Postfix logged" not in text
    assert "No evidence of the Postfix instance" not in text


def test_complaints_come_before_what_is_no_complaint(tmp_path: Path) -> None:
    """Debian's notes of updated files neither hide a warning nor pass for one."""
    folder = sample_run.write_sample_run(tmp_path / "run", scenarios=("defaults",))
    path = folder / "instances/debian-13/defaults.json"
    instance = json.loads(path.read_text(encoding="utf-8"))
    instance["check"] = "updating /etc/hosts => /q/etc/hosts\npostfix: warning: bad owner\n"
    sample_run.write_json(path, instance)
    text = shown(load_run(folder), sample_run.DISAGREEING_CELL)
    message = "  postfix: warning: bad owner\n  updating /etc/hosts => /q/etc/hosts\n"
    assert f"Output of postfix check and postconf\n{message}" in text
    assert "Warnings" not in text


def test_show_cell_says_how_it_stands_beside_defaults(data: RunData) -> None:
    """Who looks at one cell need not look up the other one."""
    refused = shown(data, sample_run.REFUSED_CELL)
    assert "differs in outcome, reason, protocol, cipher; under defaults: accepted" in refused
    assert "the same as under defaults" in shown(data, sample_run.ACCEPTED_CELL)
    assert "under defaults" not in shown(data, sample_run.DISAGREEING_CELL)


def test_the_summary_says_whose_decision_the_refusals_were(data: RunData) -> None:
    """Protects the answer to "can I change it": it stands under the outcomes, with its counts."""
    refused = next(o for o in data.observations if o.outcome == "refused")
    blamed = replace(refused, obstacles=("protocol-list", "library"))
    changed = replace(
        data, observations=tuple(blamed if o is refused else o for o in data.observations)
    )
    assert "refused by: Postfix's protocol list 1, the TLS library as it was built 1" in printed(
        changed, 120
    )
    assert "refused by" not in printed(data, 120)


def test_a_cell_shows_its_obstacles_and_how_they_are_known(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Protects "whose decision": the list in effect and the permissive copy's cell are shown."""
    folder = sample_run.write_sample_run(tmp_path_factory.mktemp("blamed") / "run")
    lines = (folder / "observations.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for record in records:
        if record["cell"] == sample_run.REFUSED_CELL:
            record["obstacles"] = ["protocol-list"]
            path = folder / record["evidence"]
            evidence = json.loads(path.read_text("utf-8"))
            copy = "control-debian-12/open/smtp/c/TLSv1"
            evidence["grounds"] = {
                "controls": {copy: "accepted"},
                "list": "smtpd_tls_protocols = TLSv1.2",
                "excluded": ["TLSv1"],
            }
            path.write_text(json.dumps(evidence), "utf-8")
    (folder / "observations.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n", "utf-8")
    text = shown(load_run(folder), sample_run.REFUSED_CELL)
    assert re.search(r"obstacles +Postfix's protocol list", text)
    assert re.search(r"protocol-list +smtpd_tls_protocols = TLSv1\.2", text)
    assert re.search(r"permissive copy +control-debian-12/open/smtp/c/TLSv1: accepted", text)
