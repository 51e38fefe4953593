"""Where a configuration is read from: files, folders, tars and standard input.

Nothing is written, nothing is unpacked to the disk, and nothing that could block is opened: a named
pipe or a device in a folder is reported instead.
"""

from __future__ import annotations

import io
import os
import posixpath
import stat
import sys
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.config_input.text import (
    MAIN_CF,
    MASTER_CF,
    MOST_BYTES,
    STDIN,
    decode_text,
)
from harness.errors import FileError, FileLocation, UsageError
from harness.input_files import OPENED, describe_kind
from harness.scenarios.configuration_files import (
    DEFAULT_CONFIG_DIRECTORY,
    MOST_FILE_BYTES,
    FileFound,
    FilePassedOver,
    FileTree,
)

#: The files that make a folder a configuration.
CONFIG_FILES = (MAIN_CF, MASTER_CF)
#: A tar may have this many bytes when it is unpacked; /etc has a few MiB.
MOST_TAR_BYTES = 256 << 20
_MOST_MEMBERS = 100_000
_MOST_LINKS = 16
_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")


@dataclass(slots=True)
class ConfigurationSource:
    """The texts of a configuration, and where the further files that they name may be.

    ``directory`` is the value of ``$config_directory``, where it is known from elsewhere than
    main.cf.
    """

    texts: dict[Path, str] = field(default_factory=dict)
    trees: list[FileTree] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    directory: str | None = None

    def add_text(self, path: Path, data: bytes) -> None:
        """Add a text.

        Raises:
            FileError: the data is not text.
        """
        text, notes = decode_text(data, path)
        self.texts[path] = text
        self.notes += notes


def read_source(
    names: Iterable[str], on_terminal: Callable[[], None] = lambda: None
) -> ConfigurationSource:
    """Read the names of a command line; ``-`` is standard input.

    ``on_terminal`` is called before lines are read from a terminal.

    Raises:
        UsageError: a name that is neither a file nor a folder, a folder or tar without a
            configuration, or a file that cannot be read.
    """
    source = ConfigurationSource()
    for name in names:
        if name == str(STDIN):
            if sys.stdin.isatty():
                on_terminal()
            _add_stream(source, sys.stdin.buffer)
        elif Path(name).is_dir():
            _add_folder(source, Path(name))
        elif name.startswith(OPENED):
            with _open_file(name) as file:
                _add_stream(source, file)
        else:
            data = _read_regular_file(Path(name))
            if name.endswith(_TAR_ENDINGS):
                _add_tar(source, Path(name), data)
            else:
                source.add_text(Path(name), data[: MOST_BYTES + 1])
    return source


def _open_file(name: str) -> IO[bytes]:
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error


def _add_stream(source: ConfigurationSource, file: IO[bytes]) -> None:
    """Read a pipe to its end: text, or a tar."""
    data = file.read(MOST_TAR_BYTES + 1)
    if _is_tar(data):
        _add_tar(source, STDIN, data)
    else:
        source.add_text(STDIN, data)


def _is_tar(data: bytes) -> bool:
    """Whether data is a tar, by its first bytes: gzip, xz, bzip2, or POSIX ustar (at 257)."""
    return data.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"BZh")) or data[257:262] == b"ustar"


def _read_regular_file(path: Path) -> bytes:
    """A regular file's content.

    Raises:
        UsageError: there is no such file.
        FileError: it is not a regular file, or it cannot be read.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if path.is_symlink():
            raise UsageError(f"{path} is a dangling link") from error
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise UsageError(
                f"{path} is neither a file nor a scenario",
                next_step="name a main.cf, a master.cf, a folder or tar of them, or a scenario of "
                "'postfix-matrix list'",
            ) from error
        raise FileError(FileLocation(path), f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise FileError(FileLocation(path), f"is {describe_kind(mode)}", expected="a file")
    most = MOST_TAR_BYTES if path.name.endswith(_TAR_ENDINGS) else MOST_BYTES
    return _read_bytes(path, most + 1)


def _read_bytes(path: Path, most: int) -> bytes:
    """At most ``most`` bytes of a file; a pipe that took its place meanwhile does not block."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(most) or b""
    except OSError as error:
        raise FileError(FileLocation(path), f"cannot be read: {error.strerror}") from error


def _add_folder(source: ConfigurationSource, folder: Path) -> None:
    """A folder such as /etc/postfix, or one that has an etc/postfix in it."""
    root: Path | None = None
    try:
        if not _has_configuration(folder) and _has_configuration(folder / "etc" / "postfix"):
            root, folder = folder, folder / "etc" / "postfix"
        present = [name for name in CONFIG_FILES if os.path.lexists(folder / name)]
        next(folder.iterdir(), None)
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from error
    if not present:
        raise UsageError(
            f"{folder} has neither a main.cf nor a master.cf",
            next_step="name a folder such as /etc/postfix, or the files themselves",
        )
    for name in present:
        source.add_text(folder / name, _read_regular_file(folder / name))
    directory = _stated_directory(source.texts.get(folder / MAIN_CF, ""))
    source.trees.append(FolderTree(folder, directory, root))


def _has_configuration(folder: Path) -> bool:
    return any(os.path.lexists(folder / name) for name in CONFIG_FILES)


def _stated_directory(main_cf: str) -> str:
    """The ``config_directory`` that a main.cf sets, else /etc/postfix."""
    for line in main_cf.split("\n"):
        name, equals, value = line.partition("=")
        if equals and name.strip() == "config_directory" and value.strip().startswith("/"):
            return value.strip()
    return DEFAULT_CONFIG_DIRECTORY


def _path_inside(path: str, config_directory: str) -> str | None:
    """A path relative to the configuration directory; None where it is not below it."""
    clean = posixpath.normpath(path)
    for directory in (config_directory.rstrip("/"), DEFAULT_CONFIG_DIRECTORY):
        if clean.startswith(f"{directory}/"):
            return clean[len(directory) + 1 :]
    return None


@dataclass(frozen=True, slots=True)
class FolderTree:
    """A folder in place of the configuration directory, and ``root`` in place of /, if given."""

    folder: Path
    directory: str
    root: Path | None = None

    def read(self, path: str) -> FileFound | FilePassedOver | None:
        """See :class:`~harness.scenarios.configuration_files.FileTree`."""
        inside = _path_inside(path, self.directory)
        if inside is not None:
            return self._read_file(self.folder / inside)
        if self.root is not None:
            return self._read_file(self.root / posixpath.normpath(path).lstrip("/"))
        return None

    def _read_file(self, path: Path) -> FileFound | FilePassedOver | None:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return FilePassedOver("it is a dangling link") if path.is_symlink() else None
        except (OSError, ValueError) as error:
            return FilePassedOver(f"it cannot be read: {getattr(error, 'strerror', error)}")
        if not stat.S_ISREG(status.st_mode):
            return FilePassedOver(f"it is {describe_kind(status.st_mode)}")
        if status.st_size > MOST_FILE_BYTES:
            return FilePassedOver(f"it has more than {MOST_FILE_BYTES >> 20} MiB")
        try:
            return FileFound(_read_bytes(path, MOST_FILE_BYTES))
        except FileError as error:
            return FilePassedOver(f"it {error.what.partition(': ')[2]}")


def _add_tar(source: ConfigurationSource, path: Path, data: bytes) -> None:
    """Add a tar of /etc/postfix, or of more: the place of its main.cf is the configuration's."""
    name = "the tar on standard input" if path == STDIN else str(path)
    members, archive = _read_members(name, data)
    tree = TarTree(archive, members)
    bases = [
        posixpath.dirname(member)
        for member in members
        if posixpath.basename(member) in CONFIG_FILES
    ]
    if not bases:
        raise UsageError(
            f"{name} has neither a main.cf nor a master.cf",
            next_step="make it with 'tar -C /etc -czf postfix.tar.gz postfix'",
        )
    base = min(
        set(bases),
        key=lambda directory: (
            not f"/{directory}".endswith("/etc/postfix"),
            len(directory),
            directory,
        ),
    )
    for file in CONFIG_FILES:
        if (member := posixpath.join(base, file)) in members:
            file_read = tree.read_member(member, most=MOST_BYTES)
            where = Path(posixpath.join("tar", member)) if path == STDIN else path / member
            if not isinstance(file_read, FileFound):
                why = file_read.why if file_read else "it is a dangling link"
                raise FileError(FileLocation(where), f"cannot be read: {why}")
            source.add_text(where, file_read.data)
    main_cf = next(
        (text for source_path, text in source.texts.items() if source_path.name == MAIN_CF), ""
    )
    tree.set_place(base, _stated_directory(main_cf))
    source.trees.append(tree)


def _read_members(name: str, data: bytes) -> tuple[dict[str, tarfile.TarInfo], tarfile.TarFile]:
    """The members of a tar by their paths without a leading "./" or "/".

    Raises:
        UsageError: it is not a tar, it is broken, or it unpacks to more than a configuration has.
    """
    members: dict[str, tarfile.TarInfo] = {}
    try:
        # Closed with the process: members are read from it when they are needed.
        archive = tarfile.open(fileobj=io.BytesIO(data), mode="r:*")  # noqa: SIM115
        for member in archive:
            if member.offset + member.size > MOST_TAR_BYTES or len(members) > _MOST_MEMBERS:
                raise UsageError(
                    f"{name} unpacks to more than a configuration can be",
                    next_step="make a tar of /etc/postfix alone",
                )
            members[_member_path(member.name)] = member
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        message = str(error).partition("\n")[0].rstrip(":")
        raise UsageError(f"{name} is not a readable tar: {message}") from error
    except Exception as error:  # lzma.LZMAError and zlib.error have no common base
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{name} is not a readable tar: {error}") from error
    return members, archive


def _member_path(name: str) -> str:
    return posixpath.normpath("/" + name).lstrip("/")


@dataclass(slots=True)
class TarTree:
    """A tar, read in memory; ``root`` is the member path that stands for /."""

    archive: tarfile.TarFile
    members: dict[str, tarfile.TarInfo]
    base: str = ""
    directory: str = DEFAULT_CONFIG_DIRECTORY
    root: str = ""

    def set_place(self, base: str, directory: str) -> None:
        """Set where in the tar the configuration is, and which directory that stands for."""
        self.base, self.directory = base, directory
        for ending in (directory, DEFAULT_CONFIG_DIRECTORY):
            if f"/{base}".endswith(ending):
                self.root = f"/{base}".removesuffix(ending).strip("/")
                return

    def read(self, path: str) -> FileFound | FilePassedOver | None:
        """See :class:`~harness.scenarios.configuration_files.FileTree`."""
        inside = _path_inside(path, self.directory)
        if inside is not None:
            return self.read_member(posixpath.join(self.base, inside))
        return self.read_member(posixpath.join(self.root, posixpath.normpath(path).lstrip("/")))

    def read_member(
        self, path: str, most: int = MOST_FILE_BYTES
    ) -> FileFound | FilePassedOver | None:
        """The file at a path in the tar, links followed."""
        entry = self.members.get(path)
        for _ in range(_MOST_LINKS):
            if entry is None or not (entry.issym() or entry.islnk()):
                break
            target = entry.linkname
            if entry.issym() and not target.startswith("/"):
                target = posixpath.join("/", posixpath.dirname(entry.name), target)
            elif entry.issym():
                target = posixpath.join("/", self.root, target.lstrip("/"))
            entry = self.members.get(_member_path(target))
            if entry is None:
                return FilePassedOver("it is a dangling link")
        if entry is None:
            return None
        if not entry.isreg():
            return FilePassedOver(f"it is {_member_kind(entry)}")
        if entry.size > most:
            return FilePassedOver(f"it has more than {most >> 20} MiB")
        try:
            file = self.archive.extractfile(entry)
            return FileFound(file.read() if file else b"")
        except Exception as error:  # lzma.LZMAError and zlib.error have no common base
            return FilePassedOver(f"it cannot be read: {error}")


def _member_kind(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "a folder"
    if member.issym() or member.islnk():
        return "a link in a circle of links"
    return "a named pipe" if member.isfifo() else "a device"
