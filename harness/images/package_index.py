"""A package index made from package files: what apt reads to install them (deb822(5))."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from harness.catalog.package_files import PackageFile

_MAGIC = b"!<arch>\n"
_HEADER_SIZE = 60


def write_index(paths: Mapping[PackageFile, Path]) -> str:
    """The index ``Packages`` of a folder that has all these files, each with its pinned hash.

    Raises:
        ValueError: a file is not a package.
        OSError: a file cannot be read.
    """
    entries = sorted(paths.items(), key=lambda entry: entry[0].name)
    return "\n".join(
        f"{read_control(path)}Filename: ./{file.name}\nSize: {path.stat().st_size}\n"
        f"SHA256: {file.sha256}\n"
        for file, path in entries
    )


def read_control(path: Path) -> str:
    """The control file of a package (deb(5)), with one line end at its end.

    Raises:
        ValueError: the file is not a package.
        OSError: it cannot be read.
    """
    with tarfile.open(fileobj=io.BytesIO(_control_archive(path))) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None and member.name.removeprefix("./") == "control":
                return content.read().decode().rstrip("\n") + "\n"
    raise ValueError(f"{path} has no control file")


def _control_archive(path: Path) -> bytes:
    """The member ``control.tar.gz`` or ``.xz`` of the package, which is an ar(1) archive."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"{path} is not a package")
        while len(header := file.read(_HEADER_SIZE)) == _HEADER_SIZE:
            # Bytes 0 to 15: the name, 48 to 57: the size; each member begins at an even offset.
            size = int(header[48:58])
            if header.startswith(b"control.tar"):
                return file.read(size)
            file.seek(size + size % 2, io.SEEK_CUR)
    raise ValueError(f"{path} has no control archive")
