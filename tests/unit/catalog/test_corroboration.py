"""A hash is told in the same words everywhere; published by nobody is not published by one."""

from __future__ import annotations

import pytest

from harness.catalog.corroboration import corroboration


@pytest.mark.parametrize(
    ("places", "label"),
    [
        (0, "computed here, published nowhere"),
        (1, "uncorroborated (1 place)"),
        (2, "2 places"),
        (9, "9 places"),
    ],
)
def test_none_one_and_several_are_told_apart(places: int, label: str) -> None:
    """A reader sees at once whether anybody besides this catalog stands for a hash."""
    assert corroboration(places) == label
