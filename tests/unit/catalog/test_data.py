"""The catalog's records: well-formed, and refused where they are not."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from harness.catalog.builds import Build, all_builds, all_distributions, base_suite
from harness.catalog.cells import CONTROL_PREFIX
from harness.catalog.clients import (
    Control,
    all_clients,
    all_controls,
    build_clients,
    find_client,
    find_control,
)
from harness.catalog.pools import list_pool_urls
from harness.catalog.releases import (
    PRODUCTS,
    Release,
    SourceKind,
    all_releases,
    find_release,
    load_data,
    parse_releases,
)
from harness.catalog.rules import find_needs
from harness.errors import UsageError
from harness.tls import Protocol

EVERY_RELEASE = [item for product in PRODUCTS for item in all_releases(product)]


@pytest.mark.parametrize("item", EVERY_RELEASE, ids=lambda item: item.id)
def test_each_release_can_be_fetched_and_verified(item: Release) -> None:
    """A record with a bad checksum, or no way to it, would fail at a user's, minutes into a run."""
    assert item.sources
    for source in item.sources:
        assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        assert "{" not in f"{source.url}{source.file}{source.subdir}", (
            "a template was not filled in"
        )
        assert source.kind in SourceKind
    assert all_releases(item.product).count(item) == 1
    assert find_release(item.product, item.version) is item


def test_releases_are_sorted_by_version_not_by_text() -> None:
    """Lists that users see are in the order of age: 3.10 after 3.9."""
    data = load_data("postfix")
    record = data["release"][0]
    data["release"] = [{**record, "version": version} for version in ("3.10.1", "3.9.2", "3.9.10")]
    ordered = sorted(parse_releases(data), key=lambda item: item.order)
    assert [item.version for item in ordered] == ["3.9.2", "3.9.10", "3.10.1"]


def test_upstream_comes_first_and_templates_are_filled() -> None:
    """The preferred source is upstream's file, found from the version alone."""
    first = find_release("openssl", "1.0.2h").sources[0]
    assert first.kind is SourceKind.URL
    assert first.url == "https://www.openssl.org/source/old/1.0.2/openssl-1.0.2h.tar.gz"
    github = find_release("openssl", "1.1.1w").sources[1]
    assert "/OpenSSL_1_1_1w/openssl-1.1.1w.tar.gz" in github.url


def test_another_archive_of_a_release_has_its_own_hash_and_root() -> None:
    """A package that vendors OpenSSL is another archive: upstream's hash cannot stand for it."""
    packaged = find_release("openssl", "1.0.2h")
    upstream, vendored = packaged.sources[0], packaged.sources[-1]
    assert vendored.kind is SourceKind.NPM
    assert vendored.sha256 != upstream.sha256
    assert vendored.corroborated == 0, "nobody else publishes this hash; say so"
    assert vendored.subdir != upstream.subdir


def test_a_file_of_a_pool_has_the_url_of_each_place_that_may_keep_it() -> None:
    """A distribution moves files to its archive, where they are found without an index."""
    first, second = [
        source
        for source in find_release("openssl", "1.0.2n").sources
        if source.kind is SourceKind.POOL
    ]
    path = "ubuntu/pool/main/o/openssl1.0/openssl1.0_1.0.2n.orig.tar.gz"
    assert first.url == f"http://archive.ubuntu.com/{path}"
    assert second.url == f"http://old-releases.ubuntu.com/{path}"
    assert str(first) == f"Ubuntu's pool, {first.url}"
    upstream = find_release("openssl", "1.0.2n").sources[0]
    assert (first.sha256, first.subdir) == (upstream.sha256, upstream.subdir)


def test_libraries_lie_in_folders_of_four_letters() -> None:
    """A pool has so many packages whose names begin with "lib" that they are divided further."""
    (url, _) = list_pool_urls("debian", "libspf2", "libspf2_1.2.10.orig.tar.gz")
    assert url.endswith("/pool/main/libs/libspf2/libspf2_1.2.10.orig.tar.gz")


def _broken(change: dict[str, Any]) -> dict[str, Any]:
    data = copy.deepcopy(load_data("postfix"))
    for key, value in change.items():
        data["release"][0][key] = value
    return data


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "8451FB34"},
        {"sha256": "z" * 64},
        {"version": "three"},
        {"corroborated": -1},
        {"source": [{"kind": "ftp"}]},
        {"source": [{"kind": "debian", "suite": "bookworm", "package": "postfix"}]},
        {"source": [{"kind": "npm"}]},
        {"source": [{"kind": "pool", "pool": "fedora", "package": "postfix", "file": "x"}]},
    ],
    ids=str,
)
def test_a_malformed_record_is_refused(change: dict[str, Any]) -> None:
    """A slip in the catalog is found when it is read, not when it is used."""
    parse_releases(_broken({}))
    with pytest.raises(ValueError):  # noqa: PT011  (each has its own message)
        parse_releases(_broken(change))


def test_a_release_that_is_there_twice_is_refused() -> None:
    """Two records of one version would leave it to chance which hash is checked."""
    data = load_data("postfix")
    data["release"] = [data["release"][0]] * 2
    with pytest.raises(ValueError, match="twice"):
        parse_releases(data)


def test_a_release_without_source_is_refused() -> None:
    """A record that leads nowhere is a slip."""
    data = load_data("postfix")
    del data["mirrors"]
    data["release"][0].pop("source", None)
    with pytest.raises(ValueError, match="no source"):
        parse_releases(data)


def test_needs_go_by_version() -> None:
    """Old Postfix releases stop at a Linux they do not know; the newest must build as it is."""
    assert any("uname26" in need.switches for need in find_needs("postfix", "3.7.11"))
    assert not any("uname26" in need.switches for need in find_needs("postfix", "3.11.0"))
    assert all(need.why for need in find_needs("postfix", "3.7.11"))


@pytest.mark.parametrize("build", all_builds(), ids=str)
def test_build_ids_round_trip(build: Build) -> None:
    """An id in a run folder leads back to its build."""
    assert Build.parse(str(build)) == build


def test_the_default_builds_are_distributions_and_a_pair() -> None:
    """A run without selectors has both kinds of build; versions of a pair are in its id."""
    kinds = [build.kind for build in all_builds()]
    assert kinds.count("distribution") >= 3
    assert "source" in kinds
    pair = Build.parse("postfix-3.7.11+openssl-1.1.1w")
    assert (pair.postfix, str(pair.openssl), pair.suite) == (
        find_release("postfix", "3.7.11"),
        "1.1.1w",
        base_suite(),
    )
    debian = Build.parse("debian-11")
    assert (debian.postfix, debian.openssl, debian.suite) == (None, None, "bullseye")


@pytest.mark.parametrize(
    "text",
    [
        "debian-99",
        "postfix-3.7.11",
        "postfix-9.9.9+openssl-1.1.1w",
        "postfix-3.7.11+openssl-9.9.9",
        "postfix-3.7.11+openssl-1.1.1w/x",
        "",
    ],
)
def test_an_unknown_build_is_the_users_error(text: str) -> None:
    """A mistyped build is reported, with the ones that exist."""
    with pytest.raises(UsageError) as caught:
        Build.parse(text)
    assert caught.value.next_step


def test_no_build_can_be_taken_for_a_control() -> None:
    """Only the name of the build distinguishes control cells from others."""
    assert not any(build.id.startswith(CONTROL_PREFIX) for build in all_builds())
    assert all(server.name.startswith(CONTROL_PREFIX) for server in all_controls())
    with pytest.raises(ValueError, match="must start with"):
        Control("permissive", "control/modern", "debian-12", Protocol.TLSv1, Protocol.TLSv1_3)


def test_names_are_unique() -> None:
    """A name in a cell's id means one thing."""
    for names in (
        [build.id for build in all_builds()],
        [distribution.id for distribution in all_distributions()],
        [item.name for item in all_clients()],
        [server.name for server in all_controls()],
    ):
        assert len(set(names)) == len(names)


def test_only_builds_with_apt_are_clients() -> None:
    """A client's image installs packages with apt: a build that has none is no choice."""
    names = [client.name for client in build_clients()]
    assert "smtp-debian-12" in names
    assert "posttls-finger-postfix-3.7.11+openssl-1.1.1w" in names
    assert not [name for name in names if "rocky" in name or "alpine" in name]
    for name in ("smtp-rocky-9+policy-LEGACY", "posttls-finger-alpine-3.22"):
        with pytest.raises(UsageError, match="cannot be a client"):
            find_client(name)


def test_clients_and_controls_by_name() -> None:
    """Names find their records, and a wrong one is the user's error that lists the right ones."""
    assert find_client("openssl-1.0.2h").openssl == "1.0.2h"
    assert find_control("control-openssl-1.0.2h").stunnel == "5.68"
    for find in (find_client, find_control):
        with pytest.raises(UsageError) as caught:
            find("nobody")
        assert "use one of" in caught.value.next_step
