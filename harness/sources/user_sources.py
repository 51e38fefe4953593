"""A user's source as a release: a tarball as it is, or a folder, which is packed.

The recipes take an archive, and its hash decides which image is built. So the packed archive
depends only on the names, contents and execute bits of the files: the same tree gives the same
hash on any machine, whenever it was checked out.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.catalog.releases import Release, Source, SourceKind
from harness.catalog.versions import Version
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.locks import exclusive_lock
from harness.errors import InfrastructureError, UsageError
from harness.files import file_digest
from harness.sources.archives import (
    archive_path,
    lock_path,
)
from harness.sources.source_version import (
    FILES,
    ReadFile,
    stated_version,
)

PRODUCTS = tuple(FILES)

#: Files of version control, editors and Python among the sources; they change while those do not.
_LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__", ".DS_Store"})
_LEFT_OUT_ENDS = (".swp", "~", ".pyc", ".pyo")

# A compiler's output. All files of a packed tree have the same time, so make(1) would not compile
# these again, and link objects that have other flags, or are for another OpenSSL. OpenSSL's .d
# files name header paths of the user's machine. Neither product's releases have such file names.
_OUTPUT = re.compile(r".*\.(?:o|lo|a|la|d|so(?:\.[\d.]+)?)")
# Output of "make makefiles"; Postfix's Makefile.in would keep it.
_OUTPUT_PATHS = frozenset({"conf/makedefs.out"})

# The first part of a name in an archive, with "./", since tar(1) needs that to find the member.
_TOP = re.compile(r"(?:\./)?([^/]+)")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~-]*")

_BROKEN = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class _Option:
    """The value of ``--source``, split into its parts."""

    value: str
    product: str
    version: str
    path: Path

    @property
    def id(self) -> str:
        return f"{self.product}-{self.version}"

    def usage_error(self, what: str, next_step: str) -> UsageError:
        return UsageError(f"--source {self.value}: {what}", next_step=next_step)


def parse_user_source(value: str, cache_dir: Path) -> Release:
    """Read ``PRODUCT-VERSION=PATH``, the value of ``--source``.

    A tarball (plain, gzip, bzip2 or xz) is used where it is. A folder is packed into the cache,
    without the files of version control, editors and Python, and without the output of a compiler
    or of "make makefiles" (``*.o``, ``*.a``, ``*.so``, ``*.d``, ``conf/makedefs.out``), so that
    make compiles everything. All other files are packed, ``*.orig`` too.

    Raises:
        UsageError: the value is malformed; there is no such product, version or path; it cannot be
            read; or the source states another version.
        InfrastructureError: the cache cannot be written.
    """
    option = _parse_option(value)
    try:
        if option.path.stat() and option.path.is_dir():
            source = _source_of_folder(option, cache_dir)
        else:
            source = _source_of_tarball(option)
    except OSError as error:
        raise option.usage_error(
            f"{error.filename or option.path} cannot be read: {error.strerror or error}",
            "name a folder or a tarball that is there, and that this user may read",
        ) from error
    return Release(option.product, option.version, None, (source,))


def _parse_option(value: str) -> _Option:
    name, _, path = value.partition("=")
    product, _, version = name.partition("-")
    option = _Option(value, product, version, Path(path).expanduser().absolute())
    if not (path and version) or product not in PRODUCTS:
        raise option.usage_error(
            f"it is not RELEASE=PATH with a release of {' or '.join(PRODUCTS)}",
            "write what the source is, and where: postfix-3.1.0=/home/me/postfix",
        )
    try:
        Version.parse(version)
    except UsageError as error:
        raise option.usage_error(error.what, error.next_step) from error
    return option


def _source_of_tarball(option: _Option) -> Source:
    what = f"the local archive {option.path}"
    try:
        with tarfile.open(option.path, "r:*") as tar:
            members = {member.name: member for member in tar}
            subdir = _find_top_folder(option, members)

            def read(name: str) -> bytes | None:
                member = members.get(f"{subdir}/{name}")
                file = tar.extractfile(member) if member and member.isreg() else None
                return file.read() if file else None

            _check_version(option, what, read)
    except _BROKEN as error:
        raise option.usage_error(
            f"this is no whole tar archive: {str(error).partition(chr(10))[0]}",
            "name a tarball (plain, gzip, bzip2 or xz), or an unpacked folder",
        ) from error
    return _local_source(file_digest(option.path), subdir, option.path, what)


def _source_of_folder(option: _Option, cache_dir: Path) -> Source:
    what, folder = f"the local tree {option.path}", option.path

    def read(name: str) -> bytes | None:
        return (folder / name).read_bytes() if (folder / name).is_file() else None

    _check_version(option, what, read)
    # Usually the cache has it already; so the hash is computed first, without writing.
    sha256 = _pack_folder(folder, option.id)
    path = archive_path(cache_dir, sha256)
    try:
        with exclusive_lock(lock_path(cache_dir, sha256), Cancel(), lambda: None):
            if not (path.is_file() and file_digest(path) == sha256):
                _cache_packed(option, sha256, path)
    except OSError as error:
        if error.filename and Path(str(error.filename)).is_relative_to(folder):
            raise
        raise InfrastructureError(
            f"{path} cannot be written: {error.strerror or error}",
            next_step="make room there, or name another place for caches (XDG_CACHE_HOME)",
        ) from error
    return _local_source(sha256, option.id, path, what)


def _local_source(sha256: str, subdir: str, path: Path, origin: str) -> Source:
    return Source(SourceKind.LOCAL, sha256, 0, subdir, path=str(path), origin=origin)


def _find_top_folder(option: _Option, members: Mapping[str, tarfile.TarInfo]) -> str:
    """The one top folder of an archive, as the names of its members begin."""
    tops: dict[str, bool] = {}
    for name, member in members.items():
        match = _TOP.match(name)
        if match and match[1] != ".":
            below = match[0] != name or member.isdir()
            tops[match[0]] = tops.get(match[0], True) and below and bool(_PLAIN.fullmatch(match[1]))
    if len(tops) == 1 and all(tops.values()):
        return next(iter(tops))
    shown = ", ".join(sorted(tops)[:5]) or "nothing"
    raise option.usage_error(
        f"at its top the archive has {shown}, and not just one folder",
        f"pack it as releases are, all below {option.id}/; or name an unpacked folder",
    )


def _check_version(option: _Option, what: str, read: ReadFile) -> None:
    """Compare the version that the option names with the one that the source states."""
    stated = stated_version(option.product, read)
    if stated == option.version:
        return
    if stated is None:
        raise option.usage_error(
            f"{what} does not say which {option.product} it is: it has no "
            f"{' or '.join(FILES[option.product])} that does",
            f"name the root of a source tree of {option.product}",
        )
    raise option.usage_error(
        f"{what} says that it is {option.product} {stated}, not {option.version}",
        f"write --source {option.product}-{stated}=..., or name another source",
    )


def _cache_packed(option: _Option, sha256: str, path: Path) -> None:
    """Write the packed folder into the cache."""
    part = path.with_name(".packed")
    with part.open("wb") as out:
        packed_sha256 = _pack_folder(option.path, option.id, out)
    if packed_sha256 != sha256:
        part.unlink()
        raise option.usage_error(
            f"{option.path} changed while it was read", "let nothing write there, and start again"
        )
    part.replace(path)


class _Hashing:
    """A writable file: hashes the data, and passes it to ``out`` if there is one."""

    def __init__(self, out: BinaryIO | None) -> None:
        self.sha256 = hashlib.sha256()
        self._out = out

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        if self._out:
            self._out.write(data)
        return len(data)


def _pack_folder(folder: Path, top: str, out: BinaryIO | None = None) -> str:
    """Pack a folder, below the name ``top``; return the archive's SHA-256."""
    sink = _Hashing(out)
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for path in [folder, *_list_paths(folder, folder)]:
            inside = path.relative_to(folder).as_posix()
            info = tarfile.TarInfo(top if inside == "." else f"{top}/{inside}")
            if path.is_symlink() and path != folder:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
                tar.addfile(info)
            elif path.is_dir():
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            else:
                _add_file(tar, info, path)
    return sink.sha256.hexdigest()


def _add_file(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        info.size = status.st_size
        info.mode = 0o755 if status.st_mode & 0o100 else 0o644
        tar.addfile(info, file)


def _list_paths(folder: Path, root: Path) -> Iterator[Path]:
    """All paths below a folder that belong to the source, in an order of the names' bytes."""
    for path in sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name)):
        plain_folder = path.is_dir() and not path.is_symlink()
        if _is_left_out(path, root, plain_folder=plain_folder):
            continue
        yield path
        if plain_folder:
            yield from _list_paths(path, root)


def _is_left_out(path: Path, root: Path, *, plain_folder: bool) -> bool:
    if path.name in _LEFT_OUT:
        return True
    if plain_folder:
        return False
    if not (path.is_symlink() or path.is_file()):
        # A socket or a device is not part of a source.
        return True
    is_output = _OUTPUT.fullmatch(path.name) or path.relative_to(root).as_posix() in _OUTPUT_PATHS
    return bool(is_output) or path.name.endswith(_LEFT_OUT_ENDS)
