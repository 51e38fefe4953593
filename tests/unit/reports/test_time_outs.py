"""A time-out or an error of the harness is a difference nowhere: one rule for all answers.

The rule is ``verdicts.observation_diff.why_unobserved``. The page, matrix.md, matrix.csv, the
terminal, ``explain``, ``verify``, ``since`` and comparisons of runs are held to it here.
"""

from __future__ import annotations

import csv
import io
import re

import pytest
from rich.console import Console

from harness.observations.run_folder import RunData
from harness.reports.explain_text import explanation_lines
from harness.reports.html import render_html
from harness.reports.markdown import render_markdown
from harness.reports.table_csv import render_csv
from harness.reports.terminal import print_matrix
from harness.scenarios.scenario import Scenario
from harness.scenarios.variants import VariantKind, make_variant
from harness.snapshots.findings import Finding
from harness.snapshots.run_comparison import DIFFERENT, compare_runs
from harness.snapshots.values import parse_level, values_by_place
from harness.verdicts.line_effects import LinePart, explain_lines
from harness.verdicts.policy_answers import PolicyAnswer, judge_services
from harness.verdicts.since import group_places
from tests.unit.sample_verdicts import BUILDS, Results, run_of
from tests.unit.verify_samples import expectations

BOTH_SIDES = [("timeout", "TLSv1.2"), ("TLSv1.2", "timeout"), ("timeout", "timeout"),
              ("error driver", "TLSv1.2"), ("TLSv1.2", "error driver"), ("timeout", "error driver"),
              ("timeout", "refused closed")]  # fmt: skip
NOTHING = ["timeout", "error driver"]


def compared(here: str, there: str) -> RunData:
    """A scenario that is the same as the baseline but for one cell in which nothing was seen."""
    same = {"TLSv1": "TLSv1"}
    return run_of(
        {
            "defaults": {"smtp": {**same, "default": there}},
            "advice": {"smtp": {**same, "default": here}},
        }
    )


def terminal_text(data: RunData) -> str:
    """What 'run' and 'show' print."""
    out = io.StringIO()
    print_matrix(data, Console(file=out, width=100, color_system=None))
    return out.getvalue()


@pytest.mark.parametrize(("here", "there"), BOTH_SIDES)
def test_no_report_of_a_run_counts_it_as_a_difference(here: str, there: str) -> None:
    """Protects "differs in 15 of 164 cells" from time-outs: they are not compared, and said so."""
    data = compared(here, there)
    page, document, terminal = render_html(data), render_markdown(data), terminal_text(data)
    for text in (page, document, " ".join(terminal.split())):
        assert "The same as defaults in all 3 cells" in text
        assert "3 cells not compared: a time-out, or an error of the harness" in text
        assert "Differs from" not in text
        assert not re.search(r"\b\d+ differ\b", text)
    assert 'data-beside="differs"' not in page
    assert not re.search(r"[…!✓✗]\*", terminal.partition("how to read")[0])
    rows = list(csv.DictReader(io.StringIO(render_csv(data), newline="")))
    advice = [row for row in rows if row["scenario"] == "advice"]
    standings = {row["offer"]: row["compared_with_defaults"] for row in advice}
    assert standings == {"TLSv1": "same", "default": "uncompared"}
    assert {row["changed"] for row in rows} == {""}


@pytest.mark.parametrize("result", NOTHING)
@pytest.mark.parametrize("configuration", ["defaults", "advice", "without-1"])
def test_explain_takes_it_for_no_effect_of_a_line(result: str, configuration: str) -> None:
    """Protects the answer to "which of these lines act" from a cell that was not answered."""
    advice = Scenario("advice", "T", "S", "C", main_cf="smtpd_tls_protocols = !TLSv1\n")
    control = Scenario("defaults", "T", "S", "C")
    without = make_variant(advice, control, VariantKind("without"), [1])
    results: Results = {"TLSv1": "TLSv1", "default": "TLSv1.2"}
    lost: Results = {"TLSv1": "TLSv1", "default": result}
    named = {"defaults": control.id, "advice": advice.id, "without-1": without.id}
    cells = {
        scenario: {"smtp": lost if name == configuration else results}
        for name, scenario in named.items()
    }
    texts = {"advice": advice.main_cf, "defaults": "", without.id: without.main_cf}
    data = run_of(cells, texts=texts)
    explanation = explain_lines(data, "advice")
    assert [effect.part for effect in explanation.lines] != [LinePart.ACTS]
    assert all(not effect.removed.changes for effect in explanation.lines)
    assert explanation.whole is not None
    assert explanation.whole.changes == ()
    assert not any("cells change" in line for line in explanation_lines(data, explanation))


@pytest.mark.parametrize("result", NOTHING)
def test_verify_answers_that_it_is_unknown(result: str) -> None:
    """Protects a policy's answer: a server that did not answer breaks no policy, and meets none."""
    refused = "refused protocol-version"
    old = {"SSLv2": refused, "SSLv3": refused, "TLSv1": refused, "TLSv1.1": refused}
    modern = {**old, "TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3"}
    for lost in ("TLSv1", "TLSv1.2"):
        cells = {"candidate": {"smtp": {**modern, lost: result}}}
        data = run_of(cells, expectations("tls12-or-newer"))
        (service,) = judge_services(data, "candidate")
        answers = {build.answer for build in service.builds.values()}
        assert answers == {PolicyAnswer.UNMEASURED}


@pytest.mark.parametrize("result", NOTHING)
def test_since_draws_no_boundary_at_it(result: str) -> None:
    """Protects "since which version": a build that did not answer is left out, not a change."""
    data = run_of(
        {"defaults": {"smtp": {"TLSv1": "TLSv1"}}},
        only={"debian-13": {"defaults": {"smtp": {"TLSv1": result}}}},
    )
    for group in group_places(data, "defaults"):
        assert group.found.constant
        assert group.found.unmeasured == ("debian-13",)


@pytest.mark.parametrize("result", NOTHING)
def test_neither_compare_nor_record_takes_it_for_behaviour(result: str) -> None:
    """Protects snapshots and comparisons of runs: such a cell is not checked, never recorded."""
    whole = run_of({"defaults": {"smtp": {"TLSv1": "TLSv1"}}})
    lost = run_of({"defaults": {"smtp": {"TLSv1": result}}})
    for before, after in ((whole, lost), (lost, whole), (lost, lost)):
        comparison = compare_runs(before, after)
        assert comparison.having(*DIFFERENT) == ()
        assert {cell.finding for cell in comparison.cells} <= {Finding.NOT_CHECKED, Finding.ADDED}
    assert values_by_place(parse_level("exact", {}), lost.observations, {}) == {}
    assert len(values_by_place(parse_level("exact", {}), whole.observations, {})) == len(BUILDS)
