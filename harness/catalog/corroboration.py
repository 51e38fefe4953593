"""How far a hash can be believed, in the same words wherever it is told."""

from __future__ import annotations


def corroboration(places: int) -> str:
    """The words for a hash that this many independent places publish."""
    if places == 0:
        return "computed here, published nowhere"
    return "uncorroborated (1 place)" if places == 1 else f"{places} places"
