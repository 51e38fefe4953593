"""Which shard a machine has: as the user names it, or by the variables of its system."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.catalog.shards import Shard
from harness.errors import UsageError

_NAMED = re.compile(r"(?P<index>\d+)/(?P<count>\d+)")
_AUTO = re.compile(r"auto(?:/(?P<count>\d+))?")
_FORMS = "--shard 2/4 names it; --shard auto, or auto/4, reads the variables of the CI system"


@dataclass(frozen=True, slots=True)
class ShardVariables:
    """The variables in which a system tells a job its number and how many jobs there are.

    ``first`` is the number of the first job, or the variable that has it; ``step`` the variable
    with the distance between two numbers, "" where it is 1. ``total`` is "" where the system tells
    no total.
    """

    system: str
    index: str
    total: str
    first: int | str = 0
    step: str = ""


#: The systems, with the sources of their variables.
SYSTEMS = (
    # docs.gitlab.com/ci/variables/predefined_variables: the index from 1, and only with `parallel`;
    # the total is always there, 1 without `parallel`.
    ShardVariables("GitLab", "CI_NODE_INDEX", "CI_NODE_TOTAL", first=1),
    # kubernetes.io/docs/concepts/workloads/controllers/job: the index from 0; no variable has the
    # number of completions.
    ShardVariables("Kubernetes", "JOB_COMPLETION_INDEX", ""),
    # slurm.schedmd.com/job_array.html: --array=3-9:2 has the tasks 3, 5, 7 and 9.
    ShardVariables(
        "Slurm",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_ARRAY_TASK_COUNT",
        first="SLURM_ARRAY_TASK_MIN",
        step="SLURM_ARRAY_TASK_STEP",
    ),
    # buildkite.com/docs/pipelines/configure/environment-variables: the index from 0.
    ShardVariables("Buildkite", "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT"),
    # circleci.com/docs/variables: the index from 0.
    ShardVariables("CircleCI", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL"),
)


@dataclass(frozen=True, slots=True)
class ChosenShard:
    """A shard, and where its numbers are from: ``CI_NODE_INDEX=2 and CI_NODE_TOTAL=4 (GitLab)``.

    ``origin`` is "" where the command line names the shard.
    """

    shard: Shard
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.shard}, by {self.origin}" if self.origin else str(self.shard)


def read_shard(text: str, environment: Mapping[str, str]) -> ChosenShard:
    """The shard that ``2/4``, ``auto`` or ``auto/4`` means, with these environment variables.

    Raises:
        UsageError: it is none of these, there is no such shard, or the variables do not say which.
    """
    if named := _NAMED.fullmatch(text):
        return ChosenShard(Shard(int(named["index"]), int(named["count"])))
    automatic = _AUTO.fullmatch(text)
    if automatic is None:
        raise UsageError(f"--shard {text} is no shard", next_step=_FORMS)
    systems = [system for system in SYSTEMS if environment.get(system.index)]
    if len(systems) != 1:
        raise _refuse_systems(systems, environment)
    return _read_variables(systems[0], environment, automatic["count"])


def _read_variables(
    system: ShardVariables, environment: Mapping[str, str], named: str | None
) -> ChosenShard:
    number = _read_number(environment, system.index)
    count = _find_count(system, environment, named)
    first = system.first
    if isinstance(first, str):
        first = _read_number(environment, first) if first in environment else 0
    has_step = system.step in environment
    step = max(1, _read_number(environment, system.step)) if has_step else 1
    index, rest = divmod(number - first, step)
    used = [name for name in _variable_names(system) if name in environment]
    origin = " and ".join(f"{name}={environment[name]}" for name in used) + f" ({system.system})"
    if rest or not 0 <= index < count:
        raise UsageError(
            f"{origin} is none of {count} shards",
            cause=f"{system.system} counts from {first} here"
            + (f" in steps of {step}" if step != 1 else ""),
            next_step="give the jobs numbers without gaps, or name the shard: --shard 2/4",
        )
    return ChosenShard(Shard(index + 1, count), origin)


def _find_count(system: ShardVariables, environment: Mapping[str, str], named: str | None) -> int:
    """How many shards there are: as ``auto/4`` says, or as the system says.

    Raises:
        UsageError: neither says it, or they say different numbers.
    """
    is_told = bool(system.total and environment.get(system.total))
    if not is_told and named is None:
        raise UsageError(
            f"{system.index}={environment[system.index]} ({system.system}) says which shard, "
            "but nothing says of how many",
            cause=f"{system.total} is not set"
            if system.total
            else f"{system.system} has no variable for it",
            next_step="write the number: --shard auto/4",
        )
    count = _read_number(environment, system.total) if is_told else int(named or 0)
    if named is not None and int(named) != count:
        raise UsageError(
            f"--shard auto/{named} and {system.total}={count} ({system.system}) differ",
            next_step="leave the number out: --shard auto",
        )
    return count


def _refuse_systems(systems: list[ShardVariables], environment: Mapping[str, str]) -> UsageError:
    if systems:
        names = " and ".join(f"{system.index} ({system.system})" for system in systems)
        return UsageError(
            f"--shard auto is ambiguous: {names} are set",
            next_step="name the shard: --shard 2/4",
        )
    lonely = [
        f"{system.total}={environment[system.total]} ({system.system}) is set, but {system.index} "
        "is not: the job is not one of several"
        for system in SYSTEMS
        if system.total and environment.get(system.total)
    ]
    known = ", ".join(f"{system.index} ({system.system})" for system in SYSTEMS)
    return UsageError(
        f"--shard auto found none of its variables: {known}",
        cause="; ".join(lonely) or "this is no job of these systems",
        next_step="name the shard: --shard 2/4",
    )


def _variable_names(system: ShardVariables) -> Iterator[str]:
    yield system.index
    if system.total:
        yield system.total
    if isinstance(system.first, str):
        yield system.first
    if system.step:
        yield system.step


def _read_number(environment: Mapping[str, str], name: str) -> int:
    """A variable's value.

    Raises:
        UsageError: it is not a number.
    """
    value = environment.get(name, "")
    if not re.fullmatch(r"\d+", value):
        raise UsageError(f"{name}={value} is not a number", next_step=_FORMS)
    return int(value)
