"""A distribution from pinned package files on a real engine: its pair, and what it is made from."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from harness.catalog.builds import Build
from harness.catalog.package_files import PackageFile, package_files_of
from harness.docker_engine.cancel import Cancel
from harness.errors import InfrastructureError, SourceError
from harness.images import labels as names
from harness.images.base import Origin
from harness.images.image_builder import ImageBuilder
from harness.images.package_origin import FetchedFiles, choose_origin
from harness.images.recipes import base_recipe
from harness.sources.package_fetch import ChangedPackageError, PackageFetcher, cached_path

pytestmark = pytest.mark.docker

#: The smallest of the files.
_SMALL = next(file for file in package_files_of("trusty") if file.package == "multiarch-support")


def test_ubuntu_14_04_is_made_from_its_package_files(builder: ImageBuilder) -> None:
    """Protects the years before 2015: Postfix 2.11.0 and OpenSSL 1.0.1f, on trusty's own libc."""
    image = builder.build(Build.parse("ubuntu-14.04"))
    versions = image.versions
    assert versions is not None
    assert (versions.postfix, versions.openssl_loaded, versions.openssl_cli) == (
        "2.11.0",
        "1.0.1f",
        "1.0.1f",
    )
    assert "postfix 2.11.0-1" in image.labels[names.PACKAGES]
    assert "1.0.1f-1ubuntu2" in image.labels[names.PACKAGES]
    assert "signatures were not checked" in image.labels[names.PACKAGES]
    base = builder.find(base_recipe("trusty"))
    assert base is not None
    assert "package files of trusty, each pinned by SHA-256" in base.labels[names.ORIGIN]
    assert "computed here, published nowhere" in base.labels[names.ORIGIN]


def _fetcher(engine: docker.DockerClient, builder: ImageBuilder, cache: Path) -> PackageFetcher:
    return PackageFetcher(
        engine, lambda suite: builder.ensure(base_recipe(suite)).reference, {}, cache
    )


def test_a_package_file_is_fetched_once(
    engine: docker.DockerClient, builder: ImageBuilder, tmp_path: Path
) -> None:
    """Protects a base that is built again: what the cache has is not fetched again."""
    fetch, said = _fetcher(engine, builder, tmp_path), list[str]()
    for _ in range(2):
        paths = fetch("ubuntu", [_SMALL], Cancel(), said.append)
        assert paths == {_SMALL: cached_path(tmp_path, _SMALL)}
    assert said == [f"fetching {_SMALL.name}"]


def test_a_changed_and_a_missing_file_are_named_with_their_hashes(
    engine: docker.DockerClient, builder: ImageBuilder, tmp_path: Path
) -> None:
    """Protects integrity on real apt: other bytes, and a file that has left the archive."""
    fetch = _fetcher(engine, builder, tmp_path)
    changed = PackageFile(_SMALL.path, "0" * 64)
    gone = PackageFile("pool/main/n/netbase/netbase_5.2_all.deb", "1" * 64)
    with pytest.raises(ChangedPackageError) as caught:
        fetch("ubuntu", [changed, gone], Cancel(), lambda _: None)
    assert f"{changed.path}: SHA-256 {_SMALL.sha256} instead of {'0' * 64}" in caught.value.what
    with pytest.raises(SourceError) as missing:
        fetch("ubuntu", [gone], Cancel(), lambda _: None)
    assert f"{gone.path}: 404 Not Found" in missing.value.what
    assert f"expected SHA-256 {'1' * 64}" in missing.value.what
    assert not cached_path(tmp_path, changed).exists()


def _choose_without_files(
    engine: docker.DockerClient, folder: Path
) -> Origin | InfrastructureError:
    missing = SourceError("the archive did not give x.deb\n    pool/x: 404", cause="gone")
    try:
        return choose_origin(
            engine, "trusty", folder, Cancel(), lambda _: None, FetchedFiles({}, missing)
        )
    except InfrastructureError as error:
        return error


def test_an_image_in_the_place_of_package_files_says_so(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Protects provenance: the label says why it is no base of package files, or the error does."""
    result = _choose_without_files(engine, tmp_path)
    if isinstance(result, Origin):
        assert "ubuntu:trusty" in result.how
        assert result.how.endswith(
            "not from the pinned package files: the archive did not give x.deb"
        )
    else:
        first, second, third, *rest = result.what.splitlines()
        assert first == "no base of trusty from package files: the archive did not give x.deb"
        assert second == "    pool/x: 404"
        assert third.startswith("  nor an image: no base image ubuntu:trusty: no registry gave it")
        assert any("registry: " in line for line in rest)
        assert result.cause == "gone"
    assert list(tmp_path.iterdir()) == []
