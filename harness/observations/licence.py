"""Under which licence a run's results are published, and how they are cited.

The data's licence is CC-BY-4.0 unless the environment variable POSTFIX_MATRIX_DATA_LICENCE names
another one when the run begins (docs/run-folder.md).
"""

from __future__ import annotations

import os
import re

from harness.errors import UsageError

VARIABLE = "POSTFIX_MATRIX_DATA_LICENCE"
DEFAULT_LICENCE = "CC-BY-4.0"
#: An SPDX identifier or expression, or a LicenseRef- of one's own (SPDX 2.3, annex D).
_EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def data_licence() -> str:
    """The licence of the data of a run that begins now.

    Raises:
        UsageError: the variable's value is no SPDX expression.
    """
    licence = os.environ.get(VARIABLE, "").strip() or DEFAULT_LICENCE
    if not _EXPRESSION.fullmatch(licence):
        raise UsageError(
            f"{VARIABLE}={licence!r} is not an SPDX licence expression",
            next_step=f"write one such as {DEFAULT_LICENCE}, CC0-1.0 or LicenseRef-internal",
        )
    return licence


def citation(tool: str, run: str, started: str, licence: str) -> str:
    """How a run's results are cited, in one line."""
    return (
        f"{tool}, run {run} of {started[:10]}: results of real SMTP clients with real Postfix "
        f"servers. Licence: {licence}"
    )
