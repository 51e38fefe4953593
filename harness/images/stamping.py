"""The labels that an image gets when it is made: what only then is known of where it comes from.

They are the image contract's (docs/image-contract.md) and the Open Container Initiative's. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from harness.catalog.releases import SourceKind
from harness.images import labels as names
from harness.images.image import Image
from harness.images.recipes import Recipe
from harness.images.sources import Archive

#: Build arguments whose image the final stage starts from.
_BASES = ("BASE", "POSTFIX")


def stamp(
    recipe: Recipe,
    content_hash: str,
    parents: Mapping[str, Image],
    archives: Mapping[str, Archive],
    made: datetime,
) -> dict[str, str]:
    """All labels of a recipe's image; ``made`` is when its build began."""
    return {
        names.OCI_TITLE: recipe.name,
        names.OCI_CREATED: made.isoformat(timespec="seconds"),
        **_base(parents),
        **_sources(recipe, archives),
        **_linked(parents),
        **recipe.labels,
        names.RECIPE: content_hash,
    }


def _base(parents: Mapping[str, Image]) -> dict[str, str]:
    for arg in _BASES:
        if arg in parents:
            base = parents[arg]
            return {names.OCI_BASE_NAME: base.reference, names.OCI_BASE_DIGEST: base.id}
    return {}


def _sources(recipe: Recipe, archives: Mapping[str, Archive]) -> dict[str, str]:
    """The hash, not the place: a cached archive may be from any that gives these bytes."""
    found = {}
    for name, archive in archives.items():
        source = archive.source
        vouched = (
            f"unverified, {source}"
            if source.kind is SourceKind.LOCAL
            else f"corroborated:{source.corroborated}"
        )
        found[names.SOURCE] = f"{recipe.sources[name].id} sha256:{source.sha256} {vouched}"
    return found


def _linked(parents: Mapping[str, Image]) -> dict[str, str]:
    """Where the OpenSSL comes from that is linked: its source, or Debian's packages."""
    if "OPENSSL" not in parents:
        return {}
    of = parents["OPENSSL"].labels
    where = of.get(names.SOURCE) or of.get(names.PACKAGES) or ""
    return {names.OPENSSL_SOURCE: where} if where else {}
