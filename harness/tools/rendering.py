"""A generator on this machine: runs once per build, and prints main.cf or fills a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.tools.result import ToolExecution
from harness.tools.tool_file import HardeningTool

#: A larger rendered file is refused; in bytes.
_MOST_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a generator gave: the files by their path in the configuration directory."""

    run: ToolExecution
    files: Mapping[str, bytes]


def render_configuration(tool: HardeningTool, names: Mapping[str, str]) -> Rendered:
    """Run a generator in the folder of its description.

    Where its command refers to ``{output}``, that is a new folder which it fills; else what it
    prints is main.cf. ``names`` are the values of ``{build}``, ``{postfix}`` and ``{openssl}``;
    ``{python}`` is this program's own interpreter.

    Raises:
        UsageError: the generator is not installed, or made no file that can be read.
    """
    with tempfile.TemporaryDirectory(prefix="postfix-matrix-render-") as name:
        output = Path(name)
        command = tool.fill_command(
            tool.render, {**names, "output": str(output), "python": sys.executable}
        )
        fills_folder = any("{output}" in text for text in tool.render)
        run, printed = _run_command(tool, command)
        if run.status != 0:
            return Rendered(run, {})
        files = {"main.cf": printed} if not fills_folder else _read_folder(output)
    return Rendered(run, files)


def _run_command(tool: HardeningTool, command: list[str]) -> tuple[ToolExecution, bytes]:
    """One execution, and its standard output; standard error is the run's output."""
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            cwd=tool.path.parent,
            env={**os.environ, **tool.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(
            f"{tool.path}: render: {command[0]} cannot be run: {error.strerror}",
            next_step="install it on this machine, or write its path",
        ) from None
    with process:
        try:
            printed, output = process.communicate(timeout=tool.time_limit)
        except subprocess.TimeoutExpired as error:
            return _make_run(None, bytes(error.stderr or b""), started), b""
        finally:
            # Also the programs that it started, which would go on.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    return _make_run(process.returncode, output, started), printed


def _make_run(status: int | None, output: bytes, started: float) -> ToolExecution:
    return ToolExecution(status, output.decode("utf-8", "replace"), time.monotonic() - started)


def _read_folder(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size <= _MOST_BYTES:
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files
