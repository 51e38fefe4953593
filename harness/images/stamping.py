"""The labels that an image gets when it is built: they state its origin, which is known only then.

They are the image contract's (docs/image-contract.md) and the Open Container Initiative's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from harness.catalog.releases import Source, SourceKind
from harness.images import labels as names
from harness.images.image import Image
from harness.images.recipe import Recipe
from harness.sources.archives import Archive


def make_labels(
    recipe: Recipe,
    content_hash: str,
    parents: Mapping[str, Image],
    archives: Mapping[str, Archive],
    started: datetime,
) -> dict[str, str]:
    """All labels of a recipe's image except the inherited ones; its build began at ``started``.

    The registry's image at its base is named by labels that it inherits from the base image, the
    only one that is made from such an image (``harness.images.base``).
    """
    return {
        names.OCI_TITLE: recipe.name,
        names.OCI_CREATED: started.isoformat(timespec="seconds"),
        **_source_labels(recipe, archives),
        **_openssl_labels(parents),
        **recipe.labels,
        names.RECIPE: content_hash,
    }


def _source_labels(recipe: Recipe, archives: Mapping[str, Archive]) -> dict[str, str]:
    labels = {}
    for name, archive in archives.items():
        source = archive.source
        release = recipe.sources[name].id
        # The label SOURCE is for Postfix's, where both have one; here Postfix is a package.
        label = names.OPENSSL_SOURCE if names.REPLACES in recipe.labels else names.SOURCE
        labels[label] = f"{release} sha256:{source.sha256} {_describe_source(source)}"
    return labels


def _describe_source(source: Source) -> str:
    """How well the hash is corroborated.

    The hash stands for the bytes, which a cached archive may have from any place. But an npm
    package contains the release among other files, repackaged by a third party, so it is named.
    """
    if source.kind is SourceKind.LOCAL:
        return f"unverified, {source}"
    place = f", {source}" if source.kind is SourceKind.NPM else ""
    return f"corroborated:{source.corroborated}{place}"


def _openssl_labels(parents: Mapping[str, Image]) -> dict[str, str]:
    """The label with the origin of the linked OpenSSL: its source, or Debian's packages."""
    if "OPENSSL" not in parents:
        return {}
    labels = parents["OPENSSL"].labels
    origin = labels.get(names.SOURCE) or labels.get(names.PACKAGES) or ""
    return {names.OPENSSL_SOURCE: origin} if origin else {}
