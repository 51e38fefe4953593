"""A tool's image: its tag follows from all that it is made from, and from nothing else."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from harness.tools.preparation import (
    base_context,
    describe_base,
    packages_context,
    wheels_context,
)
from harness.tools.tool_file import ToolBase, ToolNeeds

IMAGE = "sha256:" + "a" * 64


def test_the_tag_follows_from_the_packages() -> None:
    """Protects from an old layer: another package, or another build, is another image."""
    first = packages_context(IMAGE, ToolNeeds(apt=("python3",)))
    assert first.reference == packages_context(IMAGE, ToolNeeds(apt=("python3",))).reference
    others = [
        packages_context(IMAGE, ToolNeeds(apt=("python3", "ruby"))),
        packages_context("sha256:" + "b" * 64, ToolNeeds(apt=("python3",))),
    ]
    assert len({context.reference for context in (first, *others)}) == 3


def test_the_tag_is_ours_to_remove() -> None:
    """Protects 'images prune': the tag is the beginning of the hash that the label has."""
    context = base_context(IMAGE, ToolBase.STOCK)
    repository, _, tag = context.reference.rpartition(":")
    assert repository.startswith("postfix-matrix/")
    assert context.digest.startswith(tag)


def test_package_files_go_into_the_image(tmp_path: Path) -> None:
    """Protects debs: the file is there, is installed, and counts in the tag."""
    deb = tmp_path / "freedombox.deb"
    deb.write_bytes(b"1")
    context = packages_context(IMAGE, ToolNeeds(debs=(deb,)))
    assert "/debs/freedombox.deb" in context.dockerfile
    with tarfile.open(fileobj=context.to_archive()) as archive:
        assert archive.getnames() == ["Dockerfile", "debs/freedombox.deb"]
    deb.write_bytes(b"2")
    assert packages_context(IMAGE, ToolNeeds(debs=(deb,))).reference != context.reference


def test_wheels_count_by_their_lock_and_python(tmp_path: Path) -> None:
    """Protects from packages of another Python's version."""
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1\n")
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    needs = ToolNeeds(wheels=lock)
    tags = {wheels_context(IMAGE, folder, needs, version).reference for version in ("3.11", "3.13")}
    assert len(tags) == 2


@pytest.mark.parametrize("base", list(ToolBase))
def test_each_base_is_another_image(base: ToolBase, tmp_path: Path) -> None:
    """Protects from a tool that starts from what another description named."""
    (tmp_path / "main.cf").write_text("a = b\n")
    others: list[ToolBase | Path] = [other for other in ToolBase if other is not base]
    tags = {base_context(IMAGE, other).reference for other in [*others, tmp_path]}
    assert base_context(IMAGE, base).reference not in tags
    assert describe_base(base)


def test_debians_answer_finds_a_certificate_on_every_release() -> None:
    """Protects tools on Debian 13: its postinst writes TLS lines only where the key is there."""
    content, _ = base_context(IMAGE, ToolBase.DEBCONF).files["prepare/prepare.sh"]
    script = content.decode()
    made = script.index("openssl req -x509")
    assert made < script.index("dpkg-reconfigure")
    assert "[ -e $key ] || openssl" in script, "a package's own certificate is kept"
