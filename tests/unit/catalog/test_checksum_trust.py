"""A hash has the same label everywhere; zero places differ from one place."""

from __future__ import annotations

import pytest

from harness.catalog.checksum_trust import describe_corroboration


@pytest.mark.parametrize(
    ("places", "label"),
    [
        (0, "computed here, published nowhere"),
        (1, "uncorroborated (1 place)"),
        (2, "2 places"),
        (9, "9 places"),
    ],
)
def test_none_one_and_several_places_have_different_labels(places: int, label: str) -> None:
    """The label shows whether any place other than this catalog publishes a hash."""
    assert describe_corroboration(places) == label
