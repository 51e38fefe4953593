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
from harness.images.recipes import build_recipe
from harness.images.refusals import Refusals


@dataclass(frozen=True, slots=True)
class ImageState:
    """The state of an image; "" and 0 for what is not known. ``size`` is in bytes."""

    name: str
    reference: str
    state: str
    postfix: str = ""
    openssl: str = ""
    size: int = 0
    made: str = ""


def list_states(
    orders: Iterable[Orderable], existing: Iterable[TaggedImage], refusals: Refusals, images: Path
) -> list[ImageState]:
    """The state of each order's image; ``images`` is the folder of the recipes."""
    by_tag = {image.reference: image for image in existing}
    return [_describe_state(order, by_tag, refusals, images) for order in orders]


def _describe_state(
    order: Orderable, by_tag: dict[str, TaggedImage], refusals: Refusals, images: Path
) -> ImageState:
    name = order_name(order)
    reference = (build_recipe(order) if isinstance(order, Build) else order).tag(images)
    image = by_tag.get(reference)
    if image is None:
        refusal = refusals.recall(name, reference, None)
        state = f"does not build: {refusal.reason}" if refusal else "not built"
        versions = _expected_versions(order)
        return ImageState(name, reference, state, *versions)
    state = "there, unverified source" if names.UNVERIFIED in image.labels else "there"
    return ImageState(
        name,
        reference,
        state,
        image.labels.get(names.POSTFIX, ""),
        _openssl_of(image.labels),
        image.size,
        image.labels.get(names.OCI_CREATED, ""),
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
