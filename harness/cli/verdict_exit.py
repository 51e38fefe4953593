"""``--exit-code``: the exit code that follows from the verdicts on a run's advice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from harness.cli.grouped_help import OptionGroup, grouped_option
from harness.errors import ExitCode
from harness.verdicts.verdict import ScenarioVerdict, Verdict

_AGAINST_ADVICE = frozenset({Verdict.REFUTED, Verdict.HARMFUL})


def exit_code_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --exit-code to a command, as ``by_verdict``."""
    return grouped_option(
        OptionGroup.OUTPUT,
        "--exit-code",
        "by_verdict",
        is_flag=True,
        help="Exit with 1 where some advice is refuted or harmful on a build, else with 3 "
        "where some could not be measured.",
    )(command)


def exit_code_of(verdicts: Iterable[ScenarioVerdict]) -> int:
    """1 where a build is refuted or harmful, else 3 where one is unmeasured, else 0."""
    build_verdicts = {
        build_verdict.verdict for verdict in verdicts for build_verdict in verdict.builds
    }
    if build_verdicts & _AGAINST_ADVICE:
        return ExitCode.DIFFERS
    return ExitCode.INFRASTRUCTURE if Verdict.UNMEASURED in build_verdicts else ExitCode.OK
