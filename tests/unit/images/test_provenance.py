"""Provenance: labels compared with the versions that an image reports."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness.errors import BuildError
from harness.images import labels as names
from harness.images.provenance import (
    LIST_PACKAGES,
    Versions,
    compare_labels,
    parse_versions,
    recall_versions,
    remember_versions,
)

# What the images of Debian 12, and of a Postfix without "postconf -T", really printed.
DEBIAN_12 = """\
postfix=3.7.11
compiled=OpenSSL 3.0.11 19 Sep 2023
loaded=OpenSSL 3.0.22 25 Aug 2026
library=OpenSSL 3.0.22 25 Aug 2026
cli=OpenSSL 3.0.22 25 Aug 2026 (Library: OpenSSL 3.0.22 25 Aug 2026)
packages=ii libssl3 3.0.22-1~deb12u2;ii openssl 3.0.22-1~deb12u2;ii postfix 3.7.11-0+deb12u1;
conf=openssl_conf = openssl_init
conf=[openssl_init]
conf=ssl_conf = ssl_sect
conf=[ssl_sect]
conf=system_default = system_default_sect
conf=[system_default_sect]
conf=CipherString = DEFAULT:@SECLEVEL=2
crypto-policy=
"""
WITHOUT_MODE_T = """\
postfix=3.1.0
compiled=
loaded=
library=OpenSSL 1.0.2h  3 May 2016
cli=OpenSSL 1.0.2h  3 May 2016
"""
LABELS = {names.POSTFIX: "3.7.11", names.OPENSSL: "3.0.22"}


def test_versions_are_read_from_what_an_image_says() -> None:
    """Compiled with and loaded differ on every distribution after its first update."""
    assert parse_versions(DEBIAN_12) == Versions(
        postfix="3.7.11",
        openssl_compiled="3.0.11",
        openssl_loaded="3.0.22",
        openssl_cli="3.0.22",
        packages="libssl3 3.0.22-1~deb12u2; openssl 3.0.22-1~deb12u2; postfix 3.7.11-0+deb12u1",
        system_policy="CipherString = DEFAULT:@SECLEVEL=2",
    )


def test_the_library_is_read_where_postconf_reports_nothing() -> None:
    """Old releases have no "postconf -T"; the library that smtpd loads carries its name."""
    versions = parse_versions(WITHOUT_MODE_T)
    assert (versions.openssl_compiled, versions.openssl_loaded) == ("", "1.0.2h")


def test_packages_that_are_not_installed_are_left_out() -> None:
    """dpkg also lists names of packages that are not installed; they are no provenance."""
    assert (
        parse_versions("packages=un libssl3 ;ii libssl3t64 3.5.7-1;").packages
        == "libssl3t64 3.5.7-1"
    )


# What "apk info -v" prints, a line for each package.
APK = """\
alpine-baselayout-3.7.0-r0
libcrypto3-3.5.1-r0
libssl3-3.5.1-r0
openssl-3.5.1-r0
openssl-libs-static-3.5.1-r0
postfix-3.10.3-r0
postfix-openrc-3.10.3-r0
"""


def test_packages_of_alpine_are_read() -> None:
    """apk joins name and version with a hyphen, which names have too."""
    script = f"""
    rpm() {{ return 1; }}
    apk() {{ echo '{APK}'; }}
    {LIST_PACKAGES}
    packages
    """
    out = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert (
        parse_versions(f"packages={out}").packages
        == "libssl3 3.5.1-r0; openssl 3.5.1-r0; postfix 3.10.3-r0"
    )


def test_true_labels_pass() -> None:
    """An honest image is let through."""
    compare_labels("debian-12", LABELS, parse_versions(DEBIAN_12))


def test_unsigned_packages_are_reported() -> None:
    """Where a suite's keys have expired, its packages are taken on trust; that must show."""
    versions = parse_versions(
        "packages=ii postfix 2.11.3-1;\nunsigned=packages of jessie taken unsigned"
    )
    assert versions.packages == "postfix 2.11.3-1; packages of jessie taken unsigned"


def test_packages_whose_files_were_replaced_are_told_apart() -> None:
    """dpkg still lists them; what runs in their place is named instead."""
    versions = parse_versions(
        "packages=ii postfix 3.1.0-3ubuntu0.4;\n"
        "replaced=OpenSSL 1.0.2h in the place of libssl1.0.0 1.0.2g-1ubuntu4.20"
    )
    assert versions.packages == (
        "postfix 3.1.0-3ubuntu0.4; OpenSSL 1.0.2h in the place of libssl1.0.0 1.0.2g-1ubuntu4.20"
    )


def test_a_distribution_may_load_another_openssl_than_it_was_compiled_with() -> None:
    """That is what such a build is for; the one that it loads must still be the label's."""
    versions = Versions("3.1.0", "1.0.2g", "1.0.2h", "1.0.2h")
    labels = {names.POSTFIX: "3.1.0", names.OPENSSL: "1.0.2h", names.FLAVOUR: "stock"}
    replacing = {**labels, names.REPLACES: "the distribution's OpenSSL"}
    compare_labels("ubuntu-16.04+openssl-1.0.2h", replacing, versions)
    with pytest.raises(BuildError, match=r"says OpenSSL 1\.0\.2i"):
        compare_labels(
            "ubuntu-16.04+openssl-1.0.2i", {**replacing, names.OPENSSL: "1.0.2i"}, versions
        )
    with pytest.raises(BuildError, match="compiled with"):
        compare_labels("postfix-3.1.0+openssl-1.0.2h", labels, versions)


def test_a_pair_compiled_with_another_openssl_is_refused() -> None:
    """Headers of one OpenSSL and the library of another are no pair."""
    versions = parse_versions(DEBIAN_12)
    with pytest.raises(BuildError, match=r"compiled with OpenSSL 3\.0\.11, but loads 3\.0\.22"):
        compare_labels(
            "postfix-3.7.11+openssl-3.0.22", {**LABELS, names.FLAVOUR: "stock"}, versions
        )
    compare_labels("debian-12", LABELS, versions)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({names.POSTFIX: "3.7.10"}, "says Postfix 3.7.10, but it runs 3.7.11"),
        ({names.OPENSSL: "1.1.1w"}, "says OpenSSL 1.1.1w, but it runs 3.0.22"),
        ({names.OPENSSL: "3.0.11"}, "says OpenSSL 3.0.11, but it runs 3.0.22"),
    ],
)
def test_a_wrong_label_is_refused(label: dict[str, str], message: str) -> None:
    """A cell measured on another version than it names is worse than none."""
    with pytest.raises(BuildError, match=message):
        compare_labels("debian-12", {**LABELS, **label}, parse_versions(DEBIAN_12))


def test_a_missing_label_is_refused() -> None:
    """An image without the labels cannot be compared with them."""
    with pytest.raises(BuildError, match="says Postfix None"):
        compare_labels("users-image", {names.OPENSSL: "3.0.22"}, parse_versions(DEBIAN_12))


def test_another_openssl_on_path_is_refused() -> None:
    """The image contract has openssl(1) of the same OpenSSL that Postfix loads."""
    versions = parse_versions(DEBIAN_12.replace("cli=OpenSSL 3.0.22", "cli=OpenSSL 3.0.2"))
    with pytest.raises(BuildError, match=r"openssl on PATH is 3\.0\.2\n"):
        compare_labels("debian-12", LABELS, versions)


def test_all_wrong_labels_are_reported_at_once() -> None:
    """A user who repairs an image sees everything that is wrong with it."""
    with pytest.raises(BuildError) as caught:
        compare_labels("x", {names.POSTFIX: "1", names.OPENSSL: "2"}, parse_versions(DEBIAN_12))
    assert "Postfix 1" in str(caught.value)
    assert "OpenSSL 2" in str(caught.value)


def test_versions_are_cached_in_one_whole_file(tmp_path: Path) -> None:
    """A second process must never read half of a record, and no temporary file may stay."""
    versions = parse_versions(DEBIAN_12)
    for _ in range(2):
        remember_versions(tmp_path, "sha256:0123", versions)
    (record,) = (tmp_path / "checked").iterdir()
    assert record.name == "0123.json"
    assert Versions(**json.loads(record.read_text("utf-8"))) == versions
    assert record.stat().st_mode & 0o777 == 0o600


def test_a_record_that_lacks_what_is_read_today_is_read_again(tmp_path: Path) -> None:
    """An earlier release of this tool read less; its record must not stand for an empty policy."""
    versions = parse_versions(DEBIAN_12)
    remember_versions(tmp_path, "sha256:0123", versions)
    assert recall_versions(tmp_path, "sha256:0123") == versions
    (record,) = (tmp_path / "checked").iterdir()
    data = json.loads(record.read_text("utf-8"))
    del data["system_policy"]
    record.write_text(json.dumps(data))
    assert recall_versions(tmp_path, "sha256:0123") is None
    record.write_text("{")
    assert recall_versions(tmp_path, "sha256:0123") is None
    assert recall_versions(tmp_path, "sha256:4567") is None
