"""Offers that name ciphers and groups, and plans of clients whose offer cannot be set."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.cells import Cell
from harness.catalog.plan import Plan
from harness.cli.commands.run import run_command
from harness.errors import NothingSelectedError, UsageError
from harness.observations.evidence_names import evidence_path
from harness.tls import (
    NO_NAME,
    STANDARD_OFFERS,
    ClientCertificate,
    Extras,
    HangUp,
    Offer,
    Protocol,
    Service,
)

NAMES = st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True), max_size=3).map(tuple)


HOSTS = st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,5})?(\.[a-z0-9]{1,9}){0,3}", fullmatch=True)
#: One thing at most that changes what becomes of the connection.
ENDINGS = st.one_of(
    st.just({}),
    st.sampled_from([{"resume": True}, {"renegotiate": True}]),
    st.sampled_from(HangUp).map(lambda stage: {"hangup": stage}),
)
EXTRAS = st.builds(
    lambda cert, sni, ending: Extras(cert=cert, sni=sni, **ending),
    st.none() | st.sampled_from(ClientCertificate),
    st.none() | st.just(NO_NAME) | HOSTS,
    ENDINGS,
)


@given(
    low=st.sampled_from(Protocol),
    high=st.sampled_from(Protocol),
    ciphers=NAMES,
    groups=NAMES,
    extras=EXTRAS,
    default=st.booleans(),
)
def test_an_offer_reads_back_and_so_does_its_cell(
    low: Protocol,
    high: Protocol,
    ciphers: tuple[str, ...],
    groups: tuple[str, ...],
    extras: Extras,
    default: bool,
) -> None:
    """Protects ids: whatever is offered, the cell's id gives it back."""
    if high.rank < low.rank:
        low, high = high, low
    pinned = Offer(low, high, ciphers, groups, extras=extras)
    offer = Offer(extras=extras) if default else pinned
    assert "/" not in str(offer)
    assert Offer.parse(str(offer)) == offer
    cell = Cell("b", "s", Service.SMTP, "c", offer)
    assert Cell.parse(cell.id) == cell


@pytest.mark.parametrize(
    "text",
    [
        "TLSv1.2+ciphers=",
        "TLSv1.2+ciphers=ALL:!aNULL",
        "TLSv1.2+curves=X25519",
        "default+groups=X",
        "TLSv1.2+ciphers=A+ciphers=B",
        "TLSv1.2+cert=mine",
        "TLSv1.2+cert",
        "TLSv1.2+sni=MX2.test",
        "TLSv1.2+sni=",
        "TLSv1.2+sni=a/b",
        "TLSv1.2+resume=yes",
        "TLSv1.2+hangup=mail",
        "TLSv1.2+resume+hangup=data",
        "TLSv1.2+resume+resume",
        "plaintext+cert=trusted",
    ],
)
def test_an_offer_that_is_none_is_the_users_error(text: str) -> None:
    """Protects a run from a slip: keywords, unknown keys and doubles are refused before it."""
    with pytest.raises(UsageError):
        Offer.parse(text)


def test_a_long_offers_evidence_has_a_name_that_a_file_may_have() -> None:
    """Protects evidence on disk: names are short enough, and apart where offers are."""
    many = [f"TLSv1.2+ciphers={':'.join(f'CIPHER-{n}' for n in range(m))}" for m in (60, 61)]
    paths = [evidence_path(f"b/s/smtp/c/{offer}") for offer in many]
    assert len(set(paths)) == 2
    assert all(len(path.rpartition("/")[2].encode()) < 255 for path in paths)


def plan(*offers: Offer) -> Plan:
    """Two clients; the offer of one of them cannot be set."""
    return Plan(("b",), ("s",), (Service.SMTP,), ("c", "shop"), offers, frozenset({"shop"}))


def test_a_client_that_cannot_be_told_has_the_default_alone() -> None:
    """A client whose offer cannot be set has one cell, not seven."""
    made = plan(*STANDARD_OFFERS)
    cells = [cell.id for cell in made.cells()]
    assert len(cells) == len(made) == len(STANDARD_OFFERS) + 1
    assert [cell for cell in cells if "/shop/" in cell] == ["b/s/smtp/shop/default"]
    assert Plan.from_axes(made.axes()) == made


def test_without_the_default_nothing_is_left_of_such_clients() -> None:
    """An empty run is refused before anything starts."""
    only = Offer(Protocol.TLSv1, Protocol.TLSv1)
    assert len(plan(only)) == 1
    with pytest.raises(
        NothingSelectedError, match="the offer of the selected clients cannot be set"
    ):
        Plan(("b",), ("s",), (Service.SMTP,), ("shop",), (only,), frozenset({"shop"}))


def test_a_dry_run_tells_who_has_the_default_alone() -> None:
    """Protects the count: the product of the axes is not all, and the line below says why."""
    words = ["--dry-run", "-b", "debian-12", "-s", "defaults", "-S", "smtp"]
    told = CliRunner().invoke(run_command, [*words, "-c", "mono-*,openssl-1.0.2h"])
    assert told.output.count("debian-12/defaults/smtp/") == 8
    assert "1 build × 1 scenario × 1 service × 2 clients × 7 offers" in told.output
    assert (
        "only the offer default of clients without options for it: mono-smtpclient" in told.output
    )
    without = CliRunner().invoke(run_command, [*words, "-c", "openssl-1.0.2h"])
    assert "only default" not in without.output


def test_parts_may_come_in_any_order_and_have_one_spelling() -> None:
    """Protects cells: two ways to write an offer are one cell."""
    offer = Offer.parse("TLSv1.2+resume+sni=mx2.test+cert=listed")
    assert str(offer) == "TLSv1.2+cert=listed+sni=mx2.test+resume"


def test_an_offer_with_extras_is_of_clients_that_can_be_told() -> None:
    """Clients whose offer cannot be set, and peers, have no cells with extras."""
    with_extras = Offer.parse("default+cert=trusted")
    assert [
        cell.client for cell in plan(with_extras, Offer()).cells() if cell.offer == with_extras
    ] == ["c"]
    services = (Service.SMTP, Service.OUTBOUND)
    both = Plan(("b",), ("s",), services, ("c", "peer-mx"), (with_extras, Offer()))
    assert {str(cell.offer) for cell in both.cells() if cell.service is Service.OUTBOUND} == {
        "default"
    }


@pytest.mark.parametrize(
    ("text", "abilities"),
    [
        ("default", ()),
        ("default+cert=none", ()),
        ("TLSv1.2+cert=untrusted+sni=none", ("cert", "sni")),
        ("TLSv1.2+resume", ("resume",)),
        ("TLSv1.2+hangup=data", ("hangup=data",)),
    ],
)
def test_a_driver_is_asked_for_what_it_takes_and_no_more(
    text: str, abilities: tuple[str, ...]
) -> None:
    """Protects old images: they need not support what their cells do not use."""
    assert Offer.parse(text).extras.abilities == abilities
