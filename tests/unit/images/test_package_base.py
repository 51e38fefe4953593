"""A base from package files: the index that apt reads, and what goes into the image."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.catalog.package_files import PackageFile, package_files_of
from harness.images.package_base import describe_assembly, keep_hook
from harness.images.package_index import read_control, write_index
from harness.images.recipes import base_recipe, toolchain_recipe
from harness.paths import images_dir

_PACKAGES = "usr/share/postfix-matrix/base/packages"


def _make_package(folder: Path, name: str, *, odd: bool = False, form: str = "gz") -> PackageFile:
    """A package of version 1 with a control file alone; ``odd``: a member of odd length before."""
    control = f"Package: {name}\nVersion: 1\nArchitecture: amd64\nDescription: {name}\n more\n"
    data = control.encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{form}") as tar:  # type: ignore[call-overload]
        info = tarfile.TarInfo("./control")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    version = b"2.0" if odd else b"2.0\n"
    members = [(b"debian-binary", version), (f"control.tar.{form}".encode(), out.getvalue())]
    path = folder / f"{name}_1_amd64.deb"
    with path.open("wb") as file:
        file.write(b"!<arch>\n")
        for member, body in members:
            file.write(
                member.ljust(16) + b"0".ljust(32) + f"{len(body)}".encode().ljust(10) + b"`\n"
            )
            file.write(body + b"\n" * (len(body) % 2))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return PackageFile(f"pool/main/x/xz/{path.name}", digest)


@pytest.mark.parametrize("form", ["gz", "xz"])
@pytest.mark.parametrize("odd", [False, True])
def test_the_index_has_control_file_size_and_pinned_hash(
    tmp_path: Path, form: str, odd: bool
) -> None:
    """Protects what apt verifies: each entry's hash is the catalog's, not one of the file read."""
    file = _make_package(tmp_path, "postfix", odd=odd, form=form)
    path = tmp_path / file.name
    pinned = PackageFile(file.path, "f" * 64)
    entry = write_index({pinned: path})
    assert entry.splitlines() == [
        "Package: postfix",
        "Version: 1",
        "Architecture: amd64",
        "Description: postfix",
        " more",
        "Filename: ./postfix_1_amd64.deb",
        f"Size: {path.stat().st_size}",
        f"SHA256: {'f' * 64}",
    ]


def test_entries_are_apart_and_sorted(tmp_path: Path) -> None:
    """An empty line ends an entry (deb822); the order does not depend on the caller's."""
    files = [_make_package(tmp_path, name) for name in ("zlib1g", "apt")]
    index = write_index({file: tmp_path / file.name for file in files})
    assert [entry.splitlines()[0] for entry in index.split("\n\n")] == [
        "Package: apt",
        "Package: zlib1g",
    ]


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    """A web page that a proxy gave in place of a file is not indexed."""
    path = tmp_path / "x_1_all.deb"
    for content, problem in ((b"<html>", "not a package"), (b"!<arch>\n", "no control archive")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=problem):
            read_control(path)


def test_the_image_keeps_only_what_it_has_not_installed(tmp_path: Path) -> None:
    """Protects the image's size, and apt's index from files that are not there."""
    folder, system = tmp_path / "all files", tmp_path / "system"
    folder.mkdir()
    files = [_make_package(folder, name) for name in ("apt", "libc6", "postfix", "openssl")]
    (folder / "Packages").write_text(write_index({file: folder / file.name for file in files}))
    for name in ("etc/apt/sources.list.d", "var/lib/dpkg/info", "var/lib/apt/lists"):
        (system / name).mkdir(parents=True)
    (system / "var/lib/dpkg/info/apt.list").touch()
    (system / "var/lib/dpkg/info/libc6:amd64.list").touch()
    (system / "etc/apt/sources.list.d/0000mirror.list").write_text("deb copy:/elsewhere ./\n")
    subprocess.run(["sh", "-c", keep_hook(folder), "exec", str(system)], check=True)
    kept = sorted(path.name for path in (system / _PACKAGES).iterdir())
    assert kept == ["Packages", "openssl_1_amd64.deb", "postfix_1_amd64.deb"]
    index = (system / _PACKAGES / "Packages").read_text().strip().split("\n\n")
    assert [entry.splitlines()[0] for entry in index] == ["Package: openssl", "Package: postfix"]
    assert (system / "etc/apt/sources.list").read_text() == (
        f"deb [trusted=yes] file:/{_PACKAGES} ./\n"
    )
    assert list((system / "etc/apt/sources.list.d").iterdir()) == []


def test_the_label_says_how_the_base_was_made() -> None:
    """Protects provenance: package files and the trust in their hashes are named."""
    how = describe_assembly(
        "trusty", package_files_of("trusty"), datetime(2026, 11, 30, tzinfo=UTC)
    )
    assert how.startswith("made by mmdebstrap on 2026-11-30 from 1")
    assert how.endswith(
        "package files of trusty, each pinned by SHA-256 (computed here, published nowhere)"
    )


def test_a_changed_pin_makes_another_image() -> None:
    """Protects the tag: package files are a part of the recipe, and of no other suite's."""
    files = package_files_of("trusty")
    recipe = base_recipe("trusty")
    assert recipe.packages == files
    other = replace(files[0], sha256="f" * 64)
    for changed in ((other, *files[1:]), files[1:], ()):
        altered = replace(recipe, packages=changed)
        assert altered.content_hash(images_dir()) != recipe.content_hash(images_dir())
    reordered = replace(recipe, packages=files[::-1])
    assert reordered.content_hash(images_dir()) == recipe.content_hash(images_dir())
    assert base_recipe("xenial").packages == ()
    assert toolchain_recipe("trusty").folder == "toolchain-packages"
    assert toolchain_recipe("bookworm").folder == "toolchain"
