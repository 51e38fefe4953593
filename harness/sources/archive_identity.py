"""The version and date that a source archive states. It is only read, never unpacked or run."""

from __future__ import annotations

import lzma
import re
import tarfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath

from harness.errors import SourceError
from harness.sources.source_version import (
    FILES,
    stated_version,
)

#: The first bytes of archives: gzip, xz, bzip2. An uncompressed tar has its mark at byte 257.
_BEGINNINGS = (b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh")
_TAR_MARK = 257

#: The files that are read, headers and makedefs, have at most about a hundred kilobytes.
_MAX_SIZE = 1 << 20

#: The files with the release dates, their patterns and date formats.
_DATES = (
    ("src/global/mail_version.h", r'^#define\s+MAIL_RELEASE_DATE\s+"(\d{8})"', "%Y%m%d"),
    ("VERSION.dat", r'^RELEASE_DATE="?([^"\n]+)', "%d %b %Y"),
    ("crypto/opensslv.h", r'VERSION_TEXT\s+"OpenSSL .*?(\d+ \w+ \d{4})"', "%d %b %Y"),
    ("include/openssl/opensslv.h", r'VERSION_TEXT\s+"OpenSSL .*?(\d+ \w+ \d{4})"', "%d %b %Y"),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The version and the date that a source states.

    ``version`` is None for a product whose source is not read, ``date`` if the source states none.
    """

    version: str | None
    date: date | None = None


def is_archive(path: Path) -> bool:
    """Whether a file begins like a tar archive, compressed or not; a web page does not."""
    with path.open("rb") as file:
        head = file.read(_TAR_MARK + 5)
    return head.startswith(_BEGINNINGS) or head[_TAR_MARK:] == b"ustar"


def identify(path: Path, product: str, root: str) -> Identity:
    """What the archive's source states; ``root`` is the folder that must hold all of it.

    Raises:
        SourceError: no whole archive, another root, or a source that does not state its version.
    """
    files = FILES.get(product, ())
    contents = _read_files(path, root, {*files, "makedefs"})
    if not files:
        return Identity(None)
    version = stated_version(product, contents.get)
    if version is None:
        raise SourceError(f"no file of it says which {product} it is (not {' or '.join(files)})")
    return Identity(version, _find_date(contents))


def _read_files(path: Path, root: str, names: set[str]) -> dict[str, bytes]:
    """The content of the named files below the root, of an archive that must be whole."""
    contents = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                parts = PurePosixPath(member.name).parts
                if parts and (parts[0] != root or ".." in parts):
                    raise SourceError(f"it holds {member.name!r}, and all must be below {root}/")
                inside = "/".join(parts[1:])
                if inside in names and member.isfile() and member.size <= _MAX_SIZE:
                    file = tar.extractfile(member)
                    contents[inside] = file.read() if file else b""
            _read_to_end(tar)
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"it is no whole tar archive: {error}") from error
    return contents


def _read_to_end(tar: tarfile.TarFile) -> None:
    """Read what follows the last member: only the end shows that a compressed file is whole."""
    if tar.fileobj is not None:
        while tar.fileobj.read(_MAX_SIZE):
            pass


def _find_date(contents: dict[str, bytes]) -> date | None:
    for name, pattern, form in _DATES:
        text = contents.get(name, b"").decode("utf-8", "replace")
        match = re.search(pattern, text, re.MULTILINE)
        if match:
            # A source between two releases has "xx XXX xxxx".
            with suppress(ValueError):
                return datetime.strptime(match[1], form).date()
    return None
