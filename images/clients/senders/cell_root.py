"""Roots of their own for programs whose configuration and queue have fixed paths.

A cell's root is a tree of hard links to files that were copied once: the programs, the libraries
that they load, and a few files of /etc. All of it lies below /dev, where /dev/null and /dev/urandom
can be linked too: mknod(2) needs a capability that the container does not have.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from programs import ask_program

_ROOTS = Path("/dev/postfix-matrix")
_DEVICES = ("null", "zero", "random", "urandom")
_ETC = ("passwd", "group", "services", "protocols", "ssl/openssl.cnf")
#: How names and users are looked up, and the C library's modules for that, which no program names.
_LOOKUPS = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
_MODULES = ("libnss_files", "libnss_dns", "libgcc_s", "libresolv")
#: Of a container's own /etc, which the engine makes: they are copied as they are now.
_NAMES = ("hosts", "resolv.conf", "hostname")


def list_linked(programs: Sequence[str]) -> list[str]:
    """The programs, and the files of the shared libraries that they load, with the loader."""
    found: dict[str, None] = dict.fromkeys(programs)
    for program in programs:
        output = ask_program("/usr/bin/ldd", program)
        found |= dict.fromkeys(re.findall(r"(?:=> |^\s+)(/\S+)", output, re.M))
    folders = {str(Path(name).parent) for name in found if "/libc.so" in name}
    modules = [
        str(file)
        for folder in folders
        for name in _MODULES
        for file in Path(folder).glob(f"{name}[.-]*")
    ]
    return [*found, *modules]


class RootTemplate:
    """The files that each cell's root has; made once, linked for each cell."""

    def __init__(self, programs: Sequence[str], files: Sequence[str] = ()) -> None:
        """``files`` are further files, or folders with all their files, in their places."""
        self._programs = list_linked(programs)
        self._files = files
        self._path = _ROOTS / "template"
        self._numbers = itertools.count()

    def make_root(self) -> Path:
        """A new root, with its devices, an empty /tmp, and the names of this container."""
        if not self._path.exists():
            self._make_template()
        root = _ROOTS / str(next(self._numbers))
        shutil.copytree(self._path, root, symlinks=True, copy_function=os.link)
        for name in _NAMES:
            shutil.copyfile(f"/etc/{name}", root / "etc" / name)
        return root

    def _make_template(self) -> None:
        making = self._path.with_suffix(".new")
        listed = [f"/etc/{name}" for name in _ETC]
        for name in (*self._programs, *listed, *self._files):
            if Path(name).exists():
                _copy_in(name, making)
        for folder in ("etc", "tmp", "dev", "run", "var/run"):
            (making / folder).mkdir(parents=True, exist_ok=True)
        (making / "tmp").chmod(0o1777)
        (making / "etc/nsswitch.conf").write_text(_LOOKUPS)
        for device in _DEVICES:
            os.link(f"/dev/{device}", making / "dev" / device)
        making.rename(self._path)


def _copy_in(name: str, root: Path) -> None:
    target = root / name.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(name).is_dir():
        shutil.copytree(name, target, dirs_exist_ok=True)
    else:
        # Two names of one library may lead to one file: a copy each, as what they lead to.
        shutil.copy2(name, target)


def remove_root(root: Path) -> None:
    """Remove a cell's root, whatever still writes to it."""
    with suppress(OSError):
        shutil.rmtree(root)


class CellLog:
    """A root's /dev/log: what its programs report by syslog(3), line by line as it comes."""

    def __init__(self, root: Path, on_line: Callable[[str], None]) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # A path of a socket has 107 bytes at most; this one has fewer than 50.
        path = root / "dev" / "log"
        self._socket.bind(str(path))
        path.chmod(0o666)
        self._socket.setblocking(False)
        #: All lines so far, without priority and time.
        self.lines: list[str] = []
        self._on_line = on_line
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self.read_lines)

    def read_lines(self) -> None:
        """Take the lines that have come."""
        while True:
            try:
                line = self._socket.recv(65536).decode("utf-8", "replace")
            except BlockingIOError:
                return
            self.lines.append(re.sub(r"^<\d+>\w{3} [ \d]\d [\d:]{8} ", "", line).strip())
            self._on_line(self.lines[-1])

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
