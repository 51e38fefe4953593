"""Distributions: their records, and what their base images are started from and fetch from."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from harness.catalog.builds import (
    Build,
    Distribution,
    PackageFormat,
    all_distributions,
    find_by_suite,
)
from harness.images import labels as names
from harness.images.base import Origin, image_name
from harness.images.bootstrap import describe_bootstrap, explain_failure
from harness.images.context import context_files
from harness.images.recipe import RecipeKind
from harness.images.recipes import build_recipe
from harness.paths import images_dir

SCRIPTS = images_dir() / "base"
ALL = all_distributions()


def test_distributions_are_told_apart_and_sorted_by_age() -> None:
    """Lists go from old to new, and no two records mean the same packages."""
    assert len({one.id for one in ALL}) == len({one.suite for one in ALL}) == len(ALL)
    days = [one.released or date.max for one in ALL]
    assert days == sorted(days)
    ids = [one.id for one in ALL]
    assert ids.index("debian-8") < ids.index("ubuntu-16.04") < ids.index("debian-9")
    assert ids[-1] == "debian-forky", "testing is newer than any release"


@pytest.mark.parametrize("distribution", ALL, ids=lambda entry: entry.id)
def test_each_distribution_is_a_build_on_an_image_of_its_own(distribution: Distribution) -> None:
    """A record is all that a distribution needs: recipe and registry image follow from it."""
    assert distribution.id.startswith(f"{distribution.family}-")
    recipe = build_recipe(Build.parse(distribution.id))
    assert recipe.kind is RecipeKind.DISTRIBUTION
    assert recipe.parents["BASE"].args["SUITE"] == distribution.suite
    name, _, tag = image_name(distribution).rpartition(":")
    assert distribution.family.split("-")[0] in name
    assert tag.removesuffix("-slim") in (distribution.suite, distribution.id.rpartition("-")[2])


def test_images_are_pulled_by_the_names_that_registries_know() -> None:
    """Debian's small image has a suffix, Ubuntu's is small as it is; a record may have another."""
    names_by_suite = {
        "buster": "debian:buster-slim",
        "xenial": "ubuntu:xenial",
        "rocky-9": "rockylinux/rockylinux:9",
        "opensuse-leap-15.6": "opensuse/leap:15.6",
    }
    for suite, name in names_by_suite.items():
        distribution = find_by_suite(suite)
        assert distribution is not None
        assert image_name(distribution) == name


@pytest.mark.parametrize("distribution", ALL, ids=lambda entry: entry.id)
def test_the_format_of_its_packages_decides_how_an_image_is_made(
    distribution: Distribution,
) -> None:
    """apt's recipes are for apt's distributions; what cannot be bootstrapped needs a registry."""
    recipe = build_recipe(Build.parse(distribution.id))
    folders = (recipe.folder, recipe.parents["BASE"].folder)
    if distribution.package_format is PackageFormat.DEB:
        assert folders == ("distro", "base")
        assert distribution.family in ("debian", "ubuntu")
        assert (recipe.args, recipe.extra) == ({}, {})
    else:
        format_folder = {PackageFormat.RPM: "rpm", PackageFormat.APK: "alpine"}
        assert folders == (format_folder[distribution.package_format], "registry-base")
        assert distribution.image
        assert not distribution.can_be_bootstrapped
        assert "distro/syslogd.pl" in [
            file.name
            for file in context_files(
                images_dir() / recipe.folder, recipe.extra_folders(images_dir())
            )
        ]


def test_a_crypto_policy_is_a_build_of_its_own() -> None:
    """Two policies are two images on one base, and each says which one it has."""
    plain = build_recipe(Build.parse("rocky-9"))
    legacy = build_recipe(Build.parse("rocky-9+policy-LEGACY"))
    assert (plain.args, legacy.args) == ({"POLICY": ""}, {"POLICY": "LEGACY"})
    assert plain.parents == legacy.parents
    assert plain.tag(images_dir()) != legacy.tag(images_dir())
    assert legacy.labels[names.HOW].endswith("crypto policy LEGACY")
    assert "policy" not in plain.labels[names.HOW]


def test_labels_that_others_read_name_the_base_image() -> None:
    """An image from a registry has its digest in the Initiative's labels; others have none."""
    digest = f"sha256:{'0' * 64}"
    pulled = Origin("sha256:1", "pulled debian:buster-slim", "debian:buster-slim", digest)
    assert pulled.labels == {
        names.ORIGIN: "pulled debian:buster-slim",
        names.OCI_BASE_NAME: "debian:buster-slim",
        names.OCI_BASE_DIGEST: digest,
    }
    assert Origin("sha256:1", "bootstrapped").labels == {names.ORIGIN: "bootstrapped"}


LISTS = """\
Version: 12.15
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
Version: 12-updates
Codename: bookworm-updates
Date: Sat, 21 Nov 2026 02:10:46 UTC
Version: 12
Codename: bookworm-security
Date: Sat, 21 Nov 2026 00:53:02 UTC
"""


def test_a_bootstrapped_image_names_point_release_and_newest_packages() -> None:
    """An outdated mirror shows: the packages' day is named besides the day of the bootstrap."""
    now = datetime(2026, 11, 23, 23, 59, tzinfo=UTC)
    by = "bootstrapped by mmdebstrap on 2026-11-23 from"
    assert (
        describe_bootstrap("bookworm", LISTS, now) == f"{by} bookworm 12.15, packages of 2026-11-21"
    )
    testing = "Codename: forky\nDate: Fri, 30 Oct 2026 20:12:03 UTC\n"
    assert describe_bootstrap("forky", testing, now) == f"{by} forky, packages of 2026-10-30"
    assert describe_bootstrap("forky", "", now) == f"{by} forky"


@pytest.mark.parametrize(
    ("output", "cause", "advice"),
    [
        ("E: The repository 'x jessie Release' does not have a Release file.", "mirror", "name"),
        ("because the public key is not available: NO_PUBKEY 40976EAF437D05B5", "keys", "keyring"),
        ("Err:1 x\n  Could not resolve 'mirror.example'", "not reached", "network"),
        ("Segmentation fault", "lines above", "resolve"),
    ],
)
def test_a_failed_bootstrap_is_explained(output: str, cause: str, advice: str) -> None:
    """The error says which of the usual problems it is, and how to resolve it."""
    explanation, next_step = explain_failure(output, "jessie")
    assert cause in explanation
    assert advice in next_step


def _run_script(script: str, *arguments: str | Path) -> str:
    command = ["sh", SCRIPTS / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


#: The package sources of the official images of these suites, and where they are by now. The
#: domain is a made-up one: the scripts know hosts by their place in it.
ONE_LINE = {
    "wheezy": (
        "deb http://httpredir.debian.example/debian wheezy main\n"
        "deb http://httpredir.debian.example/debian wheezy-updates main\n"
        "deb http://security.debian.example wheezy/updates main\n",
        "deb http://archive.debian.example/debian wheezy main\n"
        "deb http://archive.debian.example/debian-security wheezy/updates main\n",
    ),
    "jessie": (
        "deb http://deb.debian.example/debian jessie main\n"
        "deb http://security.debian.example/ jessie/updates main\n"
        "deb http://deb.debian.example/debian jessie-updates main\n",
        "deb http://archive.debian.example/debian jessie main\n"
        "deb http://archive.debian.example/debian-security jessie/updates main\n",
    ),
    "buster": (
        "# deb http://snapshot.debian.example/archive/debian/20240612T000000Z buster main\n"
        "deb http://deb.debian.example/debian buster main\n"
        "deb [arch=amd64] http://deb.debian.example/debian-security buster/updates main\n"
        "deb http://ftp.de.debian.example/debian buster-updates main\n",
        "# deb http://snapshot.debian.example/archive/debian/20240612T000000Z buster main\n"
        "deb http://archive.debian.example/debian buster main\n"
        "deb [arch=amd64] http://archive.debian.example/debian-security buster/updates main\n",
    ),
    "trusty": (
        "deb http://archive.ubuntu.example/ubuntu/ trusty main restricted\n"
        "deb-src http://archive.ubuntu.example/ubuntu/ trusty-updates main restricted\n"
        "deb http://security.ubuntu.example/ubuntu/ trusty-security universe\n"
        "deb http://ports.ubuntu.example/ubuntu-ports/ trusty-updates main\n",
        "deb http://old-releases.ubuntu.example/ubuntu/ trusty main restricted\n"
        "deb-src http://old-releases.ubuntu.example/ubuntu/ trusty-updates main restricted\n"
        "deb http://old-releases.ubuntu.example/ubuntu/ trusty-security universe\n"
        "deb http://old-releases.ubuntu.example/ubuntu/ trusty-updates main\n",
    ),
    "a mirror of the user's own": (
        "deb http://mirror.example/debian buster main\n"
        "deb http://mirror.example/debian buster-updates main\n",
        "deb http://mirror.example/debian buster main\n"
        "deb http://mirror.example/debian buster-updates main\n",
    ),
}


@pytest.mark.parametrize("folder", [".", "sources.list.d"])
@pytest.mark.parametrize("suite", ONE_LINE)
def test_one_line_sources_move_to_the_archive(tmp_path: Path, suite: str, folder: str) -> None:
    """An old image's package sources point to where the packages are today, in any format."""
    before, after = ONE_LINE[suite]
    path = tmp_path / folder / ("sources.list" if folder == "." else "more.list")
    path.parent.mkdir(exist_ok=True)
    path.write_text(before)
    _run_script("sources.sh", "archive", tmp_path)
    assert path.read_text() == after
    assert [entry for entry in tmp_path.rglob("*") if entry.is_file()] == [path]
    _run_script("sources.sh", "archive", tmp_path)
    assert path.read_text() == after, "what has moved stays where it is"


DEB822 = """\
Types: deb
# http://snapshot.debian.example/archive/debian/20260101T000000Z
URIs: http://deb.debian.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

Types: deb
URIs: http://security.debian.example/debian-security
Suites: trixie-security
Components: main
"""


def test_stanzas_move_to_the_archive(tmp_path: Path) -> None:
    """The newer form of sources, which suites of today will have when their time comes."""
    path = tmp_path / "sources.list.d" / "debian.sources"
    path.parent.mkdir()
    path.write_text(DEB822)
    _run_script("sources.sh", "archive", tmp_path)
    lines = path.read_text().splitlines()
    assert [line for line in lines if not line.startswith(("Types", "Comp", "Signed", "#"))] == [
        "URIs: http://archive.debian.example/debian",
        "Suites: trixie",
        "",
        "URIs: http://archive.debian.example/debian-security",
        "Suites: trixie-security",
    ]
    _run_script("sources.sh", "trust", tmp_path)
    lines = path.read_text().splitlines()
    trusted = [lines[number - 1] for number, line in enumerate(lines) if line == "Trusted: yes"]
    assert trusted == [line for line in lines if line.startswith("URIs:")]


def test_ubuntus_stanzas_keep_their_updates(tmp_path: Path) -> None:
    """Ubuntu's archive has a suite's updates as another suite, Debian's has them in it."""
    path = tmp_path / "sources.list.d" / "ubuntu.sources"
    path.parent.mkdir()
    suites = "Suites: noble noble-updates noble-backports"
    path.write_text(f"Types: deb\nURIs: http://archive.ubuntu.example/ubuntu/\n{suites}\n")
    _run_script("sources.sh", "archive", tmp_path)
    moved = f"Types: deb\nURIs: http://old-releases.ubuntu.example/ubuntu/\n{suites}\n"
    assert path.read_text() == moved


def test_only_the_archive_is_taken_without_signatures(tmp_path: Path) -> None:
    """Expired keys are no reason to accept unsigned packages from another source."""
    path = tmp_path / "sources.list"
    path.write_text(
        "deb http://archive.debian.example/debian jessie main\n"
        "deb [arch=amd64] http://archive.debian.example/debian-security jessie/updates main\n"
        "deb http://mirror.example/debian jessie main\n"
        "deb-src http://archive.debian.example/debian jessie main\n"
    )
    _run_script("sources.sh", "trust", tmp_path)
    assert path.read_text() == (
        "deb [trusted=yes] http://archive.debian.example/debian jessie main\n"
        "deb [trusted=yes arch=amd64] http://archive.debian.example/debian-security"
        " jessie/updates main\n"
        "deb http://mirror.example/debian jessie main\n"
        "deb-src http://archive.debian.example/debian jessie main\n"
    )


@pytest.mark.parametrize("arguments", [[], ["rm"], ["file", "/etc"]], ids=str)
def test_sources_accepts_two_commands(arguments: list[str]) -> None:
    """A slip in a Dockerfile ends there, and is not run as a command."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _run_script("sources.sh", *arguments)
    assert "usage" in caught.value.stderr


@pytest.mark.parametrize(
    ("files", "codename"),
    [
        ({"os-release": 'NAME="Debian GNU/Linux"\nVERSION_ID="7"\nVERSION="7 (wheezy)"'}, "wheezy"),
        ({"os-release": 'VERSION_ID="8"\nVERSION="8 (jessie)"\nID=debian'}, "jessie"),
        ({"os-release": 'VERSION="9 (stretch)"\nVERSION_CODENAME=stretch'}, "stretch"),
        (
            {
                "os-release": 'VERSION="14.04.6 LTS, Trusty Tahr"\nID=ubuntu',
                "lsb-release": "DISTRIB_ID=Ubuntu\nDISTRIB_CODENAME=trusty",
            },
            "trusty",
        ),
        ({"os-release": 'VERSION="16.04.7 LTS (Xenial Xerus)"\nVERSION_CODENAME=xenial'}, "xenial"),
        ({"os-release": "NAME=Debian\nVERSION_CODENAME=forky\nID=debian"}, "forky"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_suite_is_read_off_an_image_of_any_age(
    tmp_path: Path, files: dict[str, str], codename: str
) -> None:
    """An image under a wrong name is refused, so old and new ones must name their suite."""
    (tmp_path / "etc").mkdir()
    for name, content in files.items():
        (tmp_path / "etc" / name).write_text(f"{content}\n")
    assert _run_script("codename.sh", tmp_path).strip() == codename


@pytest.mark.parametrize(
    ("release", "os_release", "accepted"),
    [
        ("rocky-9", 'ID="rocky"\nVERSION_ID="9.6"', True),
        ("fedora-43", "ID=fedora\nVERSION_ID=43", True),
        ("opensuse-leap-15.6", 'ID="opensuse-leap"\nVERSION_ID="15.6"', True),
        ("alpine-3.22", "ID=alpine\nVERSION_ID=3.22.2", True),
        ("rocky-9", 'ID="rocky"\nVERSION_ID="8.10"', False),
        ("rocky-9", 'ID="almalinux"\nVERSION_ID="9.6"', False),
        ("alpine-3.2", "ID=alpine\nVERSION_ID=3.22.2", False),
        ("fedora-43", "ID=fedora", False),
    ],
)
def test_a_registrys_image_must_be_of_the_release_that_its_name_says(
    tmp_path: Path, release: str, os_release: str, accepted: bool
) -> None:
    """A loaded image may have any name; results of another release would be attributed to it."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "os-release").write_text(f"{os_release}\n")
    script = images_dir() / "registry-base" / "release.sh"
    done = subprocess.run(
        ["sh", script, release, tmp_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == accepted
    assert ("SUITE says" in done.stderr) != accepted


CENTOS_7 = """\
[base]
name=CentOS-$releasever - Base
mirrorlist=http://mirrorlist.centos.example/?release=$releasever&arch=$basearch&repo=os
#baseurl=http://mirror.centos.example/centos/$releasever/os/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7
"""


def test_the_repositories_of_centos_7_move_to_its_archive(tmp_path: Path) -> None:
    """Its mirrors have nothing any more; signatures are still checked, other repositories stay."""
    base, other = tmp_path / "CentOS-Base.repo", tmp_path / "company.repo"
    base.write_text(CENTOS_7)
    other.write_text("baseurl=http://mirror.company.example/\n")
    script = images_dir() / "rpm" / "move-repositories.sh"
    for _ in range(2):
        subprocess.run(["sh", script, tmp_path], check=True)
        lines = base.read_text().splitlines()
        assert [line for line in lines if not line.startswith("#")] == [
            "[base]",
            "name=CentOS-$releasever - Base",
            "baseurl=http://vault.centos.example/centos/$releasever/os/$basearch/",
            "gpgcheck=1",
            "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7",
        ]
        assert other.read_text() == "baseurl=http://mirror.company.example/\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CentOS-Base.repo", "company.repo"]


def test_the_scripts_need_no_more_than_a_posix_shell() -> None:
    """dash is /bin/sh in Debian's suites, and reads the scripts without a complaint."""
    shell = shutil.which("dash") or "sh"
    folders = ("base", "registry-base", "rpm", "alpine")
    scripts = [script for folder in folders for script in (images_dir() / folder).glob("*.sh")]
    assert len(scripts) > len(folders)
    for script in scripts:
        done = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=True)
        assert done.stderr == ""
