"""A clock that jumps, for one process and its children: faketime's library, where it is there."""

from __future__ import annotations

from pathlib import Path

_LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
              "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")  # fmt: skip


def clock_library() -> Path | None:
    """The library (Debian's package libfaketime); None: it is not there."""
    return next((path for name in _LIBRARIES if (path := Path(name)).exists()), None)


def clock_environment(offset: Path) -> dict[str, str]:
    """The environment of a process whose clock has the offset, in seconds, that is in a file.

    The file is read at each look at the clock. The monotonic clock goes on as it is: no setting of
    a machine's clock changes that.
    """
    library = clock_library()
    if library is None:
        return {}
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
