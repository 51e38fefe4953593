"""What can be wrong with a file before its content is read: its kind, its bytes, its size.

Each fault changes one valid file of a base, and says what the message must name.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Larger than any file that is read; without a byte on the disk.
HUGE = 3 << 30
_DEEP = 5_000
_LONG_NUMBER = "7" * 5_000


@dataclass(frozen=True)
class FileFault:
    """A fault; ``damage`` changes the file, ``formats`` are those that it is a fault of."""

    name: str
    damage: Callable[[Path, random.Random], None]
    formats: frozenset[str] = frozenset({"toml", "json", "jsonl", "cf", "text", "lock"})


def replace_by(make: Callable[[Path], object]) -> Callable[[Path, random.Random], None]:
    """A fault that puts something else in the file's place."""

    def damage(path: Path, _random: random.Random) -> None:
        path.unlink()
        make(path)

    return damage


def change_bytes(
    change: Callable[[bytes, random.Random], bytes],
) -> Callable[[Path, random.Random], None]:
    """A fault that changes the file's bytes."""

    def damage(path: Path, generator: random.Random) -> None:
        path.write_bytes(change(path.read_bytes(), generator))

    return damage


def _insert(what: bytes) -> Callable[[bytes, random.Random], bytes]:
    def change(data: bytes, generator: random.Random) -> bytes:
        at = generator.randrange(len(data) - 1)
        return data[:at] + what + data[at:]

    return change


def _make_sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, HUGE)


def _link_in_circle(path: Path) -> None:
    path.symlink_to(path.name)


_TOML = frozenset({"toml"})
_JSON = frozenset({"json", "jsonl"})
_STRICT = frozenset({"toml", "json", "jsonl", "lock"})

FAULTS = (
    FileFault("FIFO", replace_by(lambda path: os.mkfifo(path))),
    FileFault("device", replace_by(lambda path: path.symlink_to("/dev/zero"))),
    FileFault("full device", replace_by(lambda path: path.symlink_to("/dev/full"))),
    FileFault("null device", replace_by(lambda path: path.symlink_to("/dev/null"))),
    FileFault("dangling link", replace_by(lambda path: path.symlink_to("nowhere"))),
    FileFault("link in a circle", replace_by(_link_in_circle)),
    FileFault("folder", replace_by(lambda path: path.mkdir())),
    # Opening this file works, and reading it fails, even for root.
    FileFault("unreadable", replace_by(lambda path: path.symlink_to("/proc/self/mem"))),
    FileFault("huge", replace_by(_make_sparse)),
    FileFault("not UTF-8", change_bytes(_insert(b"\xff\xfe\xfa")), _STRICT),
    FileFault("NUL", change_bytes(_insert(b"\0"))),
    FileFault("UTF-16", change_bytes(lambda data, _: data.decode().encode("utf-16")), _STRICT),
    FileFault("empty JSON", change_bytes(lambda *_: b""), frozenset({"json"})),
    FileFault("spaces", change_bytes(lambda *_: b" \n\n"), frozenset({"json"})),
    FileFault("cut off", change_bytes(lambda data, r: data[: r.randrange(1, len(data) - 3)]),
              frozenset({"json"})),
    FileFault("deep", change_bytes(lambda *_: b"[" * _DEEP), _JSON),
    FileFault("deep and closed", change_bytes(lambda *_: b"[" * _DEEP + b"]" * _DEEP + b"\n"),
              _JSON),
    FileFault("deep objects",
              change_bytes(lambda *_: b'{"a":' * _DEEP + b"1" + b"}" * _DEEP + b"\n"), _JSON),
    FileFault("deep list", change_bytes(
        lambda data, _: b"x = " + b"[" * _DEEP + b"]" * _DEEP + b"\n" + data), _TOML),
    FileFault("deep table", change_bytes(
        lambda data, _: b"x = " + b"{a=" * _DEEP + b"1" + b"}" * _DEEP + b"\n" + data), _TOML),
    FileFault("deep key", change_bytes(
        lambda data, _: b"[" + b"a." * _DEEP + b"a]\n" + data), _TOML),
    FileFault("long number", change_bytes(
        lambda data, _: f"x = {_LONG_NUMBER}\n".encode() + data), _TOML),
    FileFault("long number", change_bytes(lambda *_: f'{{"schema": {_LONG_NUMBER}}}\n'.encode()),
              _JSON),
    FileFault("number", change_bytes(lambda *_: b"17\n"), _JSON),
    FileFault("list", change_bytes(lambda *_: b"[1, 2]\n"), _JSON),
    FileFault("text", change_bytes(lambda *_: b'"text"\n'), _JSON),
    FileFault("null", change_bytes(lambda *_: b"null\n"), _JSON),
    FileFault("not JSON", change_bytes(lambda *_: b"schema: 1\n"), _JSON),
    FileFault("not TOML", change_bytes(lambda data, _: data + b"schema: 1\n"), _TOML),
    FileFault("key twice", change_bytes(lambda data, _: b"x = 1\nx = 2\n" + data), _TOML),
    FileFault("open text", change_bytes(lambda data, _: data + b'x = """'), _TOML),
    FileFault("infinite number", change_bytes(lambda data, _: b"x = inf\n" + data), _TOML),
    FileFault("no date", change_bytes(lambda data, _: b"x = 2026-13-45\n" + data), _TOML),
    FileFault("no line of a lock", change_bytes(lambda data, _: data + b"debian-13 sha256:12\n"),
              frozenset({"lock"})),
    FileFault("words in a lock", change_bytes(lambda data, _: b"pull everything\n" + data),
              frozenset({"lock"})),
    FileFault("JSON as a lock", change_bytes(lambda *_: b"{}\n"), frozenset({"lock"})),
    FileFault("empty", change_bytes(lambda *_: b""), frozenset({"cf-alone"})),
    FileFault("comments alone", change_bytes(lambda *_: b"# nothing\n\n#\n"),
              frozenset({"cf-alone"})),
)  # fmt: skip
