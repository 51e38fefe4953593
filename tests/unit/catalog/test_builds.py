"""Builds by id, with flavours, and with what a command line adds to the catalog."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from harness.catalog.builds import (
    DEBIAN,
    LEGACY,
    STOCK,
    Build,
    UserAdditions,
    all_builds,
    all_distributions,
    check_image_name,
    find_openssl,
    known_builds,
)
from harness.catalog.releases import Package, Release, Source, SourceKind, find_release
from harness.errors import UsageError
from harness.run.choosing import choose_builds


def _local(product: str, version: str) -> Release:
    source = Source(
        SourceKind.LOCAL, "a" * 64, 0, f"{product}-{version}", path="/tmp/x.tar", origin="/home/me"
    )
    return Release(product, version, None, (source,))


def _adding(*releases: Release, images: Mapping[str, str] | None = None) -> UserAdditions:
    return UserAdditions({added.id: added for added in releases}, images or {})


def test_each_known_build_round_trips() -> None:
    """Whatever a glob may choose can be named, and leads to the same build in a later command."""
    known = known_builds()
    assert [Build.parse(build.id) for build in known] == list(known)
    assert len({build.id for build in known}) == len(known)
    assert set(all_builds()) <= set(known)


@pytest.mark.parametrize(
    ("text", "version", "flavour"),
    [
        ("1.0.2h", "1.0.2h", STOCK),
        ("1.0.2h-legacy", "1.0.2h", LEGACY),
        ("4.0.3-debian", "4.0.3", DEBIAN),
    ],
)
def test_an_openssl_has_a_flavour(text: str, version: str, flavour: str) -> None:
    """Upstream's, the permissive and Debian's OpenSSL are never taken for one another."""
    parsed = find_openssl(text)
    assert (parsed.version, parsed.flavour, str(parsed)) == (version, flavour, text)
    assert isinstance(parsed.of, Package) == (flavour == DEBIAN)


def test_a_pair_with_debians_openssl_stands_on_its_suite() -> None:
    """Debian's newest library needs the C library of its suite: the pair is built there."""
    build = Build.parse("postfix-3.10.13+openssl-4.0.3-debian")
    assert build.suite == "forky"
    assert Build.parse("postfix-3.10.13+openssl-1.1.1w").suite == "bookworm"


def test_a_distributions_postfix_goes_with_another_openssl() -> None:
    """The question's own pair has an id, with the distribution's suite and the other OpenSSL."""
    build = Build.parse("ubuntu-16.04+openssl-1.0.2h")
    assert (build.kind, build.suite, build.distribution) == (
        "distribution",
        "xenial",
        "ubuntu-16.04",
    )
    assert build.postfix is None
    assert str(build.openssl) == "1.0.2h"
    assert build.replaces_openssl
    assert not Build.parse("ubuntu-16.04").replaces_openssl
    assert not Build.parse("postfix-3.7.11+openssl-1.1.1w").replaces_openssl


@pytest.mark.parametrize(
    ("text", "message", "next_step"),
    [
        ("ubuntu-16.04+openssl-1.1.1w", "libssl.so.1.1, .* loads libssl.so.1.0.0", "1.0.2"),
        ("debian-12+openssl-1.0.2h", "libssl.so.1.0.0, .* loads libssl.so.3", "3.x"),
        ("debian-13+openssl-4.0.3-debian", "Debian's packages", "compiled from source"),
        ("debian-99+openssl-1.0.2h", "no distribution debian-99", "ubuntu-16.04"),
        ("rocky-9+openssl-3.5.7", "can take the place of rocky-9's", "pair from source"),
    ],
)
def test_an_openssl_of_another_abi_is_refused(text: str, message: str, next_step: str) -> None:
    """A library that the package's Postfix cannot load is refused before anything is built."""
    with pytest.raises(UsageError, match=message) as caught:
        Build.parse(text)
    assert next_step in caught.value.next_step


def test_each_distribution_has_the_abi_of_its_openssl() -> None:
    """Without it no other OpenSSL could take the place of the distribution's."""
    for distribution in all_distributions():
        assert bool(distribution.openssl_abi) == distribution.can_be_bootstrapped


def test_a_glob_for_distributions_leaves_other_openssls_out() -> None:
    """``ubuntu-*`` compiles nothing; a "+" in the pattern asks for another OpenSSL."""
    plain = choose_builds(["ubuntu-*"])
    assert plain
    assert not any("+" in name for name in plain)
    assert list(choose_builds(["ubuntu-16.04*+*"])) == ["ubuntu-16.04+openssl-1.0.2h"]
    both = choose_builds(["ubuntu-16.04,ubuntu-16.04+openssl-1.0.2h"])
    assert list(both) == ["ubuntu-16.04", "ubuntu-16.04+openssl-1.0.2h"]


def test_a_crypto_policy_is_a_build_beside_the_distributions_own() -> None:
    """A glob of the distribution has them all, the plain id only the default policy."""
    ids = ["rocky-9", "rocky-9+policy-LEGACY", "rocky-9+policy-FUTURE"]
    assert list(choose_builds(("rocky-9*",))) == ids
    assert list(choose_builds(("rocky-9",))) == ids[:1]
    assert [Build.parse(name).policy for name in ids] == ["", "LEGACY", "FUTURE"]
    assert {Build.parse(name).suite for name in ids} == {"rocky-9"}


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("rocky-9+policy-EASY", r"rocky-9\+policy-LEGACY or rocky-9\+policy-FUTURE, or rocky-9"),
        ("rocky-9+policy-DEFAULT", "rocky-9, which has the policy DEFAULT"),
        ("debian-12+policy-LEGACY", "that have crypto policies are .*rocky-9"),
        ("nowhere-1+policy-LEGACY", "that have crypto policies are .*rocky-9"),
    ],
)
def test_a_policy_that_there_is_not_is_refused(text: str, advice: str) -> None:
    """One thing has one id, and a mistyped policy costs no download."""
    with pytest.raises(UsageError, match="has no crypto policy") as caught:
        choose_builds((text,))
    assert re.search(advice, caught.value.next_step)


def test_what_cannot_go_together_is_refused_with_the_rule() -> None:
    """A pair that the release notes rule out costs no compile, and the message says which rule."""
    with pytest.raises(UsageError, match=r"requires openssl>=1\.1\.1"):
        Build.parse("postfix-3.7.11+openssl-1.0.2h")


def test_a_source_of_the_users_own_overrides_rule_and_catalog() -> None:
    """A patched tree may go with what its version would not; it is never called verified."""
    added = _adding(_local("postfix", "3.7.11"))
    build = Build.parse("postfix-3.7.11+openssl-1.0.2h", added)
    assert build.unverified
    assert not Build.parse("postfix-3.7.11+openssl-1.1.1w").unverified
    from_user = Build.parse("postfix-3.7.11+openssl-1.1.1w", _adding(_local("openssl", "1.1.1w")))
    assert from_user.unverified
    assert from_user.postfix == find_release("postfix", "3.7.11")


def test_a_version_that_only_the_user_has_can_be_built() -> None:
    """A snapshot from a checkout is in no catalog."""
    added = _adding(_local("postfix", "3.12.0"))
    assert Build.parse("postfix-3.12.0+openssl-1.1.1w", added).unverified
    with pytest.raises(UsageError, match=r"no release postfix 3\.12\.0"):
        Build.parse("postfix-3.12.0+openssl-1.1.1w")


def test_an_image_of_the_users_own_is_a_build_by_its_name() -> None:
    """A build from --image has that name everywhere."""
    added = _adding(images={"ours": "registry/ours:1"})
    build = Build.parse("ours", added)
    assert (build.kind, build.reference, str(build)) == ("image", "registry/ours:1", "ours")
    with pytest.raises(UsageError, match="unknown build 'ours'") as caught:
        Build.parse("ours")
    assert "--image" in caught.value.next_step


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b",
        "debian-12",
        "rocky-9+policy-LEGACY",
        "control-x",
        "sasl",
        "openssl-1.0.2h",
        "postfix-3.7.11+openssl-1.1.1w",
        "-x",
        "a b",
    ],
)
def test_a_name_that_would_mislead_is_refused(name: str) -> None:
    """A name is a part of cells' ids, and must not be taken for a build of the catalog's."""
    with pytest.raises(UsageError, match="cannot be the name"):
        check_image_name(name)


def test_a_command_without_globs_has_the_default_builds() -> None:
    """The catalog has many builds that few machines can reach; none is selected by default."""
    default = [build.id for build in all_builds()]
    assert list(choose_builds(())) == default
    assert list(choose_builds(("!debian-11",))) == [name for name in default if name != "debian-11"]


def test_globs_choose_from_all_known_builds() -> None:
    """All pairs of a release can be selected, whether they are measured by default or not."""
    chosen = choose_builds(("postfix-3.10.13+*",))
    assert len(chosen) > 1
    assert all(name.startswith("postfix-3.10.13+openssl-") for name in chosen)


def test_any_other_pair_is_had_by_its_whole_id() -> None:
    """Thousands of pairs are possible; globs do not match them, but each can be selected."""
    pair = "postfix-3.4.27+openssl-1.0.2u"
    assert pair not in {build.id for build in known_builds()}
    assert list(choose_builds((pair,))) == [pair]


def test_an_added_image_alone_is_what_runs() -> None:
    """'run --image mine' measures that image; globs select others in addition."""
    added = _adding(images={"mine": "mine:latest"})
    assert list(choose_builds((), added)) == ["mine"]
    assert list(choose_builds(("debian-12", "mine"), added)) == ["debian-12", "mine"]


def test_an_added_source_alone_chooses_the_pairs_made_from_it() -> None:
    """'run --source postfix-3.1.0=DIR' measures the known pairs of that release, and only those."""
    chosen = choose_builds((), _adding(_local("postfix", "3.1.0")))
    assert chosen
    assert all(build.unverified for build in chosen.values())


def test_an_added_source_that_no_known_build_uses_is_told() -> None:
    """Otherwise the default builds would run, and their results be taken for the source's."""
    with pytest.raises(UsageError, match="no build that the catalog lists") as caught:
        choose_builds((), _adding(_local("postfix", "3.12.0")))
    assert "-b " in caught.value.next_step


@pytest.mark.parametrize(
    ("added", "patterns"),
    [
        (_adding(_local("postfix", "3.1.0")), ("postfix-3.10.13+openssl-1.1.1w",)),
        (_adding(_local("postfix", "3.1.0"), _local("postfix", "3.12.0")), ()),
        (_adding(images={"mine": "mine:latest"}), ("debian-12",)),
        (_adding(_local("postfix", "3.1.0"), images={"mine": "mine:latest"}), ("mine",)),
    ],
)
def test_an_addition_that_no_selected_build_uses_is_refused(
    added: UserAdditions, patterns: tuple[str, ...]
) -> None:
    """An option without effect would suggest that the user's source was measured."""
    with pytest.raises(UsageError, match="nothing that was chosen is made from"):
        choose_builds(patterns, added)
