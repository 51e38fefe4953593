"""What was unavailable, by reason: nothing is left out, and a finding is no failure."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DoesNotBuildError, SourceError
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import Missing, UnavailableCategory
from harness.reports.grid import Row
from harness.reports.html import render_html
from harness.reports.markdown import render_markdown
from harness.reports.plain_text import fence_code
from harness.reports.problems import brief_reason, group_unavailable
from tests.unit import sample_images, sample_run

lacks = st.builds(
    Missing,
    name=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(["build", "client", "control"]),
    why=st.text(max_size=40),
    category=st.sampled_from([*UnavailableCategory, "of-tomorrow"]),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A synthetic run with something unavailable of every category."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return load_run(sample_run.write_sample_run(folder, marked=True))


@given(st.lists(lacks, max_size=8))
def test_everything_unavailable_is_in_one_group(missing: list[Missing]) -> None:
    """None is lost, an unknown category is ``other``, and each has a reason of one line."""
    groups = group_unavailable(missing)
    entries = [entry for group in groups for entry in group.entries]
    assert sorted(map(repr, entries)) == sorted(map(repr, missing))
    assert all(group.entries for group in groups)
    assert len({group.title for group in groups}) == len(groups)
    assert all(len(brief_reason(entry).splitlines()) == 1 for entry in missing)


def test_a_pair_that_does_not_build_is_a_finding_with_the_compilers_error() -> None:
    """The harness's error is shown without what the group's title already says."""
    error = DoesNotBuildError("postfix-2.8.0", "no DH_METHOD", next_step="see the log")
    entry = Missing("postfix-2.8.0", "build", str(error), UnavailableCategory.DOES_NOT_BUILD)
    assert brief_reason(entry) == "no DH_METHOD"
    assert brief_reason(replace(entry, why="does not build: no DH_METHOD")) == "no DH_METHOD"
    (group,) = group_unavailable([entry])
    assert (group.title, group.advice) == ("does not build", ())


def test_a_summary_does_not_announce_what_it_leaves_out() -> None:
    """A line that ends in a colon, with nothing after it, reads as if the report were torn."""
    entry = Missing(
        "mine",
        "build",
        "image m:1 breaks the contract:\n    no postconf",
        UnavailableCategory.IMAGE,
    )
    assert brief_reason(entry) == "image m:1 breaks the contract"
    assert Row("mine", (), entry.why).missing_brief == brief_reason(entry)


def test_what_to_do_is_the_errors_own_next_step_once() -> None:
    """Ten builds without the same source have one next step."""
    error = str(SourceError("unreachable", cause="no way out", next_step="use --mirror"))
    (group,) = group_unavailable(
        [Missing(f"b{at}", "build", error, UnavailableCategory.SOURCE) for at in range(10)]
    )
    assert group.advice == ("use --mirror",)


def test_markdown_and_page_have_each_reason_whole(data: RunData) -> None:
    """Every line of a compiler's output can be read, and none breaks out of its block."""
    text, page = render_markdown(data), unescape(render_html(data))
    for entry in data.run.missing:
        for line in entry.why.splitlines():
            # Without the text that the group's title has.
            message = line.strip().removeprefix(f"{entry.name} does not build: ")
            assert message in text.replace("\\", "")
            assert message in page
    compiler = sample_images.MISSING[0]["why"].splitlines()
    block = text.split("  ````\n")[1]
    assert [line.strip() for line in block.splitlines()] == [line.strip() for line in compiler]


def test_rows_of_tables_have_the_first_line_only(data: RunData) -> None:
    """A compiler's output does not fill every table."""
    lines = [
        line for line in render_markdown(data).splitlines() if line.startswith("| postfix-2.8")
    ]
    assert len(lines) == len(sample_run.SCENARIOS) * 3
    assert not any("make:" in line for line in lines)
    gaps = re.findall(r'class="gap"[^>]*><span>([^<]*)', render_html(data))
    assert any("DH_METHOD" in gap for gap in gaps)
    assert not any("make:" in gap for gap in gaps)


@given(st.text("`\nab", max_size=30))
def test_a_fence_cannot_be_closed_from_inside(text: str) -> None:
    """Whatever a log says, the first line alone is the fence, and the last."""
    lines = fence_code(text).split("\n")
    assert lines[0] == lines[-1]
    assert re.fullmatch("`{3,}", lines[0])
    assert not any(lines[0] in line for line in lines[1:-1])


def test_what_an_older_run_calls_missing_is_read_as_other(tmp_path: Path) -> None:
    """A run folder without categories is shown as before."""
    data = load_run(sample_run.write_sample_run(tmp_path / "run"))
    assert [entry.category for entry in data.run.missing] == [UnavailableCategory.OTHER]
    (group,) = group_unavailable(data.run.missing)
    assert group.title == "for other reasons"
