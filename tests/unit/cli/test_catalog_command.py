"""``postfix-matrix catalog`` in an installation of its own, whose catalog may be written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from tests.unit.sample_archives import VERSION, postfix_archive, sha256


def _file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "given.tar.gz"
    path.write_bytes(content)
    return path


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line of an installation of its own, whose catalog may be written."""
    home = tmp_path / "site"
    litter = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(Path(harness.__file__).parent, home / "harness", ignore=litter)
    environment = {
        **os.environ,
        "PYTHONPATH": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "POSTFIX_MATRIX_MIRRORS": "",
    }

    def call(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", f'{before} exec "$@"', "-", sys.executable, "-m", "harness.cli"]
        return subprocess.run(
            [*command, "catalog", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_the_command_adds_lists_and_refuses(
    installed: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """From an archive to a release that the next command knows; the second time it is refused."""
    path, catalog = (
        _file(tmp_path, postfix_archive()),
        tmp_path / "site/harness/catalog/data/postfix.toml",
    )
    before = catalog.read_text()
    dry = installed("add", "postfix", VERSION, "--file", str(path), "--dry-run")
    assert (dry.returncode, catalog.read_text()) == (0, before)
    assert tomllib.loads(dry.stdout)["release"][0]["sha256"] == sha256(postfix_archive())
    done = installed("add", "postfix", VERSION, "--file", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == dry.stdout
    assert f"images build postfix-{VERSION}+openssl-" in done.stderr
    assert "computed here, published nowhere; compare it" in done.stderr
    assert catalog.read_text() != before
    cached = list((tmp_path / "cache").rglob("source.tar"))
    assert [archive.read_bytes() for archive in cached] == [postfix_archive()]
    listed = installed("list", "postfix").stdout.splitlines()
    (row,) = (line for line in listed if line.startswith(f"postfix-{VERSION} "))
    assert "2027-02-28  computed here, published nowhere  " in row
    again = installed("add", "postfix", VERSION, "--file", str(path))
    assert again.returncode == 4
    assert "already, with the same SHA-256" in again.stderr


def test_a_full_disk_leaves_the_catalog_as_it_was(
    installed: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Half a catalog would break every later command; the record is given to write it by hand."""
    path, catalog = (
        _file(tmp_path, postfix_archive()),
        tmp_path / "site/harness/catalog/data/postfix.toml",
    )
    before = catalog.read_text()
    # No file may grow past a few kilobytes: the catalog's new text cannot be written.
    done = installed("add", "postfix", VERSION, "--file", str(path), before="ulimit -f 8;")
    assert done.returncode == 3, done.stderr
    assert "cannot write" in done.stderr
    assert sha256(postfix_archive()) in done.stderr
    assert catalog.read_text() == before
    assert not [file for file in catalog.parent.iterdir() if file.name.startswith(".")]


def test_the_list_is_for_people_and_for_programs(
    installed: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Each release says how far its hash can be trusted, and how its source can be had."""
    lines = installed("list").stdout.splitlines()
    facts = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert facts["openssl-1.0.2h"] == "2016-05-03 9 places upstream, npm nodegit@0.20.3"
    assert (
        facts["postfix-3.10.13"]
        == "2026-08-09 uncorroborated (1 place) upstream, Debian's pool, Debian trixie"
    )
    assert facts["openssl-3.0.21"] == "- 4 places upstream"
    assert facts["openssl-4.0.3-debian"] == "- - packages 4.0.3-1 of Debian experimental"
    assert facts["debian-12"] == "2023-06-10 - packages of Debian bookworm"
    assert facts["rocky-9"] == "2022-07-14 - packages of Rocky Linux 9"
    assert facts["opensuse-leap-15.6"].endswith(" - packages of openSUSE Leap 15.6")
    assert facts["debian-8"] == "2015-04-26 - packages of Debian jessie, archived"
    assert facts["ubuntu-14.04"].startswith("2014-04-17 computed here, published nowhere 1")
    assert facts["ubuntu-14.04"].endswith(" package files of Ubuntu trusty")
    (trusty,) = (
        record
        for record in json.loads(installed("list", "distributions", "--json").stdout)["records"]
        if record["files"]
    )
    assert (trusty["id"], trusty["suite"], trusty["archived"]) == ("ubuntu-14.04", "trusty", True)
    assert set(trusty["files"][0]) == {"path", "sha256", "corroborated"}
    (release,) = json.loads(installed("list", "stunnel", "--json").stdout)["records"]
    assert release["id"] == "stunnel-5.68"
    assert [source["kind"] for source in release["sources"]] == ["url", "url", "debian"]
