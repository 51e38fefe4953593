"""Recipes: everything that an image is made from, and the tag that follows from it. Pure.

A recipe's tag is a hash of its content: Dockerfile, files, arguments, labels, the checksums of its
sources, and the same of its parents. Whatever changes one of them changes the tag, so an image
that is there under its tag is the right one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from harness.catalog import clients
from harness.catalog.builds import Build, base_suite
from harness.catalog.clients import Client, Control
from harness.catalog.releases import Release, needs, release
from harness.errors import UsageError
from harness.images import labels as names
from harness.images.context import context_files, digest

REPOSITORY = "postfix-matrix"

#: Raised when the way a recipe becomes an image changes, which its own content does not show.
_GENERATION = 1


class Kind(StrEnum):
    """What an image is for. A DISTRIBUTION's and a SOURCE image is a build under test."""

    BASE = "base"
    PART = "part"
    DISTRIBUTION = "distribution"
    SOURCE = "source"
    CONTROL = "control"
    CLIENT = "client"
    SASL = "sasl"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image is made from.

    ``folder`` is below the project's ``images/``, and so are the folders of ``extra`` (by the
    prefix that their files get in the context). ``parents`` are the images that the Dockerfile
    starts or copies from, by the name of the build argument that takes their reference.
    ``sources`` are the releases whose archive the context needs, by file name; the argument SUBDIR,
    the root inside the archive, belongs to the source that is reached, so the builder adds it.
    """

    name: str
    kind: Kind
    folder: str
    args: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, Recipe] = field(default_factory=dict)
    sources: Mapping[str, Release] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_build(self) -> bool:
        """Whether it is a build under test, whose versions are read back before it is believed."""
        return self.kind in (Kind.DISTRIBUTION, Kind.SOURCE)

    @property
    def compiles(self) -> bool:
        """Whether it is compiled, which keeps the processors busy for minutes."""
        return bool(self.sources)

    @property
    def is_heavy(self) -> bool:
        """Whether making it keeps the processors busy, rather than the network."""
        return self.compiles or self.kind is Kind.BASE

    def content_hash(self, images: Path) -> str:
        """The hash of all that the image is made from, in hex; ``images`` is the images folder.

        Raises:
            InfrastructureError: a folder of the recipe is missing.
        """
        content = {
            "generation": _GENERATION,
            "name": self.name,
            "kind": self.kind,
            "args": dict(self.args),
            "labels": dict(self.labels),
            "parents": {arg: one.content_hash(images) for arg, one in self.parents.items()},
            "sources": {name: _source_hashes(one) for name, one in self.sources.items()},
            "files": [
                [one.name, one.mode, digest(one.path)]
                for one in context_files(images / self.folder, self.extra_folders(images))
            ],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def extra_folders(self, images: Path) -> dict[str, Path]:
        """The extra folders where they lie, by prefix."""
        return {prefix: images / folder for prefix, folder in self.extra.items()}

    def tag(self, images: Path) -> str:
        """``postfix-matrix/debian-12:0123456789ab``."""
        return f"{REPOSITORY}/{safe_name(self.name)}:{self.content_hash(images)[:12]}"


def safe_name(name: str) -> str:
    """The name as a repository's may be: lower case, runs of anything else as one separator."""
    return (
        re.sub(r"[^a-z0-9]+", lambda run: "." if run[0] == "." else "-", name.lower())
        .strip("-.")
        .strip("-.")
    )


def base_recipe(suite: str) -> Recipe:
    """A Debian suite. Its argument ORIGIN is whatever image of the suite can be had (base.py)."""
    return Recipe(f"base-{suite}", Kind.BASE, "base", args={"SUITE": suite})


def toolchain_recipe(suite: str) -> Recipe:
    """Compilers and headers on a suite."""
    return Recipe(
        f"toolchain-{suite}", Kind.PART, "toolchain", parents={"BASE": base_recipe(suite)}
    )


def openssl_recipe(version: str, flavour: str, suite: str) -> Recipe:
    """An OpenSSL built from source, as files under /opt/openssl-VERSION and nothing else."""
    return Recipe(
        f"openssl-{version}-{flavour}",
        Kind.PART,
        "openssl",
        args={"VERSION": version, "FLAVOUR": flavour, "CONFIGURE": ""},
        parents={"TOOLCHAIN": toolchain_recipe(suite)},
        sources={"source.tar.gz": release("openssl", version)},
        labels={names.OPENSSL: version},
    )


def build_recipe(build: Build) -> Recipe:
    """A build under test."""
    if build.kind == "distribution":
        return _distribution_recipe(build)
    return _pair_recipe(build)


def client_recipe(client: Client) -> Recipe:
    """A client's image."""
    args: dict[str, str] = {}
    parents = {"BASE": base_recipe(client.suite)}
    if client.openssl:
        args["OPENSSL_VERSION"] = client.openssl
        parents["OPENSSL"] = openssl_recipe(client.openssl, client.flavour, base_suite())
    return Recipe(
        f"client-{client.name}",
        Kind.CLIENT,
        client.recipe,
        args=args,
        parents=parents,
        extra={Path(folder).name: folder for folder in client.common},
        labels={names.KIND: Kind.CLIENT},
    )


def control_recipe(name: str) -> Recipe:
    """A control server's image, by the control's name.

    Raises:
        UsageError: no such control.
    """
    control = clients.control(name)
    plain = build_recipe(Build.parse(control.build))
    common = {names.KIND: str(Kind.CONTROL), names.BUILD: control.name}
    if not (control.openssl and control.stunnel):
        return Recipe(name, Kind.CONTROL, control.recipe, parents={"POSTFIX": plain}, labels=common)
    return _fronted_recipe(control, plain, common, control.openssl, control.stunnel)


def sasl_recipe() -> Recipe:
    """The authentication service that submission asks."""
    return Recipe(
        "sasl",
        Kind.SASL,
        "sasl",
        parents={"BASE": base_recipe(base_suite())},
        labels={names.KIND: Kind.SASL},
    )


def _distribution_recipe(build: Build) -> Recipe:
    return Recipe(
        build.id,
        Kind.DISTRIBUTION,
        "distro",
        parents={"BASE": base_recipe(build.suite)},
        labels=_build_labels(build, "the distribution's own packages"),
    )


def _pair_recipe(build: Build) -> Recipe:
    if build.postfix is None or build.openssl is None:
        raise UsageError(f"build {build.id} is from source and names no versions")
    found = needs("postfix", build.postfix)
    ccargs = " ".join(word for need in found for word in need.ccargs)
    uname26 = "yes" if any(need.uname26 for need in found) else "no"
    how = f"from source; CCARGS_EXTRA='{ccargs}' UNAME26={uname26}; OpenSSL stock, by rpath"
    versions = {names.POSTFIX: build.postfix, names.OPENSSL: build.openssl}
    return Recipe(
        build.id,
        Kind.SOURCE,
        "postfix",
        args={
            "POSTFIX_VERSION": build.postfix,
            "OPENSSL_VERSION": build.openssl,
            "CCARGS_EXTRA": ccargs,
            "UNAME26": uname26,
        },
        parents={
            "TOOLCHAIN": toolchain_recipe(build.suite),
            "BASE": base_recipe(build.suite),
            "OPENSSL": openssl_recipe(build.openssl, "stock", build.suite),
        },
        sources={"source.tar.gz": release("postfix", build.postfix)},
        labels={**_build_labels(build, how), **versions},
    )


def _fronted_recipe(
    control: Control, plain: Recipe, labels: Mapping[str, str], openssl: str, stunnel: str
) -> Recipe:
    """A control server whose front is an stunnel built on an OpenSSL of ours."""
    front = f"stunnel {stunnel} with OpenSSL {openssl} ({control.flavour})"
    return Recipe(
        control.name,
        Kind.CONTROL,
        control.recipe,
        args={"OPENSSL_VERSION": openssl},
        parents={
            "POSTFIX": plain,
            "TOOLCHAIN": toolchain_recipe(base_suite()),
            "OPENSSL": openssl_recipe(openssl, control.flavour, base_suite()),
        },
        sources={"source.tar.gz": release("stunnel", stunnel)},
        labels={**labels, names.FRONT: front},
    )


def _build_labels(build: Build, how: str) -> dict[str, str]:
    return {
        names.CONTRACT: names.CONTRACT_VERSION,
        names.KIND: "build",
        names.BUILD: build.id,
        names.HOW: how,
    }


def _source_hashes(one: Release) -> list[list[str]]:
    """All archives that may be built from: each is pinned, and each holds the same release."""
    return [[one.id], sorted({source.sha256 for source in one.sources})]
