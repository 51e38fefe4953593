"""Text of others in every output: none of it controls a terminal, turns text, or is a formula."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.cli.main import run_cli
from harness.cli.output import HarmlessConsole
from harness.cli.progress import Display
from harness.observations.run_folder import load_run
from harness.observations.run_json import Missing
from harness.plain_text import escape_controls, escape_in_json
from harness.reports import write_reports
from harness.reports.annotations import Annotation, AnnotationLevel, github_command
from harness.reports.table_csv import render_csv
from harness.run.events import Notice, Step
from harness.site.badges import badge_data, badge_svg
from tests.unit import sample_run

#: A terminal's escapes, C1 controls, bidirectional overrides and isolates, what is not to be seen,
#: line ends of other systems, Markdown, HTML and formulas of spreadsheets.
HOSTILE = (
    "\x1b[2J\x1b]0;x\x07\x9b31m\x85\u202egnp.exe\u2066\u2069\u200f\u061c\u200b\ufeff\u2028\u2029"
    "\U000e0041\x00\x7f\rx\n| `a` **b** [c](javascript:d) <img src=x onerror=alert(1)> ::error::y"
)
RAW = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
#: Keys of run.json, observations and evidence whose text is a person's, a server's or a client's.
_FREE_KEYS = frozenset(
    {"title", "claim", "source", "says", "why", "log", "error", "decided_by", "detail", "text"}
    | {"replies", "reply", "startup", "output", "message", "about", "library", "dialogue", "notes"}
)


def spoil(value: Any, key: str = "") -> Any:
    """A JSON value in which every text under a free key begins with a formula and is hostile."""
    if isinstance(value, dict):
        return {name: spoil(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [spoil(each, key) for each in value]
    return f"＝1+1 {value} {HOSTILE}" if isinstance(value, str) and key in _FREE_KEYS else value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with hostile text wherever text is free."""
    folder = sample_run.write_sample_run(tmp_path_factory.mktemp("runs") / "run", marked=True)
    for path in folder.rglob("*.json*"):
        lines = path.read_text("utf-8").splitlines()
        if path.suffix == ".jsonl":
            lines = [json.dumps(spoil(json.loads(line))) for line in lines]
            path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        else:
            path.write_text(json.dumps(spoil(json.loads("\n".join(lines)))), "utf-8")
    return folder


def find_raw(text: str) -> str:
    """The first place with such a character, with what stands around it; "" where there is none."""
    match = RAW.search(text)
    return repr(text[max(0, match.start() - 60) : match.end() + 20]) if match else ""


def command_lines(folder: Path) -> Iterator[list[str]]:
    """Command lines that print text of a run."""
    run = str(folder)
    yield ["show", "--run", run]
    yield ["show", "--run", run, "--full", "--controls"]
    yield ["show", "--run", run, sample_run.REFUSED_CELL]
    yield ["show", "--run", run, sample_run.HOSTILE_CELL]
    for form in ("text", "markdown", "json", "github", "gitlab"):
        yield ["verdicts", run, "--format", form, "--all-cells"]
    for form in ("text", "markdown", "json"):
        yield ["compare", run, run, "--format", form, "-v"]
    yield ["report", run, "--table", "protocols"]
    yield ["report", run, "--table", "protocols", "--format", "text"]
    yield ["report", run, "--table", "clients"]
    yield ["answer", "answer-1-protocols", run]
    yield ["since", "defaults", run]
    yield ["since", "defaults", run, "--json"]


def test_no_command_prints_them_raw(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Protects readers' terminals and CI logs, whatever a server or an adviser wrote."""
    for line in command_lines(folder):
        run_cli(line)
        out, err = capfd.readouterr()
        assert out or err, line
        assert "Traceback" not in err, err
        assert find_raw(out + err) == "", line


@pytest.mark.parametrize(
    "line",
    [
        ["show", HOSTILE],
        ["answer", HOSTILE],
        [f"x{HOSTILE}"],
        ["verify", HOSTILE.replace("\0", ""), "-p", "tls12-or-newer"],
        ["verify", "main.cf", "-p", HOSTILE.replace("\0", "")],
        ["run", f"--{HOSTILE}"],
        ["list", HOSTILE.replace("\0", "")],
        ["publish", HOSTILE.replace("\0", ""), "--into", "site"],
        ["tool", HOSTILE.replace("\0", "")],
    ],
)
def test_no_error_prints_them_raw(line: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Protects readers from names of files, cells and options."""
    assert run_cli(line) == 4
    out, err = capfd.readouterr()
    assert find_raw(out + err) == ""
    assert "Traceback" not in err


def test_list_prints_scenarios_of_others(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Protects who lists a folder that somebody else wrote."""
    scenario = tmp_path / "advice"
    scenario.mkdir()
    title = json.dumps("red \x1b[31m \u202e evil", ensure_ascii=True)
    (scenario / "scenario.toml").write_text(f'title = {title}\nsource = "x"\nclaim = "y"\n')
    run_cli(["list", "--scenarios-dir", str(tmp_path)])
    out, err = capfd.readouterr()
    assert find_raw(out + err) == ""


def test_reports_have_none_raw(folder: Path) -> None:
    """Protects matrix.md, matrix.csv, index.html and the JUnit report."""
    assert run_cli(["report", str(folder), "--junit"]) == 0
    for path in [*write_reports(folder), folder / "junit.xml"]:
        assert find_raw(path.read_bytes().decode("utf-8")) == "", path.name


def test_no_field_of_csv_is_a_formula(folder: Path) -> None:
    """Protects spreadsheets, which take the full-width forms as well."""
    rows = csv.reader(io.StringIO(render_csv(load_run(folder)), newline=""))
    assert not [field for row in rows for field in row if field.startswith(tuple("=+-@＝＋－＠"))]


def test_progress_and_annotations_have_none_raw() -> None:
    """Protects the lines that are printed while a run goes on, and a CI's page."""
    file = io.StringIO()
    display = Display(console=HarmlessConsole(file=file, width=80))
    for event in (Step(HOSTILE, HOSTILE), Notice(HOSTILE, HOSTILE)):
        display.show_event(event)
    display.show_event(Missing(name=HOSTILE, kind="build", why=HOSTILE, category="failed"))
    command = github_command(Annotation(AnnotationLevel.ERROR, HOSTILE, HOSTILE), Path("/"))
    assert file.getvalue()
    assert find_raw(file.getvalue() + command) == ""
    assert command.count("\n") == 0


def test_badges_have_none_raw() -> None:
    """Protects pages that show a badge of a build with a hostile name."""
    assert find_raw(badge_svg(HOSTILE, None) + badge_data(HOSTILE, None)) == ""


def test_a_console_keeps_its_own_styles() -> None:
    """Protects colours: only the text is escaped, and not the console's own control codes."""
    file = io.StringIO()
    console: Console = HarmlessConsole(file=file, force_terminal=True, color_system="standard")
    console.print("bad \x9b31m", style="red", markup=False, highlight=False)
    assert file.getvalue() == "\x1b[31mbad \\x9b31m\x1b[0m\n"


@pytest.mark.parametrize("change", [escape_controls, lambda text: escape_controls(text) + ""])
def test_what_is_escaped_once_stays(change: Callable[[str], str]) -> None:
    """Protects readers from doubled escapes where text passes two places."""
    assert escape_controls(change(HOSTILE)) == change(HOSTILE)


def test_printed_json_has_the_same_values() -> None:
    """Protects scripts: what is escaped in JSON is read back as it was."""
    document = json.dumps({HOSTILE: [HOSTILE]}, ensure_ascii=False)
    assert find_raw(escape_in_json(document)) == ""
    assert json.loads(escape_in_json(document)) == {HOSTILE: [HOSTILE]}
