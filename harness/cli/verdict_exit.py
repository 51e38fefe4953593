"""``--exit-code``: what the process returns by the verdicts on a run's advice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from harness.errors import ExitCode
from harness.verdicts.verdict import ScenarioVerdict, Verdict

_AGAINST_ADVICE = frozenset({Verdict.REFUTED, Verdict.HARMFUL})


def exit_code_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --exit-code to a command, as ``by_verdict``."""
    return click.option(
        "--exit-code",
        "by_verdict",
        is_flag=True,
        help="Return 1 where some advice is refuted or harmful on a build, else 3 where some could "
        "not be measured.",
    )(command)


def exit_code_of(verdicts: Iterable[ScenarioVerdict]) -> int:
    """1 by a refuted or harmful build, else 3 by one that is unmeasured, else 0."""
    given = {one.verdict for verdict in verdicts for one in verdict.builds}
    if given & _AGAINST_ADVICE:
        return ExitCode.DIFFERS
    return ExitCode.INFRASTRUCTURE if Verdict.UNMEASURED in given else ExitCode.OK
