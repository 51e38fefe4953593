"""The recipes of all images: bases, toolchains, OpenSSLs, builds, clients, controls, helpers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.catalog import clients
from harness.catalog.builds import (
    LEGACY,
    STOCK,
    Build,
    OpenSSL,
    PackageFormat,
    base_suite,
    find_by_suite,
    find_openssl,
)
from harness.catalog.clients import Client, Control
from harness.catalog.package_files import package_files_in, package_files_of
from harness.catalog.releases import Package, Release, find_release
from harness.catalog.rules import find_needs
from harness.errors import UsageError
from harness.images import labels as names
from harness.images.recipe import Recipe, RecipeKind

#: The release's archive in the build context; tar(1) detects its compression.
SOURCE_FILE = "source.tar"

#: The folders of distributions' builds. The latter two share the first one's syslog daemon.
_DISTRIBUTION_FOLDERS = {
    PackageFormat.DEB: "distro",
    PackageFormat.RPM: "rpm",
    PackageFormat.APK: "alpine",
}

#: The folder that OpenSSL is built with where no need names another.
_OPENSSL_FOLDER = "openssl"


def base_recipe(suite: str, files: str = "") -> Recipe:
    """A distribution's suite. Its argument ORIGIN is added when it is built (base.py).

    ``files`` names further package files of a suite that is made from such files.
    """
    return Recipe(
        f"base-{files or suite}",
        RecipeKind.BASE,
        "base" if _package_format(suite) is PackageFormat.DEB else "registry-base",
        args={"SUITE": suite},
        packages=package_files_of(suite) + (package_files_in(files) if files else ()),
    )


def toolchain_recipe(suite: str) -> Recipe:
    """Compilers and headers on a suite; on one that is made from package files, those it has."""
    base = base_recipe(suite)
    return Recipe(
        f"toolchain-{suite}",
        RecipeKind.PART,
        "toolchain-packages" if base.packages else "toolchain",
        parents={"BASE": base},
        extra={"common": "toolchain"} if base.packages else {},
    )


def openssl_recipe(library: OpenSSL) -> Recipe:
    """An OpenSSL as files under /opt/openssl-VERSION, and files that Debian's reads elsewhere."""
    if isinstance(library.of, Package):
        return _packaged_recipe(library.of)
    flavour = effective_flavour(library)
    folder = _find_folder(library.version, flavour)
    return Recipe(
        f"openssl-{library.version}-{flavour}",
        RecipeKind.PART,
        folder,
        args=_openssl_args(library.version, flavour),
        parents={"TOOLCHAIN": toolchain_recipe(base_suite())},
        sources={SOURCE_FILE: library.of},
        extra={} if folder == _OPENSSL_FOLDER else {_OPENSSL_FOLDER: _OPENSSL_FOLDER},
        labels={
            names.OPENSSL: library.version,
            names.KIND: RecipeKind.PART,
            **_unverified_label(library.of),
        },
    )


def effective_flavour(library: OpenSSL) -> str:
    """The flavour that is built: legacy is the same as stock if stock leaves nothing out."""
    if library.flavour != LEGACY:
        return library.flavour
    extra = find_needs("openssl", library.version, LEGACY) != find_needs("openssl", library.version)
    return LEGACY if extra else STOCK


def build_recipe(build: Build) -> Recipe:
    """A build under test.

    Raises:
        UsageError: it is a user's image, which has no recipe.
    """
    if build.kind != "distribution":
        return _pair_recipe(build)
    if build.openssl:
        return _distribution_pair_recipe(build, build.openssl)
    return _distribution_recipe(build)


def client_recipe(client: Client) -> Recipe:
    """A client's image."""
    args = dict(client.args)
    parents = {"BASE": base_recipe(client.suite, client.files)}
    if client.brings_python:
        parents["PYTHON"] = _python_recipe()
    if client.fetches_files:
        parents["FETCHER"] = base_recipe(base_suite())
    if client.build:
        parents["POSTFIX"] = build_recipe(Build.parse(client.build))
    if client.openssl:
        args["OPENSSL_VERSION"] = client.openssl
        parents["OPENSSL"] = openssl_recipe(_find_flavour(client.openssl, client.flavour))
    return Recipe(
        f"client-{client.image_name}",
        RecipeKind.CLIENT,
        client.recipe,
        args=args,
        parents=parents,
        extra={Path(folder).name: folder for folder in client.common},
        labels={names.KIND: RecipeKind.CLIENT},
        lock=client.lock,
    )


def _python_recipe() -> Recipe:
    """The Python of drivers on suites whose own is too old."""
    return Recipe(
        "driver-python",
        RecipeKind.PART,
        "clients/python",
        parents={"BASE": base_recipe(base_suite())},
        labels={names.KIND: RecipeKind.PART},
    )


def control_recipe(name: str) -> Recipe:
    """A control server's image, by the control's name.

    Raises:
        UsageError: no such control.
    """
    control = clients.find_control(name)
    plain = build_recipe(Build.parse(control.build))
    common = {names.KIND: str(RecipeKind.CONTROL), names.BUILD: control.name}
    if not (control.openssl and control.stunnel):
        return Recipe(
            name, RecipeKind.CONTROL, control.recipe, parents={"POSTFIX": plain}, labels=common
        )
    return _fronted_recipe(control, plain, common, control.openssl, control.stunnel)


def sasl_recipe() -> Recipe:
    """The authentication service that submission uses."""
    return Recipe(
        "sasl",
        RecipeKind.SASL,
        "sasl",
        parents={"BASE": base_recipe(base_suite())},
        labels={names.KIND: RecipeKind.SASL},
    )


def dns_recipe() -> Recipe:
    """The name server of the run, and of outbound cells."""
    return Recipe(
        "dns",
        RecipeKind.DNS,
        "dns",
        parents={"BASE": base_recipe(base_suite())},
        labels={names.KIND: RecipeKind.DNS},
    )


def proxy_recipe() -> Recipe:
    """The HAProxy in front of services that expect the PROXY protocol."""
    return Recipe(
        "haproxy",
        RecipeKind.PROXY,
        "haproxy",
        parents={"BASE": base_recipe(base_suite())},
        labels={names.KIND: RecipeKind.PROXY},
    )


def _distribution_recipe(build: Build) -> Recipe:
    packages = _package_format(build.suite)
    how = "the distribution's own packages"
    shared = "distro"
    return Recipe(
        build.id,
        RecipeKind.DISTRIBUTION,
        _DISTRIBUTION_FOLDERS[packages],
        args={"POLICY": build.policy} if packages is PackageFormat.RPM else {},
        parents={"BASE": base_recipe(build.suite)},
        extra={} if packages is PackageFormat.DEB else {shared: shared},
        labels=_build_labels(
            build, f"{how}; crypto policy {build.policy}" if build.policy else how
        ),
    )


def _distribution_pair_recipe(build: Build, library: OpenSSL) -> Recipe:
    """A distribution's Postfix on another OpenSSL, compiled on the distribution's toolchain."""
    if isinstance(library.of, Package):
        raise UsageError(f"build {build.id}: {library.of.id} is not made from source")
    flavour = effective_flavour(library)
    folder = _find_folder(library.version, flavour)
    return Recipe(
        build.id,
        RecipeKind.DISTRIBUTION,
        "distro-openssl",
        args=_openssl_args(library.version, flavour),
        parents={
            "DISTRIBUTION": _distribution_recipe(Build.parse(build.distribution)),
            "TOOLCHAIN": toolchain_recipe(build.suite),
        },
        sources={SOURCE_FILE: library.of},
        extra={
            _OPENSSL_FOLDER: _OPENSSL_FOLDER,
            **({} if folder == _OPENSSL_FOLDER else {"adaptation": folder}),
        },
        labels={
            **_build_labels(
                build,
                f"the distribution's own packages; OpenSSL {flavour}, compiled on the "
                "distribution's toolchain, in the place of the package's",
            ),
            names.OPENSSL: library.version,
            names.FLAVOUR: flavour,
            names.REPLACES: "the distribution's OpenSSL",
            **_unverified_label(library.of),
        },
    )


def _package_format(suite: str) -> PackageFormat:
    """The format of a suite's packages; a suite that the catalog does not have is Debian's."""
    distribution = find_by_suite(suite)
    return distribution.package_format if distribution else PackageFormat.DEB


def _pair_recipe(build: Build) -> Recipe:
    if build.postfix is None or build.openssl is None:
        raise UsageError(f"build {build.id} is not made from source")
    version, linked = build.postfix.version, build.openssl
    flavour = effective_flavour(linked)
    how = f"from source; OpenSSL {flavour}, found by rpath"
    args = _postfix_args(version)
    flags = " ".join(f"{name}='{value}'" for name, value in args.items() if value)
    return Recipe(
        build.id,
        RecipeKind.SOURCE,
        "postfix/pair",
        args={**args, "OPENSSL_VERSION": linked.version},
        parents={
            "TOOLCHAIN": toolchain_recipe(build.suite),
            "BASE": base_recipe(build.suite),
            # The sources of both are fetched before anything is compiled.
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


def _objects_recipe(postfix: Release, suite: str) -> Recipe:
    """The objects of a Postfix without OpenSSL, compiled once for all its pairs on a suite."""
    return Recipe(
        f"{postfix.id}-objects-{suite}",
        RecipeKind.PART,
        "postfix/objects",
        args=_postfix_args(postfix.version),
        parents={"TOOLCHAIN": toolchain_recipe(suite)},
        sources={SOURCE_FILE: postfix},
        extra={"common": "postfix/common"},
        labels={names.KIND: RecipeKind.PART, **_unverified_label(postfix)},
    )


def _unverified_label(source_release: Release) -> dict[str, str]:
    """The label that marks a user's source; with it, the same bytes make another image."""
    return {names.UNVERIFIED: "yes"} if source_release.unverified else {}


def _postfix_args(version: str) -> dict[str, str]:
    requirements = find_needs("postfix", version)
    return {
        "POSTFIX_VERSION": version,
        "CCARGS_EXTRA": _join_options(need.ccargs for need in requirements),
        "AUXLIBS_EXTRA": _join_options(need.auxlibs for need in requirements),
        "SWITCHES": _join_options(need.switches for need in requirements),
    }


def _openssl_args(version: str, flavour: str) -> dict[str, str]:
    requirements = find_needs("openssl", version, flavour)
    return {
        "VERSION": version,
        "CONFIGURE": _join_options(need.configure for need in requirements),
        "SWITCHES": _join_options(need.switches for need in requirements),
    }


def _find_folder(version: str, flavour: str) -> str:
    """The folder of an OpenSSL's recipe, which is the usual one unless a need names another."""
    needs = find_needs("openssl", version, flavour)
    return next((need.folder for need in needs if need.folder), _OPENSSL_FOLDER)


def _packaged_recipe(package: Package) -> Recipe:
    return Recipe(
        package.id,
        RecipeKind.PART,
        "openssl-debian",
        args={"VERSION": package.version, "PACKAGE": package.package, "SUITE": package.suite},
        parents={"BASE": base_recipe(package.base)},
        labels={
            names.OPENSSL: package.version,
            names.KIND: RecipeKind.PART,
            names.PACKAGES: f"openssl {package.package} of Debian {package.suite}",
        },
    )


def _find_flavour(version: str, flavour: str) -> OpenSSL:
    return find_openssl(version if flavour == STOCK else f"{version}-{flavour}")


def _join_options(groups: Iterable[tuple[str, ...]]) -> str:
    return " ".join(option for group in groups for option in group)


def _fronted_recipe(
    control: Control, plain: Recipe, labels: Mapping[str, str], version: str, stunnel: str
) -> Recipe:
    """A control server behind an stunnel that is built with an OpenSSL of ours."""
    front = f"stunnel {stunnel} with OpenSSL {version} ({control.flavour})"
    return Recipe(
        control.name,
        RecipeKind.CONTROL,
        control.recipe,
        args={"OPENSSL_VERSION": version},
        parents={
            "POSTFIX": plain,
            "TOOLCHAIN": toolchain_recipe(base_suite()),
            "OPENSSL": openssl_recipe(_find_flavour(version, control.flavour)),
        },
        sources={SOURCE_FILE: find_release("stunnel", stunnel)},
        labels={**labels, names.FRONT: front},
    )


def _build_labels(build: Build, how: str) -> dict[str, str]:
    return {
        names.CONTRACT: names.CONTRACT_VERSION,
        names.KIND: "build",
        names.BUILD: build.id,
        names.HOW: how,
    }
