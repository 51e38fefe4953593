"""Package files: the records of a suite that is made from them."""

from __future__ import annotations

import pytest

from harness.catalog.builds import all_distributions, find_by_suite
from harness.catalog.package_files import (
    PackageFile,
    least_corroborated,
    package_files_of,
    parse_package_files,
)

_PATH = "pool/main/p/postfix/postfix_2.11.0-1_amd64.deb"
_HASH = "a" * 64


def test_trusty_has_what_a_build_and_a_compiler_need() -> None:
    """Protects ubuntu-14.04: its base, its pair, and the toolchain for another OpenSSL."""
    versions = {file.package: file.name.split("_")[1] for file in package_files_of("trusty")}
    assert versions["postfix"] == "2.11.0-1"
    assert versions["libssl1.0.0"] == versions["openssl"] == "1.0.1f-1ubuntu2"
    assert versions["libc6"] == versions["libc6-dev"] == "2.19-0ubuntu6"
    assert {"apt", "dpkg", "bash", "perl-base", "netbase", "gcc", "make", "perl"} <= set(versions)


def test_hashes_that_were_computed_here_are_marked() -> None:
    """Protects honesty: a hash that was found nowhere else is never shown as corroborated."""
    files = package_files_of("trusty")
    assert least_corroborated(files) == 0
    assert {file.package for file in files if file.corroborated} == {"mount"}
    assert least_corroborated(()) == 0


def test_other_suites_have_no_package_files() -> None:
    """Protects all other bases, which come from a registry or from a suite's index."""
    with_files = {entry.suite for entry in all_distributions() if package_files_of(entry.suite)}
    assert with_files == {"trusty"}
    assert package_files_of("no-such-suite") == ()
    assert find_by_suite("no-such-suite") is None


def test_a_file_knows_its_name_and_its_package() -> None:
    """The package's name is what stands before the first underscore, whatever follows."""
    file = PackageFile("pool/main/libs/libsepol/libsepol1_2.2-1_amd64.deb", _HASH)
    assert (file.name, file.package) == ("libsepol1_2.2-1_amd64.deb", "libsepol1")
    assert PackageFile(
        "pool/main/g/gcc-4.8/libstdc++6_4.8.2-19ubuntu1_amd64.deb", _HASH
    ).package == ("libstdc++6")


@pytest.mark.parametrize(
    ("path", "sha256", "corroborated", "problem"),
    [
        ("pool/main/p/postfix/postfix.deb", _HASH, 0, "not the path"),
        ("/pool/main/p/postfix/postfix_1_all.deb", _HASH, 0, "not the path"),
        ("pool/main/p/../postfix_1_all.deb", _HASH, 0, "not the path"),
        ("pool/main/p/postfix/postfix_1 2_all.deb", _HASH, 0, "not the path"),
        (_PATH, _HASH.upper(), 0, "64 lower-case hex digits"),
        (_PATH, _HASH, -1, "is a count"),
    ],
)
def test_a_malformed_record_is_refused(
    path: str, sha256: str, corroborated: int, problem: str
) -> None:
    """Protects against typing errors, and against a path that leads elsewhere."""
    with pytest.raises(ValueError, match=problem):
        PackageFile(path, sha256, corroborated)


def test_two_files_of_one_package_are_refused() -> None:
    """Protects the base from an older version of a package that a record was left of."""
    other = _PATH.replace("2.11.0-1", "2.11.0-2")
    records = [{"path": _PATH, "sha256": _HASH}, {"path": other, "sha256": _HASH}]
    with pytest.raises(ValueError, match="two files of one package: postfix"):
        parse_package_files({"file": records})
    assert len(parse_package_files({"file": records[:1]})) == 1
