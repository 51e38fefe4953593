"""The shell script that writes files into a container whose shell is open.

The engine's copying (``PUT /containers/…/archive``) starts two processes of the engine's for each
call, which takes a tenth of a second of processor time, and its files do not appear on a tmpfs.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath

from harness.targets.lab import FileSpec


def write_files_script(files: Mapping[str, FileSpec]) -> str:
    """The script that writes files by absolute path, and creates their folders (mode 755).

    It needs nothing but the shell and mkdir(1). A file that exists keeps its mode.
    """
    if not files:
        return ""
    folders = sorted({str(PurePosixPath(path).parent) for path in files})
    lines = ["umask 022", f"mkdir -p -- {shlex.join(folders)}"]
    for path, spec in files.items():
        lines.append(f"umask {0o777 & ~spec.mode:03o}")
        lines.append(f"{{ {_print_commands(spec.text)}; }} > {shlex.quote(path)}")
    return "\n".join([*lines, "umask 022"])


def _print_commands(text: str) -> str:
    """Commands that print a text as it is; an argument cannot hold a NUL."""
    return "; printf '\\0'; ".join(f"printf %s {shlex.quote(part)}" for part in text.split("\0"))
