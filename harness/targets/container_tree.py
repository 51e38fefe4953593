"""A configuration in a running container: its texts, and its other files by their paths.

``postconf -h config_directory`` in the container gives the configuration's folder; files are copied
out of it one by one, and links are followed inside the container. Nothing in it is changed.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from requests import RequestException

from harness.config_input.text import MOST_BYTES
from harness.errors import UsageError
from harness.scenarios.configuration_files import (
    DEFAULT_CONFIG_DIRECTORY,
    MOST_FILE_BYTES,
    FileFound,
    FilePassedOver,
)
from harness.scenarios.configuration_source import (
    CONFIG_FILES,
    ConfigurationSource,
)
from harness.scenarios.scenario import CONFIG_DIRECTORY

_MOST_LINKS = 16
#: Bits of a file's mode as Docker gives it, which is Go's os.FileMode.
_GO_DIR, _GO_LINK = 1 << 31, 1 << 27
_GO_SPECIAL = (1 << 26) | (1 << 25) | (1 << 24) | (1 << 21)


def read_configuration_of(container: Container, name: str) -> ConfigurationSource:
    """Read main.cf and master.cf of a running container, and give access to its other files.

    ``name`` is what messages call the container. Where it has neither file, there are no texts.

    Raises:
        UsageError: one of the two cannot be read.
    """
    directory = find_config_directory(container)
    tree = ContainerTree(container, directory)
    source = ConfigurationSource(trees=[tree], directory=directory)
    for file in CONFIG_FILES:
        path = posixpath.join(directory, file)
        file_read = tree.copy_file(path, MOST_BYTES)
        if isinstance(file_read, FilePassedOver):
            raise UsageError(f"{path} of the container {name!r} cannot be read: {file_read.why}")
        if file_read is not None:
            source.add_text(Path(f"{name}:{path}"), file_read.data)
    return source


def find_config_directory(container: Container) -> str:
    """The configuration's folder by the container's own postconf, else the default."""
    try:
        answer: Any = container.exec_run(["postconf", "-h", CONFIG_DIRECTORY], demux=True)
    except (DockerException, RequestException):
        return DEFAULT_CONFIG_DIRECTORY
    out = (answer.output[0] or b"").decode("utf-8", "replace").strip()
    # Without postconf in it, the output is the runtime's error text, with exit code 126 or 127.
    if answer.exit_code == 0 and out.startswith("/") and "\n" not in out:
        return posixpath.normpath(out)
    return DEFAULT_CONFIG_DIRECTORY


def format_engine_error(error: Exception) -> str:
    """The engine's error text in one line."""
    text = error.explanation if isinstance(error, APIError) and error.explanation else error
    return " ".join(str(text).split())


@dataclass(frozen=True, slots=True)
class ContainerTree:
    """The files of a running container; ``directory`` is its configuration directory."""

    container: Container
    directory: str

    def read(self, path: str) -> FileFound | FilePassedOver | None:
        """See :class:`~harness.scenarios.configuration_files.FileTree`."""
        if not path.startswith("/") or "\0" in path:
            return None
        return self.copy_file(posixpath.normpath(path), MOST_FILE_BYTES)

    def copy_file(self, path: str, most: int) -> FileFound | FilePassedOver | None:
        """A file of at most ``most`` bytes, links followed inside the container."""
        for _ in range(_MOST_LINKS):
            try:
                stream, status = self.container.get_archive(path)
            except NotFound:
                return None
            except (DockerException, RequestException) as error:
                return FilePassedOver(f"it cannot be read: {format_engine_error(error)}")
            # The engine sends while we read; closing the stream ends that where we need no content.
            status = status or {"mode": 0, "size": 0}
            with closing(stream):  # type: ignore[type-var]
                mode = int(status["mode"])
                if mode & _GO_LINK:
                    if not self._path_exists(status["linkTarget"]):
                        return FilePassedOver("it is a dangling link")
                    path = posixpath.normpath(posixpath.join("/", status["linkTarget"]))
                    continue
                if mode & _GO_DIR:
                    return FilePassedOver("it is a folder")
                if mode & _GO_SPECIAL:
                    return FilePassedOver("it is a named pipe, a socket or a device")
                if int(status["size"]) > most:
                    return FilePassedOver(f"it has more than {most >> 20} MiB")
                return _only_file(b"".join(stream))
        return FilePassedOver("it is a link in a circle of links")

    def _path_exists(self, path: str) -> bool:
        try:
            stream, _ = self.container.get_archive(path)
        except NotFound:
            return False
        except (DockerException, RequestException):
            return True
        with closing(stream):  # type: ignore[type-var]
            return True


def _only_file(data: bytes) -> FileFound | FilePassedOver:
    """The content of the only file in a tar from the engine."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            member = archive.next()
            file = archive.extractfile(member) if member is not None and member.isreg() else None
            return FileFound(file.read()) if file else FilePassedOver("it is not a regular file")
    except (tarfile.TarError, OSError) as error:
        return FilePassedOver(f"it cannot be read: {error}")
