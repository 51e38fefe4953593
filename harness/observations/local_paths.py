"""Paths of the machine that makes a run do not enter its run folder, which is there to be shared.

What the candidate's own texts and Postfix's log name is evidence, and stays as it is: these are
paths of the candidate, or of a container.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from harness.paths import cache_dir

#: Home folders where Linux and macOS have them.
_HOMES = re.compile(r"(?<![\w./~-])/(?:(?:home|Users)/[^/\s:,;'\"()]+|root)(?![\w.-])")
#: An absolute path inside an argument: ``/x``, ``--runs=/x``, ``NAME=/x``, ``a:/x``, ``~/x``.
_IN_ARGUMENT = re.compile(r"(?:^|(?<=[=,:]))(?:~[^/=,:]*)?/[^=,:]*")


def hide_in_command(command: Sequence[str]) -> tuple[str, ...]:
    """A command line with ``…/NAME`` for each absolute path; relative paths name no machine."""
    return tuple(_IN_ARGUMENT.sub(_shorten_path, argument) for argument in command)


def hide_homes(value: Any) -> Any:
    """JSON values with ``~`` for home folders; for what an earlier version wrote."""
    return _replace_texts(value, lambda text: _HOMES.sub("~", text))


def hide_local_paths(value: Any, places: Mapping[str, str]) -> Any:
    """JSON values with names for the places of a machine, the longest path first.

    Args:
        value: texts, or lists and objects that contain texts; keys of objects stay.
        places: absolute paths, and what stands for each (see :func:`places_of_machine`).
    """
    patterns = [
        # A path goes on with a letter: /work is not in /workshop.
        (re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w.-])"), name)
        for path, name in sorted(places.items(), key=lambda item: -len(item[0]))
    ]

    def hide(text: str) -> str:
        for pattern, name in patterns:
            text = pattern.sub(name, text)
        return text

    return hide_homes(_replace_texts(value, hide))


def hide_in_record(run: Mapping[str, Any]) -> dict[str, Any]:
    """``run.json`` without paths of the machine that made the run, as earlier versions wrote it.

    What is not as it should be is left for the reader of the record to refuse.
    """
    hidden = dict(run)
    for key in ("images", "missing"):
        if key in hidden:
            hidden[key] = hide_homes(hidden[key])
    if isinstance(images := hidden.get("images"), dict):
        for image in images.values():
            if isinstance(image, dict) and isinstance(image.get("build_log"), str):
                image["build_log"] = PurePath(image["build_log"]).name
    if isinstance(scenarios := hidden.get("scenarios"), Mapping):
        hidden["scenarios"] = {
            name: {**info, "source": hide_homes(info["source"])}
            if isinstance(info, Mapping) and "source" in info
            else info
            for name, info in scenarios.items()
        }
    command = hidden.get("command")
    if isinstance(command, list) and all(isinstance(each, str) for each in command):
        hidden["command"] = hide_in_command(command)
    return hidden


def places_of_machine(run_folder: Path) -> dict[str, str]:
    """The folders of runs, of the cache, of temporary files, the working folder, and the home.

    A working folder directly below the root, such as /srv, is left out: containers have it too.
    """
    cwd = Path.cwd()
    places = {
        tempfile.gettempdir(): "TMPDIR",
        str(Path.home()): "~",
        str(cache_dir()): "CACHE",
        **({str(cwd): "."} if len(cwd.parts) > 2 else {}),
        str(run_folder.resolve().parent): "RUNS",
    }
    places.pop("/", None)
    return places


def _shorten_path(match: re.Match[str]) -> str:
    return f"…/{match[0].rstrip('/').rpartition('/')[2]}"


def _replace_texts(value: Any, replace: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, Mapping):
        return {key: _replace_texts(each, replace) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_texts(each, replace) for each in value]
    return value
