"""Every table fits the terminal: no line is wider, no word is cut, no two names look alike.

The runs are real ones: a part of a default run, with cipher lists and a build with a long name, and
the small one that other tests read.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.catalog.builds import all_distributions, known_builds
from harness.catalog.clients import all_clients
from harness.catalog.releases import all_releases
from harness.cli.commands.catalog import _format_row
from harness.cli.commands.images import _entry_lines
from harness.diagnosis.diagnosis_output import diagnosis_lines
from harness.images.image_states import ImageState
from harness.observations.run_folder import RunData, load_run
from harness.reports.cell_detail import show_cell
from harness.reports.offer_titles import offer_titles
from harness.reports.protocols_text import print_protocols
from harness.reports.terminal import print_matrix
from harness.reports.terminal_table import build_label, short_names
from harness.reports.verdicts_text import finding_paragraphs
from harness.reports.wrapping import entry_lines, listing_lines, table_lines
from harness.verdicts.verdict import judge_run
from harness.widths import set_widths
from tests.unit.schema_samples import sample_diagnosis

DATA = Path(__file__).parents[2] / "data"
WIDTHS = (80, 100, 120, 160)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A real run with thirteen offers, two clients and a build with a long name."""
    folder = tmp_path_factory.mktemp("wide")
    (folder / "run.json").write_bytes((DATA / "wide-run" / "run.json").read_bytes())
    packed = (DATA / "wide-run" / "observations.jsonl.gz").read_bytes()
    (folder / "observations.jsonl").write_bytes(gzip.decompress(packed))
    return load_run(folder)


@pytest.fixture(scope="module")
def small() -> RunData:
    """A real run with all of its evidence."""
    return load_run(DATA / "run-folder")


@pytest.fixture(autouse=True)
def _restore_widths() -> Iterator[None]:
    """Other tests have the width of a pipe."""
    yield
    set_widths(80)


def print_to_text(width: int, show: Callable[[Console], None]) -> str:
    """What is printed on a terminal of that width."""
    set_widths(width)
    out = io.StringIO()
    show(Console(file=out, width=width, force_terminal=True, color_system=None))
    return out.getvalue()


def find_wide_lines(text: str, width: int) -> list[str]:
    """The lines that do not fit, but for those that have a word which does not fit any line."""
    return [
        line
        for line in text.splitlines()
        if len(line.rstrip()) > width and max(map(len, line.split())) < width - 24
    ]


def table_part(text: str, scenario: str) -> str:
    """A scenario's part of the matrix."""
    return re.split(rf"^{scenario}  ", text, flags=re.MULTILINE)[-1].split("\n\nhow to read")[0]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("full", [False, True])
def test_no_line_of_the_matrix_is_wider(wide: RunData, width: int, full: bool) -> None:
    """A line that the terminal breaks makes a table unreadable."""
    text = print_to_text(width, lambda console: print_matrix(wide, console, full=full))
    assert [line for line in text.splitlines() if len(line.rstrip()) > width] == []
    assert "…" not in text.replace("… timeout", "")


@pytest.mark.parametrize("width", WIDTHS)
def test_all_labels_are_whole_and_differ(wide: RunData, width: int) -> None:
    """Services, builds, clients and results are never cut, so that no two look alike."""
    text = print_to_text(width, lambda console: print_matrix(wide, console, full=True))
    for service in ("smtp :25", "submission :587", "submissions :465"):
        assert re.search(rf"^(.*, )?{service}(, .*)?$", text, re.MULTILINE)
    labels = {build: build_label(build) for build in wide.run.axes.builds}
    lines = [line.split("  ")[0].rstrip() for line in text.splitlines()]
    for parts in labels.values():
        assert "".join(parts).replace(" ", "") in wide.run.axes.builds
        assert all(any(line.startswith(part) for line in lines) for part in parts)
    words = set(text.split())
    assert set(short_names(wide.run.axes.clients).values()) <= words
    assert {"version", "cipher", "TLSv1.3", "can't", "plain"} <= words


@pytest.mark.parametrize("width", WIDTHS)
def test_every_column_has_a_head_and_every_short_name_a_meaning(wide: RunData, width: int) -> None:
    """The legend is beside the table, and has each short name's whole list of ciphers."""
    text = print_to_text(width, lambda console: print_matrix(wide, console, full=True))
    titles = [title for title in offer_titles(wide.run.axes.offers).values() if title.is_short]
    assert titles
    part = " ".join(table_part(text, "answer-1-exclude-long").split())
    for title in titles:
        assert f"{title.text} {title.meaning}" in part
        assert set(re.split("[=:+]", title.offer)) - {"ciphers"} <= set(re.split("[ ,:]+", part))
    for client, short in short_names(wide.run.axes.clients).items():
        assert f"{short} {client}" in part


@pytest.mark.parametrize("width", [80, 200])
def test_a_column_without_a_result_is_left_out(wide: RunData, width: int) -> None:
    """Clients that cannot be told what to offer have one column, not a dozen empty ones."""
    axes = replace(wide.run.axes, unpinned=wide.run.axes.clients)
    cells = tuple(cell for cell in wide.observations if cell.offer == "default")
    unpinned = replace(wide, run=replace(wide.run, axes=axes), observations=cells)
    text = print_to_text(width, lambda console: print_matrix(unpinned, console, full=True))
    heads = [line.split() for line in text.splitlines() if line.startswith("build  ")]
    assert heads
    assert all(head == ["build", "client", "default"] for head in heads)
    assert "RC4" not in text


def test_a_narrow_table_repeats_its_row_labels(wide: RunData) -> None:
    """Each block can be read alone: it has the builds and clients again."""
    narrow = print_to_text(80, lambda console: print_matrix(wide, console, full=True))
    broad = print_to_text(160, lambda console: print_matrix(wide, console, full=True))
    assert narrow.count("\ndebian-12 ") > broad.count("\ndebian-12 ")
    head = re.compile(r"^build +client +", re.MULTILINE)
    assert len(head.findall(broad)) == len(wide.run.axes.scenarios)
    assert len(head.findall(narrow)) > 2 * len(wide.run.axes.scenarios)


def test_the_answer_comes_before_the_tables(wide: RunData) -> None:
    """A newcomer reads what was found out first: accepted versions, and each verdict."""
    text = print_to_text(80, lambda console: print_matrix(wide, console))
    answer, _, tables = text.partition("\n\n")
    assert "  TLSv1 to TLSv1.3  all 2 builds" in answer
    assert "answer-1-encrypt       confirmed on 2 builds" in answer
    assert "build            client" not in answer
    assert "build            client" in tables


@pytest.mark.parametrize("width", WIDTHS)
def test_other_reports_of_a_run_fit(wide: RunData, small: RunData, width: int) -> None:
    """Evidence, verdicts and the table of versions wrap at words."""
    cell = next(cell for cell in small.observations if cell.evidence)

    def show_all(console: Console) -> None:
        show_cell(small, cell, console)
        print_protocols(wide, console)
        for verdict in judge_run(wide):
            console.print("\n".join(finding_paragraphs(wide, verdict)), soft_wrap=True)

    assert find_wide_lines(print_to_text(width, show_all), width) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_lists_of_names_fit(width: int) -> None:
    """Builds, clients, releases and images; the state of an image is never lost."""
    set_widths(width)
    clients = [(client.name, client.about) for client in all_clients()]
    listed = list(entry_lines(clients, "  ", width))
    assert [line for line in listed if len(line) > width] == []
    assert all(f"  {name}" in "\n".join(listed) for name, _ in clients)
    reason = "does not build: conf/makedefs: unknown system type"
    states = [ImageState(build.id, "r:1", "not built", "3.10.13", "4.0.3-debian", 270_000_000)
              for build in known_builds()]  # fmt: skip
    lines = list(_entry_lines([*states, ImageState("pair", "r:1", reason)], width))
    assert [line for line in lines if len(line) > width] == []
    assert sum("not built" in line for line in lines) == len(states)
    assert reason in "\n".join(lines)
    rows: list[tuple[str, ...]] = [_format_row(each) for each in all_releases("openssl")]
    rows += [_format_row(each) for each in all_distributions()]
    assert [line for line in listing_lines(rows, width) if len(line) > width] == []
    assert [line for line in diagnosis_lines(sample_diagnosis()) if len(line) > width] == []


def test_a_table_of_text_has_blocks_with_its_labels() -> None:
    """The table of verify: builds that do not fit stand in a second block."""
    builds = [f"postfix-3.7.{number}+openssl-1.1.1" for number in range(4)]
    lines = table_lines(["service", *builds], [["submission", *["yes"] * 4]], width=80)
    assert [line for line in lines if len(line) > 80] == []
    assert sum(line.startswith("submission") for line in lines) == 2
    assert all(any(build in line for line in lines) for build in builds)
