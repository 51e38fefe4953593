"""Protocols, offers, services and cell ids: the basic terms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.cells import Cell
from harness.catalog.plan import Plan
from harness.errors import NothingSelectedError, UsageError
from harness.tls import NAMED_SERVICES, STANDARD_OFFERS, Offer, Protocol, Service

NAMES = st.from_regex(r"[a-z0-9][a-z0-9.+-]{0,20}", fullmatch=True)
PROTOCOLS = st.sampled_from(list(Protocol))


@st.composite
def offers(draw: st.DrawFn) -> Offer:
    """Any offer there can be."""
    if draw(st.booleans()):
        return Offer()
    low, high = sorted((draw(PROTOCOLS), draw(PROTOCOLS)), key=lambda p: p.rank)
    return Offer(low, high)


@given(offers())
def test_an_offer_reads_back_what_it_writes(offer: Offer) -> None:
    """Protects run folders and command lines: an offer's text means that offer, whichever it is."""
    assert Offer.parse(str(offer)) == offer


@given(NAMES, NAMES, st.sampled_from(NAMED_SERVICES), NAMES, offers())
def test_a_cell_id_round_trips(
    build: str, scenario: str, service: Service, client: str, offer: Offer
) -> None:
    """Protects evidence paths, resume and deep links, which all hang on the id."""
    cell = Cell(build, scenario, service, client, offer)
    assert Cell.parse(cell.id) == cell


def test_offers_are_spelled_as_postfix_spells_them() -> None:
    """Protects the spelling of postconf(5), which users copy from one place to the other."""
    assert [str(offer) for offer in STANDARD_OFFERS] == [
        "SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "default",
    ]  # fmt: skip


def test_a_range_the_wrong_way_round_is_refused_with_the_right_one() -> None:
    """Protects against a range that silently selects nothing."""
    with pytest.raises(UsageError, match=r"write TLSv1\.\.TLSv1\.2"):
        Offer.parse("TLSv1.2..TLSv1")


def test_an_unknown_protocol_names_the_known_ones() -> None:
    """Protects the error's next step: TLS1.2 is the commonest misspelling of TLSv1.2."""
    with pytest.raises(UsageError, match=r"TLSv1\.2 TLSv1\.3"):
        Offer.parse("TLS1.2")


@pytest.mark.parametrize("text", ["", "a/b", "a/b/im ap/c/default", "a/b/smtp/c/TLSv9"])
def test_what_is_no_cell_is_refused(text: str) -> None:
    """Protects 'show': a wrong id is a usage error, not a traceback."""
    with pytest.raises(UsageError):
        Cell.parse(text)


def test_a_plan_is_the_product_of_its_axes_in_order() -> None:
    """Protects the count of planned cells, and that builds come one after another."""
    plan = Plan(("b1", "b2"), ("s",), (Service.SMTP, Service.SUBMISSION), ("c",), STANDARD_OFFERS)
    cells = list(plan.cells())
    assert len(cells) == len(plan) == 2 * 1 * 2 * 1 * 7
    assert [cell.build for cell in cells] == ["b1"] * 14 + ["b2"] * 14
    assert len({cell.id for cell in cells}) == len(cells)
    assert Plan.from_axes(plan.axes()) == plan


def test_a_plan_without_cells_is_an_error() -> None:
    """Protects exit code 5: an empty selection must not look like a run that went well."""
    with pytest.raises(NothingSelectedError, match="no clients"):
        Plan(("b",), ("s",), (Service.SMTP,), (), STANDARD_OFFERS)
