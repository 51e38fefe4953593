"""Recipes: everything that an image is made from, and the tag that follows from it. Pure.

A recipe's tag is a hash of its content: Dockerfile, files, arguments, labels, the checksums of its
sources, and the same of its parents. Whatever changes one of them changes the tag, so an image
that is there under its tag is the right one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from harness.catalog import clients
from harness.catalog.builds import LEGACY, STOCK, Build, OpenSSL, base_suite, openssl
from harness.catalog.clients import Client, Control
from harness.catalog.releases import Package, Release, release
from harness.catalog.rules import needs
from harness.errors import UsageError
from harness.files import digest
from harness.images import labels as names
from harness.images.context import context_files

REPOSITORY = "postfix-matrix"

#: The release's archive in the build context; tar(1) finds out how it is compressed.
SOURCE_FILE = "source.tar"

#: Where a context has a lock's files.
_LOCK = "lock"

#: Raised when the way a recipe becomes an image changes, which its own content does not show.
_GENERATION = 3


class RecipeKind(StrEnum):
    """What an image is for. A DISTRIBUTION's and a SOURCE image is a build under test."""

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
    prefix that their files get in the context). ``parents`` are the images that the Dockerfile
    starts or copies from, by the name of the build argument that takes their reference.
    ``sources`` are the releases whose archive the context needs, by file name; the argument SUBDIR,
    the root inside the archive, belongs to the source that is reached, so the builder adds it.
    ``lock`` is a folder below ``images/`` with lock files of registries' packages, which go into
    the context as archives (``registries.py``).
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

    @property
    def is_build(self) -> bool:
        """Whether it is a build under test, whose versions are read back before it is believed."""
        return self.kind in (RecipeKind.DISTRIBUTION, RecipeKind.SOURCE)

    @property
    def compiles(self) -> bool:
        """Whether it is compiled, which keeps the processors busy for minutes."""
        return bool(self.sources)

    @property
    def is_heavy(self) -> bool:
        """Whether making it keeps the processors busy, rather than the network."""
        return self.compiles or self.kind is RecipeKind.BASE

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
        folders = {**self.extra, **({_LOCK: self.lock} if self.lock else {})}
        return {prefix: images / folder for prefix, folder in folders.items()}

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
    return Recipe(f"base-{suite}", RecipeKind.BASE, "base", args={"SUITE": suite})


def toolchain_recipe(suite: str) -> Recipe:
    """Compilers and headers on a suite."""
    return Recipe(
        f"toolchain-{suite}", RecipeKind.PART, "toolchain", parents={"BASE": base_recipe(suite)}
    )


def openssl_recipe(one: OpenSSL) -> Recipe:
    """An OpenSSL as files under /opt/openssl-VERSION, and what Debian's own reads elsewhere."""
    if isinstance(one.of, Package):
        return _packaged_recipe(one.of)
    flavour = effective_flavour(one)
    found = needs("openssl", one.version, flavour)
    return Recipe(
        f"openssl-{one.version}-{flavour}",
        RecipeKind.PART,
        "openssl",
        args={
            "VERSION": one.version,
            "CONFIGURE": _words(need.configure for need in found),
            "SWITCHES": _words(need.switches for need in found),
        },
        parents={"TOOLCHAIN": toolchain_recipe(base_suite())},
        sources={SOURCE_FILE: one.of},
        labels={names.OPENSSL: one.version, names.KIND: RecipeKind.PART, **_vouched(one.of)},
    )


def effective_flavour(one: OpenSSL) -> str:
    """The flavour that it comes to: where nothing was left out to bring back, legacy is stock."""
    if one.flavour != LEGACY:
        return one.flavour
    extra = needs("openssl", one.version, LEGACY) != needs("openssl", one.version)
    return LEGACY if extra else STOCK


def build_recipe(build: Build) -> Recipe:
    """A build under test.

    Raises:
        UsageError: it is an image of the user's, which is made from nothing here.
    """
    if build.kind == "distribution":
        return _distribution_recipe(build)
    return _pair_recipe(build)


def client_recipe(client: Client) -> Recipe:
    """A client's image."""
    args = dict(client.args)
    parents = {"BASE": base_recipe(client.suite)}
    if client.build:
        parents["POSTFIX"] = build_recipe(Build.parse(client.build))
    if client.openssl:
        args["OPENSSL_VERSION"] = client.openssl
        parents["OPENSSL"] = openssl_recipe(_flavoured(client.openssl, client.flavour))
    return Recipe(
        f"client-{client.name}",
        RecipeKind.CLIENT,
        client.recipe,
        args=args,
        parents=parents,
        extra={Path(folder).name: folder for folder in client.common},
        labels={names.KIND: RecipeKind.CLIENT},
        lock=client.lock,
    )


def control_recipe(name: str) -> Recipe:
    """A control server's image, by the control's name.

    Raises:
        UsageError: no such control.
    """
    control = clients.control(name)
    plain = build_recipe(Build.parse(control.build))
    common = {names.KIND: str(RecipeKind.CONTROL), names.BUILD: control.name}
    if not (control.openssl and control.stunnel):
        return Recipe(
            name, RecipeKind.CONTROL, control.recipe, parents={"POSTFIX": plain}, labels=common
        )
    return _fronted_recipe(control, plain, common, control.openssl, control.stunnel)


def sasl_recipe() -> Recipe:
    """The authentication service that submission asks."""
    return Recipe(
        "sasl",
        RecipeKind.SASL,
        "sasl",
        parents={"BASE": base_recipe(base_suite())},
        labels={names.KIND: RecipeKind.SASL},
    )


def dns_recipe() -> Recipe:
    """The run's name server, and that of outbound cells."""
    return Recipe(
        "dns",
        RecipeKind.DNS,
        "dns",
        parents={"BASE": base_recipe(base_suite())},
        labels={names.KIND: RecipeKind.DNS},
    )


def proxy_recipe() -> Recipe:
    """The HAProxy of services that expect its protocol."""
    return Recipe(
        "haproxy",
        RecipeKind.PROXY,
        "haproxy",
        parents={"BASE": base_recipe(base_suite())},
        labels={names.KIND: RecipeKind.PROXY},
    )


def _distribution_recipe(build: Build) -> Recipe:
    return Recipe(
        build.id,
        RecipeKind.DISTRIBUTION,
        "distro",
        parents={"BASE": base_recipe(build.suite)},
        labels=_build_labels(build, "the distribution's own packages"),
    )


def _pair_recipe(build: Build) -> Recipe:
    if build.postfix is None or build.openssl is None:
        raise UsageError(f"build {build.id} is not made from source")
    version, linked = build.postfix.version, build.openssl
    flavour = effective_flavour(linked)
    how = f"from source; OpenSSL {flavour}, found by rpath"
    args = _postfix_args(version)
    flags = " ".join(f"{name}='{words}'" for name, words in args.items() if words)
    return Recipe(
        build.id,
        RecipeKind.SOURCE,
        "postfix/pair",
        args={**args, "OPENSSL_VERSION": linked.version},
        parents={
            "TOOLCHAIN": toolchain_recipe(build.suite),
            "BASE": base_recipe(build.suite),
            # The source of each is asked for before anything is compiled.
            "OPENSSL": openssl_recipe(linked),
            "OBJECTS": _objects_recipe(build.postfix, build.suite),
        },
        sources={SOURCE_FILE: build.postfix},
        extra={"common": "postfix/common"},
        labels={
            **_build_labels(build, f"{how}; {flags}"),
            names.POSTFIX: version,
            names.OPENSSL: linked.version,
            names.FLAVOUR: flavour,
            names.OCI_VERSION: f"{version}+{linked}",
            **({names.UNVERIFIED: "yes"} if build.unverified else {}),
        },
    )


def _objects_recipe(one: Release, suite: str) -> Recipe:
    """What of a Postfix does not depend on OpenSSL, compiled once for all its pairs on a suite."""
    return Recipe(
        f"{one.id}-objects-{suite}",
        RecipeKind.PART,
        "postfix/objects",
        args=_postfix_args(one.version),
        parents={"TOOLCHAIN": toolchain_recipe(suite)},
        sources={SOURCE_FILE: one},
        extra={"common": "postfix/common"},
        labels={names.KIND: RecipeKind.PART, **_vouched(one)},
    )


def _vouched(one: Release) -> dict[str, str]:
    """The mark of a source of the user's own; with it, the same bytes make another image."""
    return {names.UNVERIFIED: "yes"} if one.unverified else {}


def _postfix_args(version: str) -> dict[str, str]:
    found = needs("postfix", version)
    return {
        "POSTFIX_VERSION": version,
        "CCARGS_EXTRA": _words(need.ccargs for need in found),
        "AUXLIBS_EXTRA": _words(need.auxlibs for need in found),
        "SWITCHES": _words(need.switches for need in found),
    }


def _packaged_recipe(one: Package) -> Recipe:
    return Recipe(
        one.id,
        RecipeKind.PART,
        "openssl-debian",
        args={"VERSION": one.version, "PACKAGE": one.package, "SUITE": one.suite},
        parents={"BASE": base_recipe(one.base)},
        labels={
            names.OPENSSL: one.version,
            names.KIND: RecipeKind.PART,
            names.PACKAGES: f"openssl {one.package} of Debian {one.suite}",
        },
    )


def _flavoured(version: str, flavour: str) -> OpenSSL:
    return openssl(version if flavour == STOCK else f"{version}-{flavour}")


def _words(groups: Iterable[tuple[str, ...]]) -> str:
    return " ".join(word for group in groups for word in group)


def _fronted_recipe(
    control: Control, plain: Recipe, labels: Mapping[str, str], version: str, stunnel: str
) -> Recipe:
    """A control server whose front is an stunnel built on an OpenSSL of ours."""
    front = f"stunnel {stunnel} with OpenSSL {version} ({control.flavour})"
    return Recipe(
        control.name,
        RecipeKind.CONTROL,
        control.recipe,
        args={"OPENSSL_VERSION": version},
        parents={
            "POSTFIX": plain,
            "TOOLCHAIN": toolchain_recipe(base_suite()),
            "OPENSSL": openssl_recipe(_flavoured(version, control.flavour)),
        },
        sources={SOURCE_FILE: release("stunnel", stunnel)},
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
