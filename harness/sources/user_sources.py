"""A user's own source as a release: a tarball as it is, or a folder, packed.

The recipes take an archive, and its hash decides which image is built. So a folder is packed in a
way that depends on nothing but names, contents and who may execute what: the same tree gives the
same hash on any machine, whenever it was checked out.
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
from harness.files import digest
from harness.sources.archives import (
    archive_path,
    lock_path,
)
from harness.sources.source_version import (
    FILES,
    Read,
    stated_version,
)

PRODUCTS = tuple(FILES)

#: What version control, editors and Python keep beside the sources; it changes while they do not.
_FOREIGN = frozenset({".git", ".hg", ".svn", "__pycache__", ".DS_Store"})
_FOREIGN_ENDS = (".swp", "~", ".pyc", ".pyo")

# What a compiler made. All files of a packed tree have one time, so make(1) would take it for done
# and link what was compiled with other flags, or for another OpenSSL. OpenSSL's .d files name
# headers where the user's machine has them. Neither product's releases have files of such names.
_MADE = re.compile(r".*\.(?:o|lo|a|la|d|so(?:\.[\d.]+)?)")
# What "make makefiles" wrote; Postfix's Makefile.in would keep it.
_MADE_PATHS = frozenset({"conf/makedefs.out"})

# The first part of a name in an archive; "./" belongs to it, since tar(1) is asked by it.
_TOP = re.compile(r"(?:\./)?([^/]+)")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~-]*")

_BROKEN = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class _Option:
    """What ``--source`` was given, taken apart."""

    word: str
    product: str
    version: str
    path: Path

    @property
    def id(self) -> str:
        return f"{self.product}-{self.version}"

    def wrong(self, what: str, next_step: str) -> UsageError:
        return UsageError(f"--source {self.word}: {what}", next_step=next_step)


def parse_local(word: str, cache_dir: Path) -> Release:
    """Read ``PRODUCT-VERSION=PATH``, the value of ``--source``.

    A tarball (plain, gzip, bzip2 or xz) is taken where it lies. A folder is packed into the cache.
    Left out are version control's data, editors' and Python's leftovers, and what a compiler or
    "make makefiles" made (``*.o``, ``*.a``, ``*.so``, ``*.d``, ``conf/makedefs.out``), so that make
    compiles everything anew. All else is the user's and goes along, ``*.orig`` too.

    Raises:
        UsageError: no such word, product, version or path; not readable; or the source says that
            it is another version.
        InfrastructureError: the cache cannot be written.
    """
    option = _parse(word)
    try:
        if option.path.stat() and option.path.is_dir():
            source = _tree(option, cache_dir)
        else:
            source = _tarball(option)
    except OSError as error:
        raise option.wrong(
            f"{error.filename or option.path} cannot be read: {error.strerror or error}",
            "name a folder or a tarball that is there, and that this user may read",
        ) from error
    return Release(option.product, option.version, None, (source,))


def _parse(word: str) -> _Option:
    name, _, place = word.partition("=")
    product, _, version = name.partition("-")
    option = _Option(word, product, version, Path(place).expanduser().absolute())
    if not (place and version) or product not in PRODUCTS:
        raise option.wrong(
            f"it is not RELEASE=PATH with a release of {' or '.join(PRODUCTS)}",
            "write what the source is, and where: postfix-3.1.0=/home/me/postfix",
        )
    try:
        Version.parse(version)
    except UsageError as error:
        raise option.wrong(error.what, error.next_step) from error
    return option


def _tarball(option: _Option) -> Source:
    what = f"the local archive {option.path}"
    try:
        with tarfile.open(option.path, "r:*") as tar:
            members = {one.name: one for one in tar}
            subdir = _top(option, members)

            def read(name: str) -> bytes | None:
                member = members.get(f"{subdir}/{name}")
                file = tar.extractfile(member) if member and member.isreg() else None
                return file.read() if file else None

            _check(option, what, read)
    except _BROKEN as error:
        raise option.wrong(
            f"this is no whole tar archive: {str(error).partition(chr(10))[0]}",
            "name a tarball (plain, gzip, bzip2 or xz), or an unpacked folder",
        ) from error
    return _source(digest(option.path), subdir, option.path, what)


def _tree(option: _Option, cache_dir: Path) -> Source:
    what, folder = f"the local tree {option.path}", option.path

    def read(name: str) -> bytes | None:
        return (folder / name).read_bytes() if (folder / name).is_file() else None

    _check(option, what, read)
    # Most of the time it is there from before; so it is written only when its hash is known.
    sha256 = _pack(folder, option.id)
    path = archive_path(cache_dir, sha256)
    try:
        with exclusive_lock(lock_path(cache_dir, sha256), Cancel(), lambda: None):
            if not (path.is_file() and digest(path) == sha256):
                _keep(option, sha256, path)
    except OSError as error:
        if error.filename and Path(str(error.filename)).is_relative_to(folder):
            raise
        raise InfrastructureError(
            f"{path} cannot be written: {error.strerror or error}",
            next_step="make room there, or name another place for caches (XDG_CACHE_HOME)",
        ) from error
    return _source(sha256, option.id, path, what)


def _source(sha256: str, subdir: str, path: Path, origin: str) -> Source:
    return Source(SourceKind.LOCAL, sha256, 0, subdir, path=str(path), origin=origin)


def _top(option: _Option, members: Mapping[str, tarfile.TarInfo]) -> str:
    """The one folder that all of an archive is in, as its names begin."""
    tops: dict[str, bool] = {}
    for name, member in members.items():
        match = _TOP.match(name)
        if match and match[1] != ".":
            below = match[0] != name or member.isdir()
            tops[match[0]] = tops.get(match[0], True) and below and bool(_PLAIN.fullmatch(match[1]))
    if len(tops) == 1 and all(tops.values()):
        return next(iter(tops))
    shown = ", ".join(sorted(tops)[:5]) or "nothing"
    raise option.wrong(
        f"at its top the archive has {shown}, and not just one folder",
        f"pack it as releases are, all below {option.id}/; or name an unpacked folder",
    )


def _check(option: _Option, what: str, read: Read) -> None:
    """Hold the release that the option names against what the source says of itself."""
    stated = stated_version(option.product, read)
    if stated == option.version:
        return
    if stated is None:
        raise option.wrong(
            f"{what} does not say which {option.product} it is: it has no "
            f"{' or '.join(FILES[option.product])} that does",
            f"name the root of a source tree of {option.product}",
        )
    raise option.wrong(
        f"{what} says that it is {option.product} {stated}, not {option.version}",
        f"write --source {option.product}-{stated}=..., or name another source",
    )


def _keep(option: _Option, sha256: str, path: Path) -> None:
    """Write the packed folder into the cache."""
    part = path.with_name(".packed")
    with part.open("wb") as out:
        found = _pack(option.path, option.id, out)
    if found != sha256:
        part.unlink()
        raise option.wrong(
            f"{option.path} changed while it was read", "let nothing write there, and start again"
        )
    part.replace(path)


class _Hashing:
    """A file to write to: counts into a hash what it gets, and hands it on if there is a file."""

    def __init__(self, out: BinaryIO | None) -> None:
        self.sha256 = hashlib.sha256()
        self._out = out

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        if self._out:
            self._out.write(data)
        return len(data)


def _pack(folder: Path, top: str, out: BinaryIO | None = None) -> str:
    """Pack a folder, below the name ``top``; gives the archive's SHA-256."""
    sink = _Hashing(out)
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for path in [folder, *_walk(folder, folder)]:
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


def _walk(folder: Path, root: Path) -> Iterator[Path]:
    """All below a folder that belongs to the source, in an order that depends on names only."""
    for path in sorted(folder.iterdir(), key=lambda one: os.fsencode(one.name)):
        plain_folder = path.is_dir() and not path.is_symlink()
        if _left_out(path, root, plain_folder=plain_folder):
            continue
        yield path
        if plain_folder:
            yield from _walk(path, root)


def _left_out(path: Path, root: Path, *, plain_folder: bool) -> bool:
    if path.name in _FOREIGN:
        return True
    if plain_folder:
        return False
    if not (path.is_symlink() or path.is_file()):
        # A socket or a device is nobody's source.
        return True
    made = _MADE.fullmatch(path.name) or path.relative_to(root).as_posix() in _MADE_PATHS
    return bool(made) or path.name.endswith(_FOREIGN_ENDS)
