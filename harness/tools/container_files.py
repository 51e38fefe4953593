"""Files of a container by their paths: their states, for comparisons, and a whole configuration."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

from docker.errors import DockerException, NotFound
from requests import RequestException

from harness.docker_engine.session import engine_errors
from harness.images.context import pack_files
from harness.tools.file_changes import FileKindOf, PathState

#: Bits of a file's mode as Docker gives it, which is Go's os.FileMode.
_GO_DIR = 1 << 31
#: Of a larger file only this many bytes are compared.
_MOST_BYTES = 4 << 20


def read_states(container: Any, paths: Iterable[str]) -> dict[str, PathState]:
    """What lies at these paths; a path where there is nothing is left out."""
    states: dict[str, PathState] = {}
    for path in paths:
        state = _read_state(container, path)
        if state is not None:
            states[path] = state
    return states


def put_bytes(container: Any, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Write files, content and mode by absolute path, in one archive; root owns them."""
    archive = pack_files({path.lstrip("/"): file for path, file in files.items()})
    with engine_errors(f"copying files into container {container.name}"):
        container.put_archive("/", archive.getvalue())


def _read_state(container: Any, path: str) -> PathState | None:
    """The state of one path; of a folder only its own mode and owner."""
    try:
        stream, status = container.get_archive(path)
    except NotFound:
        return None
    except (DockerException, RequestException):
        return PathState(FileKindOf.OTHER, 0)
    with closing(stream):
        is_folder = bool(int((status or {}).get("mode", 0)) & _GO_DIR)
        data = _read_begin(stream) if is_folder else b"".join(stream)
    return _state_of_tar(data)


def _read_begin(stream: Any) -> bytes:
    """The first bytes of an archive: the header of its first member, a folder."""
    return bytes(next(iter(stream), b""))


def _state_of_tar(data: bytes) -> PathState:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            member = archive.next()
            if member is None:
                return PathState(FileKindOf.OTHER, 0)
            content = b""
            kind = FileKindOf.OTHER
            if member.isdir():
                kind = FileKindOf.FOLDER
            elif member.issym() or member.islnk():
                kind, content = FileKindOf.LINK, member.linkname.encode()
            elif member.isreg():
                kind = FileKindOf.FILE
                file = archive.extractfile(member)
                content = file.read(_MOST_BYTES) if file is not None else b""
            return PathState(kind, member.mode, member.uid, member.gid, content)
    except (tarfile.TarError, OSError):
        return PathState(FileKindOf.OTHER, 0)
