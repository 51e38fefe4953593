"""A recipe: everything that an image is made from, and the tag that follows from it.

A recipe's tag is a hash of its content: Dockerfile, files, arguments, labels, the checksums of its
sources, and the same of its parents. A change of any of these changes the tag, so an image that
exists under its tag is the right one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from harness.catalog.package_files import PackageFile
from harness.catalog.releases import Release
from harness.files import file_digest
from harness.images.context import context_files

REPOSITORY = "postfix-matrix"

#: The folder of the lock files in a context.
_LOCK = "lock"

#: Increased when the way of building changes, which the content of a recipe does not show.
_GENERATION = 3

#: The same for a base that is made from package files.
_ASSEMBLY = 1


class RecipeKind(StrEnum):
    """The purpose of an image. Images of DISTRIBUTION and SOURCE are builds under test."""

    BASE = "base"
    PART = "part"
    DISTRIBUTION = "distribution"
    SOURCE = "source"
    CONTROL = "control"
    CLIENT = "client"
    SASL = "sasl"
    DNS = "dns"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image is made from.

    ``folder`` is below the project's ``images/``, and so are the folders of ``extra`` (by the
    prefix of their files in the context). ``parents`` are the images that the Dockerfile starts or
    copies from, by the name of the build argument for their reference.
    ``sources`` are the releases whose archive the context needs, by file name; the argument SUBDIR,
    the root inside the archive, belongs to the source that is reached, so the builder adds it.
    ``lock`` is a folder below ``images/`` with lock files of registries' packages, which go into
    the context as archives (``registries.py``). ``packages`` are the files that a base is made from
    (``package_base.py``), if it is not made from a suite's index.
    """

    name: str
    kind: RecipeKind
    folder: str
    args: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, Recipe] = field(default_factory=dict)
    sources: Mapping[str, Release] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    lock: str | None = None
    packages: tuple[PackageFile, ...] = ()

    @property
    def is_build(self) -> bool:
        """Whether it is a build under test, whose versions are read back before it is tagged."""
        return self.kind in (RecipeKind.DISTRIBUTION, RecipeKind.SOURCE)

    @property
    def compiles(self) -> bool:
        """Whether building it compiles, which keeps the processors busy for minutes."""
        return bool(self.sources)

    @property
    def is_heavy(self) -> bool:
        """Whether building it keeps the processors busy, rather than the network."""
        return self.compiles or self.kind is RecipeKind.BASE

    def content_hash(self, images: Path) -> str:
        """The hash of everything the image is made from, in hex; ``images`` is the images folder.

        Raises:
            InfrastructureError: a folder of the recipe is missing.
        """
        content = {
            "generation": _GENERATION,
            "name": self.name,
            "kind": self.kind,
            "args": dict(self.args),
            "labels": dict(self.labels),
            "parents": {arg: parent.content_hash(images) for arg, parent in self.parents.items()},
            "sources": {name: _source_hashes(source) for name, source in self.sources.items()},
            "files": [
                [file.name, file.mode, file_digest(file.path)]
                for file in context_files(images / self.folder, self.extra_folders(images))
            ],
            **self._packages_content(),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _packages_content(self) -> dict[str, object]:
        """What the hash has of package files: nothing without any, so that other tags stay."""
        if not self.packages:
            return {}
        files = sorted([file.path, file.sha256] for file in self.packages)
        return {"packages": files, "assembly": _ASSEMBLY}

    def extra_folders(self, images: Path) -> dict[str, Path]:
        """The paths of the extra folders, by prefix."""
        folders = {**self.extra, **({_LOCK: self.lock} if self.lock else {})}
        return {prefix: images / folder for prefix, folder in folders.items()}

    def tag(self, images: Path) -> str:
        """``postfix-matrix/debian-12:0123456789ab``."""
        return f"{REPOSITORY}/{safe_name(self.name)}:{self.content_hash(images)[:12]}"


def safe_name(name: str) -> str:
    """The name as a repository name: lower case, other characters replaced by separators."""
    return (
        re.sub(r"[^a-z0-9]+", lambda run: "." if run[0] == "." else "-", name.lower())
        .strip("-.")
        .strip("-.")
    )


def _source_hashes(source_release: Release) -> list[list[str]]:
    """The hashes of all archives of the release: each is pinned, and any of them may be used."""
    return [[source_release.id], sorted({source.sha256 for source in source_release.sources})]
