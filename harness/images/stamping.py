"""The labels that an image gets when it is made: what only then is known of where it comes from.

They are the image contract's (docs/image-contract.md) and the Open Container Initiative's. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from harness.catalog.releases import Source, SourceKind
from harness.images import labels as names
from harness.images.image import Image
from harness.images.recipes import Recipe
from harness.sources.archives import Archive


def stamp(
    recipe: Recipe,
    content_hash: str,
    parents: Mapping[str, Image],
    archives: Mapping[str, Archive],
    made: datetime,
) -> dict[str, str]:
    """All labels of a recipe's image but those that it inherits; ``made`` is when its build began.

    What image of a registry it stands on is inherited from the base image, the only one that is
    made from such an image (``harness.images.base``).
    """
    return {
        names.OCI_TITLE: recipe.name,
        names.OCI_CREATED: made.isoformat(timespec="seconds"),
        **_sources(recipe, archives),
        **_linked(parents),
        **recipe.labels,
        names.RECIPE: content_hash,
    }


def _sources(recipe: Recipe, archives: Mapping[str, Archive]) -> dict[str, str]:
    found = {}
    for name, archive in archives.items():
        source = archive.source
        release = recipe.sources[name].id
        found[names.SOURCE] = f"{release} sha256:{source.sha256} {_vouched(source)}"
    return found


def _vouched(source: Source) -> str:
    """How far the hash can be believed.

    It stands for the bytes, which a cached archive may have from any place. But what npm packs has
    the release among other things, as somebody else keeps it, so that is named.
    """
    if source.kind is SourceKind.LOCAL:
        return f"unverified, {source}"
    place = f", {source}" if source.kind is SourceKind.NPM else ""
    return f"corroborated:{source.corroborated}{place}"


def _linked(parents: Mapping[str, Image]) -> dict[str, str]:
    """Where the OpenSSL comes from that is linked: its source, or Debian's packages."""
    if "OPENSSL" not in parents:
        return {}
    of = parents["OPENSSL"].labels
    where = of.get(names.SOURCE) or of.get(names.PACKAGES) or ""
    return {names.OPENSSL_SOURCE: where} if where else {}
