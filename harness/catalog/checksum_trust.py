"""How well a hash is corroborated, in the same terms in every output."""

from __future__ import annotations


def describe_corroboration(places: int) -> str:
    """The label of a hash that this many independent places publish."""
    if places == 0:
        return "computed here, published nowhere"
    return "uncorroborated (1 place)" if places == 1 else f"{places} places"
