"""The catalog's facts: hashes, dates, what goes together, and what a version needs to be built."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date
from itertools import pairwise

import pytest

from harness.catalog.releases import (
    Release,
    SourceKind,
    all_packages,
    all_releases,
    find_package,
    find_release,
    load_data,
)
from harness.catalog.rules import Need, find_mismatch, find_needs

PINNED = {
    "postfix-3.1.0": "88ac3e92755629077d9363319b1fa0db406efb10c2f22cdbb941bd8ab36fd733",
    "postfix-3.7.11": "8451fb343692b23cba105b6a194a27a6f32ff21bd2c3bb2fed5ac50d0631deda",
    "postfix-3.8.1": "54e1bffded3032828a70de22c2a1a94d1c097fc4513e0fdbfcfdbf3bff6b7092",
    "postfix-3.10.13": "de6526fb11bbf20fcfa5aa4b67e88cc6b246cad614a9bcb4b006f457ba3788bc",
    "openssl-0.9.8t": "6b9b3ef5ea942d7b5c3ce23e9e929d8eecd090e81f18d87ad3aaf2eb9a226a14",
    "openssl-1.0.1l": "b2cf4d48fe5d49f240c61c9e624193a6f232b5ed0baf010681e725963c40d1d4",
    "openssl-1.0.2e": "e23ccafdb75cfcde782da0151731aa2185195ac745eea3846133f2e05c0e0bff",
    "openssl-1.0.2h": "1d4007e53aad94a5b2002fe045ee7bb0b3d98f1a47f8b2bc851dcd1c74332919",
    "openssl-3.5.7": "a8c0d28a529ca480f9f36cf5792e2cd21984552a3c8e4aa11a24aa31aeac98e8",
}

#: Pairs that distributions shipped: whatever rule there is must let them pass.
SHIPPED = [
    ("2.6.6", "1.0.1e"),
    ("2.10.1", "1.0.1e"),
    ("2.10.1", "1.0.2k"),
    ("3.1.0", "1.0.2g"),
    ("3.1.15", "1.1.0l"),
    ("3.4.23", "1.1.1"),
    ("3.5.25", "1.1.1w"),
    ("3.6.4", "3.0.2"),
    ("3.7.11", "3.0.20"),
    ("3.10.13", "3.5.7"),
]


def _ccargs(version: str) -> set[str]:
    return {word for need in find_needs("postfix", version) for word in need.ccargs}


def _switches(product: str, version: str) -> set[str]:
    return {word for need in find_needs(product, version) for word in need.switches}


def _legacy(version: str) -> list[str]:
    legacy_needs = find_needs("openssl", version, "legacy")
    return [word for need in legacy_needs if need.flavour == "legacy" for word in need.configure]


def _branch(item: Release) -> str:
    """``3.7`` of Postfix, ``1.0.2`` of OpenSSL, ``3.5`` from its version 3 on."""
    depth = 3 if item.product == "openssl" and int(item.version.split(".")[0]) < 3 else 2
    return ".".join(re.findall(r"\d+", item.version)[:depth])


@pytest.mark.parametrize(("name", "sha256"), PINNED.items())
def test_these_releases_have_these_hashes(name: str, sha256: str) -> None:
    """A hash that packagers agree on must not change unnoticed; of two, the right one is in."""
    product, version = name.split("-")
    assert find_release(product, version).sources[0].sha256 == sha256


@pytest.mark.parametrize("product", ["postfix", "openssl", "stunnel"])
def test_no_hash_is_that_of_two_releases(product: str) -> None:
    """A hash that was copied to a neighbour would let one release pass for another."""
    owners = defaultdict(set)
    for item in all_releases(product):
        for source in item.sources:
            owners[source.sha256].add(item.version)
    assert [names for names in owners.values() if len(names) > 1] == []


@pytest.mark.parametrize("product", ["postfix", "openssl"])
def test_dates_rise_within_a_branch(product: str) -> None:
    """A mistyped date shows as a release that is older than the one before it."""
    branches = defaultdict(list)
    for item in all_releases(product):
        if item.date:
            branches[_branch(item)].append((item.date, item.version))
    assert len(branches) > 10
    wrong = [
        (before, after)
        for dated in branches.values()
        for before, after in pairwise(dated)
        if before[0] >= after[0]
    ]
    assert wrong == []


def test_dates_are_real_ones_or_left_out() -> None:
    """A date that no source states is left out rather than guessed."""
    assert find_release("postfix", "3.1.0").date == date(2016, 2, 24)
    assert find_release("openssl", "1.0.2h").date == date(2016, 5, 3)
    assert find_release("openssl", "3.0.21").date is None
    assert find_release("postfix", "3.11.7").date is None


def test_the_files_are_in_the_order_of_versions() -> None:
    """Who looks for a release finds it, and 'catalog add' puts the next one in its place."""
    for product in ("postfix", "openssl"):
        written = [record["version"] for record in load_data(product)["release"]]
        assert written == [item.version for item in all_releases(product)]


@pytest.mark.parametrize(
    ("name", "kind", "suite"),
    [
        ("postfix-3.5.25", SourceKind.DEBIAN, "bullseye"),
        ("postfix-3.10.13", SourceKind.DEBIAN, "trixie"),
        ("postfix-3.11.7", SourceKind.DEBIAN, "forky"),
        ("openssl-3.0.22", SourceKind.DEBIAN, "bookworm"),
        ("openssl-3.5.6", SourceKind.DEBIAN, "trixie"),
        ("openssl-3.6.5", SourceKind.DEBIAN, "forky"),
        ("openssl-4.0.3", SourceKind.DEBIAN, "experimental"),
        ("openssl-1.0.1e", SourceKind.NPM, ""),
    ],
)
def test_releases_can_be_had_elsewhere_than_from_upstream(
    name: str, kind: SourceKind, suite: str
) -> None:
    """Machines that reach packages but not upstream have sources too."""
    last = find_release(*name.split("-")).sources[-1]
    assert (last.kind, last.suite) == (kind, suite)
    assert "{" not in last.file


@pytest.mark.parametrize("product", ["postfix", "openssl"])
def test_what_a_suite_has_is_in_a_pool_too(product: str) -> None:
    """A pool keeps a file for longer than an index names it, and needs no apt and no container."""
    for item in all_releases(product):
        kinds = [source.kind for source in item.sources]
        if SourceKind.DEBIAN in kinds:
            assert kinds.index(SourceKind.POOL) < kinds.index(SourceKind.DEBIAN), item.id


def test_packaged_releases_stand_on_a_suite() -> None:
    """If a source is unavailable, Debian's packages are used, on the suite of those packages."""
    assert [packaged.version for packaged in all_packages("openssl")] == ["3.6.5", "4.0.3"]
    newest = find_package("openssl", "4.0.3")
    assert (newest.package, newest.suite, newest.base) == ("4.0.3-1", "experimental", "forky")


@pytest.mark.parametrize(("postfix", "openssl"), SHIPPED)
def test_no_rule_forbids_what_was_shipped(postfix: str, openssl: str) -> None:
    """A rule that is too broad would keep a pair from being measured that runs on real machines."""
    assert find_mismatch(postfix, openssl) is None


@pytest.mark.parametrize(
    ("postfix", "openssl", "message"),
    [
        ("3.6.0", "1.0.2h", ">=1.1.1"),
        ("3.10.13", "1.1.0l", ">=1.1.1"),
        ("3.5.25", "1.0.2h", ">=1.1.0"),
        ("3.4.0", "1.0.1t", ">=1.0.2"),
        ("3.1.0", "1.1.1w", "<1.1.0"),
        ("3.0.4", "1.1.0l", "<1.1.0"),
        ("2.11.0", "3.0.2", "<1.1.0"),
    ],
)
def test_what_upstream_excludes_is_refused_with_its_reason(
    postfix: str, openssl: str, message: str
) -> None:
    """Ten minutes of compiling are saved by a sentence of the release notes."""
    rule = find_mismatch(postfix, openssl)
    assert rule is not None
    assert str(rule.openssl) == message
    assert rule.why


@pytest.mark.parametrize(
    ("postfix", "openssl"),
    [
        ("3.4.29", "1.0.2h"),
        ("3.4.0", "1.0.2h"),
        ("3.0.14", "1.1.1w"),
        ("3.1.2", "1.1.1w"),
        ("3.2.0", "1.1.0l"),
        ("3.1.0", "1.0.2h"),
        # Whether these compile is found by trying, and is no rule.
        ("3.7.11", "4.0.3"),
        ("3.4.27", "3.5.7"),
    ],
)
def test_rules_end_where_upstream_says(postfix: str, openssl: str) -> None:
    """The first patch level that is mended must not be caught by the rule for those before it."""
    assert find_mismatch(postfix, openssl) is None


@pytest.mark.parametrize(
    ("word", "without", "with_it"),
    [
        ("-DHAS_CLOSEFROM", "3.4.25", "3.4.24"),
        ("-DHAS_CLOSEFROM", "3.6.5", "3.6.4"),
        ("-DHAS_CLOSEFROM", "3.7.0", "3.3.21"),
        ("-fcommon", "3.4.11", "3.4.10"),
        ("-fcommon", "3.5.1", "3.5.0"),
        ("-DRES_INSECURE1=0", "3.1.6", "3.2.0"),
        ("-DRES_INSECURE1=0", "3.5.0", "3.4.10"),
        ("-std=gnu89", "3.2.0", "3.1.15"),
        ("-std=gnu17", "3.7.19", "3.7.11"),
        ("-std=gnu17", "3.10.7", "3.10.6"),
        ("-std=gnu17", "3.1.0", "3.9.2"),
    ],
)
def test_flags_end_where_upstream_mended_it(word: str, without: str, with_it: str) -> None:
    """Each branch was fixed at a certain patch level; before and after it a wrong flag is a bug."""
    assert word in _ccargs(with_it)
    assert word not in _ccargs(without)


def test_each_postfix_is_compiled_as_one_dialect_of_c() -> None:
    """With two -std options, their order would decide."""
    for item in all_releases("postfix"):
        standards = [word for word in _ccargs(item.version) if word.startswith("-std=")]
        assert len(standards) <= 1, item.version


def test_the_newest_postfix_builds_as_it_is() -> None:
    """What today's tools know needs nothing; a flag left on for ever would hide that."""
    assert find_needs("postfix", "3.11.7") == ()
    assert _switches("postfix", "3.10.13") == {"uname26"}
    assert _ccargs("3.10.13") == set()


def test_the_oldest_postfix_is_changed_by_hand() -> None:
    """Before -DNO_NIS and -DNO_DB were heeded, the sources must be edited to build without."""
    by_hand = {"no-nis-by-hand", "no-db-by-hand"}
    assert by_hand <= _switches("postfix", "2.8.9")
    assert _switches("postfix", "2.9.0") & by_hand == {"no-db-by-hand"}
    assert not _switches("postfix", "2.10.0") & by_hand


@pytest.mark.parametrize(
    ("version", "without"), [("2.11.11", False), ("3.0.0", True), ("3.3.3", True), ("3.4.0", False)]
)
def test_icu_is_left_out_where_it_would_not_be_found(version: str, without: bool) -> None:
    """A makedefs that asks for a tool which is gone leaves it out in silence; say so instead."""
    assert ("no-eai" in _switches("postfix", version)) == without


@pytest.mark.parametrize(
    ("version", "switches"),
    [
        ("0.9.8zh", {"depend", "ar-takes-turns", "serial"}),
        ("1.0.0t", {"depend", "ar-takes-turns", "serial"}),
        ("1.0.1e", {"depend", "ar-takes-turns"}),
        ("1.0.2h", {"depend", "ar-takes-turns", "no-shaext"}),
        ("1.0.2l", {"depend", "ar-takes-turns"}),
        ("1.1.0e", {"all", "no-shaext"}),
        ("1.1.1w", {"all"}),
        ("3.0.20", set()),
        ("4.0.3", set()),
    ],
)
def test_openssl_is_built_as_its_time_wants_it(version: str, switches: set[str]) -> None:
    """The build script uses these switches, and has no list of versions."""
    assert _switches("openssl", version) == switches


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0.2u", []),
        ("1.1.1w", ["no-tests"]),
        ("3.0.20", ["no-tests"]),
        ("3.1.8", ["no-tests"]),
        ("3.2.0", ["no-tests", "no-docs"]),
    ],
)
def test_configure_gets_only_words_that_it_knows(version: str, expected: list[str]) -> None:
    """Configure stops at an option that came later."""
    arguments = [word for need in find_needs("openssl", version) for word in need.configure]
    assert arguments == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.9.8zh", []),
        ("1.0.1e", []),
        ("1.0.1r", []),
        ("1.0.1t", ["enable-ssl2", "enable-weak-ssl-ciphers"]),
        ("1.0.2f", []),
        ("1.0.2g", ["enable-ssl2", "enable-weak-ssl-ciphers"]),
        ("1.1.0l", ["enable-ssl3", "enable-ssl3-method", "enable-weak-ssl-ciphers"]),
        ("3.6.5", ["enable-ssl3", "enable-ssl3-method", "enable-weak-ssl-ciphers"]),
        ("4.0.0", ["enable-weak-ssl-ciphers"]),
    ],
)
def test_legacy_brings_back_what_the_release_leaves_out(version: str, expected: list[str]) -> None:
    """A permissive control has every feature; if stock has them all, it is stock."""
    assert _legacy(version) == expected
    same = find_needs("openssl", version, "legacy") == find_needs("openssl", version)
    assert same == (expected == [])


def test_each_need_has_a_reason_and_a_release() -> None:
    """A flag without a reason stays for ever; one that no release gets is a mistyped constraint."""
    for product in ("postfix", "openssl"):
        given: set[Need] = set()
        for item in all_releases(product):
            given.update(
                find_needs(product, item.version), find_needs(product, item.version, "legacy")
            )
        assert len(given) == len(load_data(product)["need"])
        assert all(need.why for need in given)
