"""Results that this tool does not vouch for are marked with a text in every report."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.cli.commands.show import show_command
from harness.images import labels as names
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import ImageInfo
from harness.reports.html import render_html
from harness.reports.labels import (
    BUILD_NOTES,
    FOREIGN,
    UNVERIFIED,
    build_note,
    build_notes,
)
from harness.reports.markdown import render_markdown
from harness.reports.protocols_text import print_protocols, render_protocols
from harness.reports.table_csv import render_csv
from harness.reports.terminal import print_matrix, show_cell
from tests.unit import sample_images, sample_run

BARE = ("debian-12", "debian-13", "postfix-3.7.11+openssl-1.1.1w")
images = st.builds(
    ImageInfo,
    kind=st.just("build"),
    unverified=st.booleans(),
    foreign=st.booleans(),
    flavour=st.sampled_from([None, "stock", "legacy", "debian", "of-tomorrow"]),
    labels=st.dictionaries(
        st.sampled_from([names.UNVERIFIED, names.FLAVOUR, names.KIND]),
        st.sampled_from(["yes", "no", "legacy", "stock"]),
    ),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A synthetic run with builds of every mark."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return load_run(sample_run.write_sample_run(folder, marked=True))


@pytest.fixture(scope="module")
def page(data: RunData) -> str:
    """Its page."""
    return render_html(data)


def on_paper(width: int = 100) -> tuple[io.StringIO, Console]:
    """A console that writes text without colours."""
    out = io.StringIO()
    return out, Console(file=out, width=width, force_terminal=True, color_system=None)


@given(images)
def test_a_mark_is_never_lost(image: ImageInfo) -> None:
    """The run's record or the image's label alone is enough for the mark."""
    held = build_notes(image)
    assert (UNVERIFIED in held) == (image.unverified or names.UNVERIFIED in image.labels)
    assert (FOREIGN in held) == image.foreign
    assert set(held) <= set(BUILD_NOTES)
    assert all(note in build_note(image) for note in held)
    flavour = image.flavour or image.labels.get(names.FLAVOUR)
    assert ("legacy flavour" in held, "Debian's OpenSSL" in held) == (
        flavour == "legacy", flavour == "debian"
    )  # fmt: skip


def test_what_is_not_known_has_no_mark() -> None:
    """A build that is not in the run's images, or in an older run's, is not accused."""
    assert build_note(None) == ""
    assert build_note(ImageInfo("build")) == ""


@pytest.mark.parametrize("full", [False, True])
def test_the_terminal_marks_the_rows_and_explains_the_marks(data: RunData, full: bool) -> None:
    """Below a build's name stand its notes, at 100 columns, in brief and in full."""
    out, console = on_paper()
    print_matrix(data, console, full=full)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 100
    for notes in sample_images.NOTES.values():
        for note in notes:
            marked = re.findall(rf"^\({re.escape(note)}\)", text, re.MULTILINE)
            assert len(marked) >= len(sample_run.SCENARIOS) + 2
            assert f"{note}. {BUILD_NOTES[note][:30]}" in text
    first = text.split("submission :587")[0]
    assert re.search(r"^ -legacy .*\n\(unverified source\) *\n\(legacy flavour\)", first, re.M)


@pytest.mark.parametrize("render", [render_markdown, render_protocols])
def test_markdown_marks_every_row_and_explains_the_marks(data: RunData, render: type[str]) -> None:
    """No row of a marked build is without its mark, no other build has one."""
    lines = render(data).splitlines()
    for build in (*BARE, *sample_images.NOTES):
        rows = [line for line in lines if re.match(rf"\| {re.escape(build)} ", line)]
        mark = ", ".join(sample_images.NOTES.get(build, ()))
        assert len(rows) >= len(sample_run.SCENARIOS)
        assert {f"{build} **({mark})**" in row for row in rows} == {bool(mark)}
    for note in BUILD_NOTES:
        assert any(line.startswith("- ") and note in line for line in lines)


def test_csv_has_the_mark_in_a_column(data: RunData) -> None:
    """A script can leave out what this tool does not vouch for."""
    rows = list(csv.DictReader(io.StringIO(render_csv(data), newline="")))
    notes_by_build = {row["build"]: row["build_note"] for row in rows}
    for build in BARE:
        assert notes_by_build[build] == ""
    for build, notes in sample_images.NOTES.items():
        assert notes_by_build[build] == ", ".join(notes)
    assert all(row["build_note"] == notes_by_build[row["build"]] for row in rows)


def name_of(head: str) -> str:
    """The build in a row's heading."""
    bare = head.replace("<wbr>", "").replace('<span class="of-build">', "")
    return re.sub(r"<.*", "", bare).strip()


def test_the_page_marks_every_row(page: str) -> None:
    """Each table's row has the note beside the name, and so has the image's provenance."""
    heads = re.findall(r'<th scope="row">(.*?)</th>', page, re.DOTALL)
    for build in (*BARE, *sample_images.NOTES):
        first = [head for head in heads if name_of(head) == build]
        badges = [tuple(re.findall(r'class="badge[^"]*">([^<]+)<', head)) for head in first]
        expected = tuple(note.replace("'", "&#39;") for note in sample_images.NOTES.get(build, ()))
        rows = len(sample_run.SCENARIOS) * 3 * len(set(re.findall(r'data-client="([^"]+)"', page)))
        assert len(first) == rows + 1, "each row of a table, and one of the provenance"
        assert set(badges) == {expected}
    legend = page.split('class="legend"')[1].split("</details>")[0]
    assert all(text.replace("'", "&#39;") in legend for text in BUILD_NOTES.values())


def test_a_run_without_marked_builds_explains_no_mark(tmp_path: Path) -> None:
    """The legend has what occurs."""
    data = load_run(sample_run.write_sample_run(tmp_path / "run"))
    assert 'class="badge' not in render_html(data)
    assert not any(note in render_markdown(data) for note in BUILD_NOTES)


def test_show_marks_one_cell_and_a_list_of_cells(data: RunData) -> None:
    """Who asks for a cell reads the mark in its heading, what it means and where it is from."""
    cell = f"{sample_images.LEGACY_PAIR}/defaults/smtp/openssl-1.0.2h/TLSv1.2"
    observation = data.find(cell)
    assert observation
    out, console = on_paper(200)
    show_cell(data, observation, console)
    text = out.getvalue()
    assert text.splitlines()[0].rstrip() == f"{cell} (unverified source, legacy flavour)"
    assert f"unverified source: {BUILD_NOTES[UNVERIFIED]}" in text
    assert f"postfix-3.1.0, unverified, {sample_images.TREE_SHOWN}" in text
    assert sample_images.LOG_NAME in text
    listed = CliRunner().invoke(show_command, ["mine/*", "--run", str(data.folder)])
    lines = listed.output.splitlines()
    assert len(lines) == 4 * 3 * 2 * 7
    assert all(line.endswith("  (own image)") for line in lines)


def test_the_terminals_table_of_versions_marks_builds(data: RunData) -> None:
    """The marks stand there as in the matrix."""
    out, console = on_paper()
    print_protocols(data, console)
    for notes in sample_images.NOTES.values():
        assert all(f"({note})" in out.getvalue() for note in notes)


def test_the_label_alone_marks_a_whole_run(data: RunData) -> None:
    """A run folder whose field was lost still shows what the image itself says."""
    image = data.run.images["debian-12"]
    labels = {**image.labels, names.UNVERIFIED: "yes"}
    changed = {**data.run.images, "debian-12": replace(image, labels=labels)}
    marked = replace(data, run=replace(data.run, images=changed))
    assert "| debian-12 **(unverified source)** |" in render_markdown(marked)


def test_the_panels_facts_have_the_notes_as_words(page: str) -> None:
    """The script takes the texts from the page's data and has none of its own."""
    script = page.rsplit("<script>", 1)[1]
    assert not any(note in script for note in BUILD_NOTES)
    assert json.dumps(UNVERIFIED) not in script
