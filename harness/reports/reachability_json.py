"""Which releases this machine can fetch, and why not the others: for other programs.

docs/schemas/images-reachable.schema.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.catalog.reachability import (
    Branch,
    PlaceAnswer,
    ReleaseAnswers,
    group_branches,
    list_unanswering,
    name_place,
)

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def reachability_data(releases: Sequence[ReleaseAnswers]) -> dict[str, Any]:
    """Every release by branch with the answers of its places, and the places without an answer."""
    return {
        "schema": SCHEMA,
        "branches": [_branch_data(branch) for branch in group_branches(releases)],
        "unanswering": [
            {"place": place.name, "reason": place.reason, "releases": list(place.releases)}
            for place in list_unanswering(releases)
        ],
    }


def _branch_data(branch: Branch) -> dict[str, Any]:
    return {
        "product": branch.product,
        "branch": branch.name,
        "releases": [_release_data(each) for each in branch.releases],
    }


def _release_data(each: ReleaseAnswers) -> dict[str, Any]:
    return {
        "id": each.release.id,
        "available": each.available,
        "cached": each.cached,
        "place": name_place(each.source) if each.source else None,
        "answers": [_answer_data(answer) for answer in each.answers],
    }


def _answer_data(answer: PlaceAnswer) -> dict[str, Any]:
    return {
        "place": name_place(answer.source),
        "url": answer.source.url or None,
        "state": answer.state.value,
        "reason": answer.reason or None,
    }
