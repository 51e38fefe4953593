"""What a source archive says it is. It is read only: nothing of it is unpacked or run."""

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

#: How archives begin: gzip, xz, bzip2. An unpacked tar has a mark of its own at byte 257.
_BEGINNINGS = (b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh")
_TAR_MARK = 257

#: What is read is headers and makedefs, a hundred kilobytes at most. More is none of them.
_MOST = 1 << 20

#: Where the dates are, and how they are written.
_DATES = (
    ("src/global/mail_version.h", r'^#define\s+MAIL_RELEASE_DATE\s+"(\d{8})"', "%Y%m%d"),
    ("VERSION.dat", r'^RELEASE_DATE="?([^"\n]+)', "%d %b %Y"),
    ("crypto/opensslv.h", r'VERSION_TEXT\s+"OpenSSL .*?(\d+ \w+ \d{4})"', "%d %b %Y"),
    ("include/openssl/opensslv.h", r'VERSION_TEXT\s+"OpenSSL .*?(\d+ \w+ \d{4})"', "%d %b %Y"),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The version that a source has by its own words, and its date.

    ``version`` is None for a product whose source is not asked, ``date`` where none is told.
    """

    version: str | None
    date: date | None = None


def is_archive(path: Path) -> bool:
    """Whether a file begins as a tar archive, packed or not; a web page does not."""
    with path.open("rb") as file:
        head = file.read(_TAR_MARK + 5)
    return head.startswith(_BEGINNINGS) or head[_TAR_MARK:] == b"ustar"


def identify(path: Path, product: str, root: str) -> Identity:
    """What the archive's source says; ``root`` is the folder that must hold all of it.

    Raises:
        SourceError: no whole archive, another root, or a source that does not say what it is.
    """
    files = FILES.get(product, ())
    found = _read(path, root, {*files, "makedefs"})
    if not files:
        return Identity(None)
    version = stated_version(product, found.get)
    if version is None:
        raise SourceError(f"no file of it says which {product} it is (not {' or '.join(files)})")
    return Identity(version, _date(found))


def _read(path: Path, root: str, names: set[str]) -> dict[str, bytes]:
    """The files of these names below the root, of an archive that must be whole."""
    found = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                parts = PurePosixPath(member.name).parts
                if parts and (parts[0] != root or ".." in parts):
                    raise SourceError(f"it holds {member.name!r}, and all must be below {root}/")
                inside = "/".join(parts[1:])
                if inside in names and member.isfile() and member.size <= _MOST:
                    file = tar.extractfile(member)
                    found[inside] = file.read() if file else b""
            _read_out(tar)
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"it is no whole tar archive: {error}") from error
    return found


def _read_out(tar: tarfile.TarFile) -> None:
    """Read what follows the last member: only its end shows that a packed file is whole."""
    if tar.fileobj is not None:
        while tar.fileobj.read(_MOST):
            pass


def _date(found: dict[str, bytes]) -> date | None:
    for name, pattern, form in _DATES:
        text = found.get(name, b"").decode("utf-8", "replace")
        told = re.search(pattern, text, re.MULTILINE)
        if told:
            # "xx XXX xxxx" in a source between two releases.
            with suppress(ValueError):
                return datetime.strptime(told[1], form).date()
    return None
