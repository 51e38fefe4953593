"""The plan that single cells come to, as run.json records it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.cells import Cell
from harness.catalog.plan import plan_of_cells
from harness.tls import Offer, Service

CELLS = st.builds(
    Cell,
    st.sampled_from(["debian-11", "debian-12"]),
    st.sampled_from(["test-a", "test-b"]),
    st.sampled_from([Service.SMTP, Service.SUBMISSION]),
    st.sampled_from(["openssl-1.0.2h", "openssl-3.5.7"]),
    st.sampled_from([Offer.parse("TLSv1"), Offer.parse("default")]),
)


@given(st.lists(CELLS, min_size=1, unique_by=lambda cell: cell.id))
def test_the_plan_has_every_cell_that_was_measured(cells: list[Cell]) -> None:
    """Protects the reports: a cell outside of the recorded axes would be shown nowhere."""
    planned = {cell.id for cell in plan_of_cells(cells).cells()}
    assert {cell.id for cell in cells} <= planned


def test_each_scenario_has_its_own_axes() -> None:
    """Protects against cells that nothing asked for: they would be shown as not measured."""
    cells = [
        Cell("debian-12", "test-a", Service.SMTP, "openssl-1.0.2h", Offer.parse("TLSv1")),
        Cell("debian-11", "test-b", Service.SUBMISSION, "openssl-3.5.7", Offer.parse("default")),
    ]
    assert list(plan_of_cells(cells).cells()) == cells
