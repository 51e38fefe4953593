"""The states of the images that can be built. The caller reads the images from the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.catalog.builds import STOCK, Build
from harness.images import labels as names
from harness.images.batch_build import (
    Orderable,
    order_name,
)
from harness.images.pruning import TaggedImage
from harness.images.pulled_images import PulledRecords
from harness.images.recipes import build_recipe
from harness.images.refusals import Refusals


@dataclass(frozen=True, slots=True)
class ImageState:
    """The state of an image; "" and 0 for what is not known. ``size`` is in bytes.

    ``pulled`` is the registry's name for an image that was built elsewhere.
    """

    name: str
    reference: str
    state: str
    postfix: str = ""
    openssl: str = ""
    size: int = 0
    made: str = ""
    pulled: str = ""


def list_states(
    orders: Iterable[Orderable],
    existing: Iterable[TaggedImage],
    refusals: Refusals,
    records: PulledRecords,
    images: Path,
) -> list[ImageState]:
    """The state of each order's image; ``images`` is the folder of the recipes."""
    by_tag = {image.reference: image for image in existing}
    return [_describe_state(order, by_tag, refusals, records, images) for order in orders]


def _describe_state(
    order: Orderable,
    by_tag: dict[str, TaggedImage],
    refusals: Refusals,
    records: PulledRecords,
    images: Path,
) -> ImageState:
    name = order_name(order)
    reference = (build_recipe(order) if isinstance(order, Build) else order).tag(images)
    image = by_tag.get(reference)
    if image is None:
        refusal = refusals.recall(name, reference, None)
        state = f"does not build: {refusal.reason}" if refusal else "not built"
        versions = _expected_versions(order)
        return ImageState(name, reference, state, *versions)
    pulled = records.recall(image.id)
    state = "there, unverified source" if names.UNVERIFIED in image.labels else "there"
    if pulled:
        state = "there, pulled"
    return ImageState(
        name,
        reference,
        state,
        image.labels.get(names.POSTFIX, ""),
        _openssl_of(image.labels),
        image.size,
        image.labels.get(names.OCI_CREATED, ""),
        pulled,
    )


def _openssl_of(labels: Mapping[str, str]) -> str:
    """The OpenSSL as in a pair's id: with its flavour, if that is not stock."""
    flavour = labels.get(names.FLAVOUR, STOCK)
    version = labels.get(names.OPENSSL, "")
    return version if flavour == STOCK else f"{version}-{flavour}"


def _expected_versions(order: Orderable) -> tuple[str, str]:
    """The versions that the image would have, of Postfix and of OpenSSL."""
    if isinstance(order, Build):
        return (order.postfix.version if order.postfix else "", str(order.openssl or ""))
    return "", order.labels.get(names.OPENSSL, "")
