"""Makes a tool's image from a build's: needed packages, wheels, then what the tool starts from."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound
from filelock import FileLock

from harness.docker_engine.cancel import Cancel
from harness.docker_engine.containers import run_container
from harness.docker_engine.session import DockerSession, engine_errors
from harness.errors import BuildError, UsageError
from harness.images import labels as names
from harness.images.docker_build import BuildOrder, build_image
from harness.tools.preparation import (
    WHEELS_DIRECTORY,
    ImageContext,
    base_context,
    digest_wheels,
    packages_context,
    wheels_context,
)
from harness.tools.tool_file import HardeningTool, ToolBase, ToolNeeds

#: The value of an image's label "kind".
KIND = "tool"
#: Platforms whose wheels glibc of every supported distribution can load (PEP 600), newest first.
_PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
_PYTHON_FACTS = (
    "import sys, platform; print('%d.%d %s' % (sys.version_info[:2] + (platform.machine(),)))"
)


@dataclass(frozen=True, slots=True)
class ToolImageMaker:
    """Makes images of tools. Its methods block; ``on_step`` gets each step of a build."""

    session: DockerSession
    cache_dir: Path
    cancel: Cancel
    on_step: Callable[[str], None]

    def make_image(self, tool: HardeningTool, image: str, base: ToolBase | Path) -> str:
        """The id of the image in which the tool runs; ``image`` is the build's id.

        Raises:
            UsageError: the packages cannot be installed there, or pip cannot find them.
            InfrastructureError: the engine failed.
        """
        needs = tool.needs
        if needs.apt or needs.debs:
            image = self._ensure_image(packages_context(image, needs), tool)
        if needs.wheels is not None:
            image = self._ensure_image(self._make_wheels_context(image, needs, needs.wheels), tool)
        return self._ensure_image(base_context(image, base), tool)

    def _ensure_image(self, context: ImageContext, tool: HardeningTool) -> str:
        """The image of a context, built unless it exists; gives its id.

        Raises:
            UsageError: a step of it failed, which is the description's or the build's fault.
        """
        reference = context.reference
        lock = self.cache_dir / "locks" / f"{reference.replace('/', '-').replace(':', '-')}.lock"
        with FileLock(lock):
            if existing := self._find_image(reference):
                return existing
            labels = {
                names.KIND: KIND,
                names.OCI_TITLE: tool.title,
                names.RECIPE: context.digest,
            }
            order = BuildOrder(f"tool {tool.title}", context.to_archive(), labels=labels)
            log = self.cache_dir / "logs" / f"tool-{context.digest[:12]}.log"
            log.write_text(f"# {reference}\n", "utf-8")
            client = self.session.client
            try:
                image = build_image(client.api, order, log, self.cancel, self.on_step)
            except BuildError as error:
                raise UsageError(
                    f"{tool.path}: what the tool needs cannot be prepared\n{error.what}",
                    next_step="see whether the build's distribution has the packages",
                ) from error
            repository, _, tag = reference.rpartition(":")
            with engine_errors(f"tagging {reference}"):
                client.api.tag(image, repository, tag)
            return image

    def _find_image(self, reference: str) -> str:
        with engine_errors(f"looking for {reference}"):
            try:
                return str(self.session.client.images.get(reference).id)
            except ImageNotFound:
                return ""

    def _make_wheels_context(self, image: str, needs: ToolNeeds, lock: Path) -> ImageContext:
        """What a lock of PyPI's packages gives, for the Python of an image."""
        version, machine = self._read_python(image)
        folder = self._install_wheels(needs, lock, version, machine)
        return wheels_context(image, folder, needs, f"{version} {machine}")

    def _read_python(self, image: str) -> tuple[str, str]:
        command = ["python3", "-c", _PYTHON_FACTS]
        with run_container(
            self.session.client,
            image,
            command,
            labels=self.session.labels,
            cancel=self.cancel,
        ) as done:
            if done.code != 0:
                raise UsageError(
                    "needs.wheels: the build has no Python 3",
                    cause=done.err.strip(),
                    next_step='add it: needs = {apt = ["python3"], wheels = ...}',
                )
            version, machine = done.out.split()
            return version, machine

    def _install_wheels(self, needs: ToolNeeds, lock: Path, version: str, machine: str) -> Path:
        """A folder of this machine with the packages; made once for them and a Python.

        Packages come from PyPI through this machine: a container does not have its certificates.

        Raises:
            UsageError: pip cannot find them.
        """
        content = f"{digest_wheels(needs)} {version} {machine}"
        key = hashlib.sha256(content.encode()).hexdigest()[:16]
        folder = self.cache_dir / "wheels" / key
        if folder.is_dir():
            return folder
        self.on_step("fetching packages from PyPI")
        unfinished = folder.with_name(f"{key}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        platforms = [f"--platform={name}_{machine}" for name in _PLATFORMS]
        chosen = [
            *("--quiet", "--disable-pip-version-check", "--only-binary=:all:"),
            *(f"--python-version={version}", "--implementation=cp", *platforms),
        ]
        options = ["--no-compile", "--no-warn-script-location", "--target", str(unfinished)]
        _run_pip(["install", *chosen, *options, "-r", str(lock)], str(lock), version)
        for requirement, paths in needs.parts.items():
            with tempfile.TemporaryDirectory(prefix="postfix-matrix-wheel-") as name:
                command = ["download", *chosen, "--no-deps", "--dest", name, requirement]
                _run_pip(command, requirement, version)
                _extract_parts(Path(name), paths, unfinished)
        _set_interpreter(unfinished / "bin")
        with suppress(OSError):
            unfinished.rename(folder)
        return folder


def _run_pip(arguments: list[str], of: str, version: str) -> None:
    """Run this Python's pip.

    Raises:
        UsageError: it cannot find what it is to install, or there is no pip.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = "\n".join(f"    {line}" for line in done.stderr.splitlines()[-8:])
        raise UsageError(
            f"{of}: pip cannot get this for Python {version}\n{last}",
            next_step="name versions that have wheels for it",
        )


def _extract_parts(folder: Path, parts: Sequence[str], target: Path) -> None:
    """Take some folders out of the only wheel of a folder."""
    exact = {part.rstrip("/") for part in parts}
    prefixes = tuple(f"{part}/" for part in exact)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if n in exact or n.startswith(prefixes)]
            archive.extractall(target, names)


def _set_interpreter(folder: Path) -> None:
    """Let the programs run with the container's Python; pip wrote this machine's."""
    for path in folder.iterdir() if folder.is_dir() else ():
        first, newline, rest = path.read_bytes().partition(b"\n")
        if first.startswith(b"#!") and b"python" in first:
            path.write_bytes(b"#!/usr/bin/python3" + newline + rest)
            path.chmod(0o755)


def environment_of(tool: HardeningTool) -> dict[str, str]:
    """The environment of a tool's commands."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    more: dict[str, Any] = {}
    if tool.needs.wheels is not None:
        path = f"{WHEELS_DIRECTORY}/bin:{path}"
        more["PYTHONPATH"] = WHEELS_DIRECTORY
    return {
        "PATH": path,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
        **tool.variables,
    }
