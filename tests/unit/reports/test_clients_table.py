"""The table of clients: what is accepted by default and when pinned, and who prevents the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.observations.record import Observation, Outcome, TlsView
from harness.observations.run_folder import load_run
from harness.reports.clients_table import (
    TableCell,
    cells_by_client,
    median_seconds,
    render_clients,
    version_span,
)
from tests.unit import sample_run


def seen(offer: str, outcome: Outcome, protocol: str | None = None) -> Observation:
    """An observation of one client with one build."""
    view = TlsView(protocol, "AES128-SHA", 128) if protocol else None
    return Observation(
        *("b/s/smtp/c/" + offer, "b", "s", "sha256:0", "smtp", "c", offer, outcome),
        reason="protocol-version" if outcome is Outcome.REFUSED else None,
        server_saw=view,
    )


def place(*observations: Observation) -> TableCell:
    """The table cell of these observations."""
    return TableCell({cell.offer: cell for cell in observations})


def test_a_cell_tells_the_default_then_what_gets_through_alone() -> None:
    """Protects the reader's first question: what does this client do left to itself?"""
    cell = place(
        seen("default", Outcome.ACCEPTED, "TLSv1.3"),
        seen("SSLv3", Outcome.CLIENT_INCAPABLE),
        *(seen(p, Outcome.ACCEPTED, p) for p in ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")),
    )
    assert str(cell) == "✓ TLSv1.3 (TLSv1–TLSv1.3)"


def test_the_servers_refusal_is_told_from_the_clients_lack() -> None:
    """Protects from blaming the wrong side: refusals are named, incapability is not."""
    cell = place(
        seen("default", Outcome.ACCEPTED, "TLSv1.2"),
        seen("SSLv2", Outcome.CLIENT_INCAPABLE),
        seen("SSLv3", Outcome.REFUSED),
        seen("TLSv1.2", Outcome.ACCEPTED, "TLSv1.2"),
    )
    assert str(cell) == "✓ TLSv1.2 (TLSv1.2, ✗SSLv3)"


def test_a_client_that_cannot_be_told_has_its_own_choice_alone() -> None:
    """Protects the shops' rows: no versions are made up for what was never offered alone."""
    assert str(place(seen("default", Outcome.ACCEPTED, "TLSv1"))) == "✓ TLSv1"
    assert str(place(seen("default", Outcome.REFUSED))) == "✗ version"
    assert str(TableCell({})) == "?"


@pytest.mark.parametrize(
    ("versions", "text"),
    [
        ((), ""),
        (("TLSv1",), "TLSv1"),
        (("TLSv1", "TLSv1.1"), "TLSv1 TLSv1.1"),
        (("TLSv1", "TLSv1.1", "TLSv1.2"), "TLSv1–TLSv1.2"),
        (("SSLv3", "TLSv1.1", "TLSv1.2"), "SSLv3 TLSv1.1 TLSv1.2"),
    ],
)
def test_a_gap_is_never_spanned(versions: tuple[str, ...], text: str) -> None:
    """Protects from a dash that would claim a version that did not get through."""
    assert version_span(versions) == text


def test_the_whole_table_names_each_client_and_its_command(tmp_path: Path) -> None:
    """Protects the published table: each client of the run has its row, and how it is made."""
    data = load_run(sample_run.write_sample_run(tmp_path))
    text = render_clients(data)
    for client in data.run.axes.clients:
        assert client in text
    assert "postfix-matrix report --table clients" in text
    assert cells_by_client(data, data.run.axes.scenarios[0], data.run.axes.services[0])


def test_a_cost_is_of_accepted_cells_under_test_alone(tmp_path: Path) -> None:
    """Protects the figure: time-outs and controls do not count."""
    data = load_run(sample_run.write_sample_run(tmp_path))
    slow = [replace(cell, seconds=9.0) for cell in data.observations if cell.outcome != "accepted"]
    others = [cell for cell in data.observations if cell.outcome == "accepted"]
    fast = [replace(other, seconds=0.5) for other in others]
    assert set(median_seconds(replace(data, observations=(*slow, *fast))).values()) == {0.5}
