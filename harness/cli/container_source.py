"""A configuration out of a running container: read through Docker's archive call, nothing changed.

So users of docker-mailserver or mailcow ask in one line. The container is asked where its
configuration lies (``postconf -h config_directory``); files are copied out of it one by one, links
are followed inside of it.
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

from harness.cli.configuration_source import CONFIG_FILES, ConfigurationSource
from harness.config_input.text import MOST_BYTES
from harness.docker_engine.session import connect
from harness.errors import UsageError
from harness.scenarios.configuration_files import (
    CONFIG_DIRECTORY,
    MOST_FILE_BYTES,
    FileFound,
    FilePassedOver,
)
from harness.scenarios.scenario import OWN

#: In seconds, for one call to the engine.
_TIME_LIMIT = 60.0
_MOST_LINKS = 16
#: Bits of a file's mode as Docker gives it, which is Go's os.FileMode.
_GO_DIR, _GO_LINK = 1 << 31, 1 << 27
_GO_SPECIAL = (1 << 26) | (1 << 25) | (1 << 24) | (1 << 21)


def read_container(name: str) -> ConfigurationSource:
    """Read main.cf and master.cf of a running container, and have its files at hand.

    Raises:
        UsageError: there is no such container, it does not run, or has no configuration.
        InfrastructureError: no engine answers.
    """
    container = _running(name)
    directory = _config_directory(container)
    tree = ContainerTree(container, directory)
    source = ConfigurationSource(trees=[tree], directory=directory)
    for file in CONFIG_FILES:
        path = posixpath.join(directory, file)
        found = tree.copy(path, MOST_BYTES)
        if isinstance(found, FilePassedOver):
            raise UsageError(f"{path} of the container {name!r} cannot be read: {found.why}")
        if found is not None:
            source.add(Path(f"{name}:{path}"), found.data)
    if not source.texts:
        raise UsageError(
            f"the container {name!r} has no Postfix configuration in {directory}",
            next_step="name the container that Postfix runs in ('docker ps' lists all)",
        )
    return source


def _running(name: str) -> Container:
    client = connect(_TIME_LIMIT)
    try:
        container = client.containers.get(name)
    except NotFound:
        raise UsageError(
            f"there is no container {name!r}", next_step="'docker ps' lists those that run"
        ) from None
    except (DockerException, RequestException, ValueError) as error:
        raise UsageError(f"the container {name!r} cannot be read: {_words(error)}") from error
    if container.status != "running":
        raise UsageError(
            f"the container {name!r} is not running, but {container.status}",
            next_step=f"start it ('docker start {name}'), then ask again",
        )
    return container


def _config_directory(container: Container) -> str:
    """Where its configuration lies: as its own postconf says, else where it is by default."""
    try:
        answer: Any = container.exec_run(["postconf", "-h", OWN], demux=True)
    except (DockerException, RequestException):
        return CONFIG_DIRECTORY
    out = (answer.output[0] or b"").decode("utf-8", "replace").strip()
    # Without postconf in it, the runtime's own words come as output, with exit code 126 or 127.
    if answer.exit_code == 0 and out.startswith("/") and "\n" not in out:
        return posixpath.normpath(out)
    return CONFIG_DIRECTORY


def _words(error: Exception) -> str:
    """What the engine says, in one line."""
    text = error.explanation if isinstance(error, APIError) and error.explanation else error
    return " ".join(str(text).split())


@dataclass(frozen=True, slots=True)
class ContainerTree:
    """The files of a running container; ``own`` is its configuration directory."""

    container: Container
    own: str

    def read(self, path: str) -> FileFound | FilePassedOver | None:
        """See :class:`~harness.scenarios.configuration_files.FileTree`."""
        if not path.startswith("/") or "\0" in path:
            return None
        return self.copy(posixpath.normpath(path), MOST_FILE_BYTES)

    def copy(self, path: str, most: int) -> FileFound | FilePassedOver | None:
        """A file of at most so many bytes, links followed inside of the container."""
        for _ in range(_MOST_LINKS):
            try:
                stream, found = self.container.get_archive(path)
            except NotFound:
                return None
            except (DockerException, RequestException) as error:
                return FilePassedOver(f"it cannot be read: {_words(error)}")
            # The engine sends as it is read; closing ends that where the content is not wanted.
            found = found or {"mode": 0, "size": 0}
            with closing(stream):  # type: ignore[type-var]
                mode = int(found["mode"])
                if mode & _GO_LINK:
                    if not self._there(found["linkTarget"]):
                        return FilePassedOver("it is a link to nothing")
                    path = posixpath.normpath(posixpath.join("/", found["linkTarget"]))
                    continue
                if mode & _GO_DIR:
                    return FilePassedOver("it is a folder")
                if mode & _GO_SPECIAL:
                    return FilePassedOver("it is a named pipe, a socket or a device")
                if int(found["size"]) > most:
                    return FilePassedOver(f"it has more than {most >> 20} MiB")
                return _only_file(b"".join(stream))
        return FilePassedOver("it is a link that leads round in a circle")

    def _there(self, path: str) -> bool:
        try:
            stream, _ = self.container.get_archive(path)
        except NotFound:
            return False
        except (DockerException, RequestException):
            return True
        with closing(stream):  # type: ignore[type-var]
            return True


def _only_file(data: bytes) -> FileFound | FilePassedOver:
    """The content of the one file in a tar as the engine gives it."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            member = archive.next()
            file = archive.extractfile(member) if member is not None and member.isreg() else None
            return FileFound(file.read()) if file else FilePassedOver("it is no regular file")
    except (tarfile.TarError, OSError) as error:
        return FilePassedOver(f"it cannot be read: {error}")
