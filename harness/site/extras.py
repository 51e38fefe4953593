"""The packages of the extra ``site``, which the other commands do not need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from harness.errors import UsageError

EXTRA = "site"


def load_pyarrow() -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        UsageError: the extra is not installed.
    """
    return _load_module("pyarrow"), _load_module("pyarrow.parquet")


def load_feedgen() -> Any:
    """The module ``feedgen.feed``.

    Raises:
        UsageError: the extra is not installed.
    """
    return _load_module("feedgen.feed")


def _load_module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise UsageError(
            f"publishing needs the package {package}, which is not installed ({error})",
            cause=f"it comes with the extra {EXTRA!r}",
            next_step=f"pip install 'postfix-matrix[{EXTRA}]'",
        ) from None
