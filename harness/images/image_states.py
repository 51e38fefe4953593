"""Which of the images that can be built are there. Pure: the engine is asked by the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.catalog.builds import STOCK, Build
from harness.images import labels as names
from harness.images.batch_build import (
    Orderable,
    name_of,
)
from harness.images.pruning import Found
from harness.images.recipes import build_recipe
from harness.images.refusals import Refusals


@dataclass(frozen=True, slots=True)
class ImageState:
    """One image: what is known of it; "" and 0 where nothing is. ``size`` is in bytes."""

    name: str
    reference: str
    state: str
    postfix: str = ""
    openssl: str = ""
    size: int = 0
    made: str = ""


def survey(
    wanted: Iterable[Orderable], there: Iterable[Found], refusals: Refusals, images: Path
) -> list[ImageState]:
    """An entry for each; ``images`` is the folder of the recipes."""
    by_tag = {one.reference: one for one in there}
    return [_entry(one, by_tag, refusals, images) for one in wanted]


def _entry(
    one: Orderable, by_tag: dict[str, Found], refusals: Refusals, images: Path
) -> ImageState:
    name = name_of(one)
    reference = (build_recipe(one) if isinstance(one, Build) else one).tag(images)
    found = by_tag.get(reference)
    if found is None:
        refusal = refusals.recall(name, reference, None)
        state = f"does not build: {refusal.reason}" if refusal else "not built"
        versions = _intended(one)
        return ImageState(name, reference, state, *versions)
    state = "there, unverified source" if names.UNVERIFIED in found.labels else "there"
    return ImageState(
        name,
        reference,
        state,
        found.labels.get(names.POSTFIX, ""),
        _linked(found.labels),
        found.size,
        found.labels.get(names.OCI_CREATED, ""),
    )


def _linked(labels: Mapping[str, str]) -> str:
    """The OpenSSL as it stands in a pair's id: with its flavour, if it is not upstream's."""
    flavour = labels.get(names.FLAVOUR, STOCK)
    version = labels.get(names.OPENSSL, "")
    return version if flavour == STOCK else f"{version}-{flavour}"


def _intended(one: Orderable) -> tuple[str, str]:
    """The versions that it would have."""
    if isinstance(one, Build):
        return (one.postfix.version if one.postfix else "", str(one.openssl or ""))
    return "", one.labels.get(names.OPENSSL, "")
