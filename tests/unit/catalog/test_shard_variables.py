"""Which shard a machine has, by its command line or by the variables of its system."""

from __future__ import annotations

import pytest

from harness.catalog.shard_variables import read_shard
from harness.errors import UsageError

SLURM = {"SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_STEP": "2"}


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("2/4", {"CI_NODE_INDEX": "9"}, "2/4"),
        ("auto", {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "4"},
         "1/4, by CI_NODE_INDEX=1 and CI_NODE_TOTAL=4 (GitLab)"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "0"}, "1/4, by JOB_COMPLETION_INDEX=0 (Kubernetes)"),
        ("auto", {"BUILDKITE_PARALLEL_JOB": "3", "BUILDKITE_PARALLEL_JOB_COUNT": "4"},
         "4/4, by BUILDKITE_PARALLEL_JOB=3 and BUILDKITE_PARALLEL_JOB_COUNT=4 (Buildkite)"),
        ("auto", {"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "2", "CI_NODE_TOTAL": "1"},
         "1/2, by CIRCLE_NODE_INDEX=0 and CIRCLE_NODE_TOTAL=2 (CircleCI)"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "7", **SLURM},
         "3/4, by SLURM_ARRAY_TASK_ID=7 and SLURM_ARRAY_TASK_COUNT=4 and "
         "SLURM_ARRAY_TASK_MIN=3 and SLURM_ARRAY_TASK_STEP=2 (Slurm)"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "2"},
         "1/2, by SLURM_ARRAY_TASK_ID=0 and SLURM_ARRAY_TASK_COUNT=2 (Slurm)"),
        ("auto/4", {"CI_NODE_INDEX": "4", "CI_NODE_TOTAL": "4"},
         "4/4, by CI_NODE_INDEX=4 and CI_NODE_TOTAL=4 (GitLab)"),
    ],
)  # fmt: skip
def test_a_shard_is_read(text: str, environment: dict[str, str], expected: str) -> None:
    """Protects the numbering of each system, and what is printed of where it is from."""
    assert str(read_shard(text, environment)) == expected


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("5/4", {}, "there is no shard 5/4"),
        ("2", {}, "--shard 2 is no shard"),
        ("auto", {}, "found none of its variables: CI_NODE_INDEX"),
        ("auto", {"CI_NODE_TOTAL": "1"}, "CI_NODE_TOTAL=1 (GitLab) is set, but CI_NODE_INDEX is"),
        ("auto", {"JOB_COMPLETION_INDEX": "1"}, "nothing says of how many"),
        ("auto/3", {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "4"}, "auto/3 and CI_NODE_TOTAL=4"),
        ("auto", {"CI_NODE_INDEX": "0", "CI_NODE_TOTAL": "4"}, "counts from 1 here"),
        ("auto", {"CIRCLE_NODE_INDEX": "4", "CIRCLE_NODE_TOTAL": "4"}, "is none of 4 shards"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "4", **SLURM}, "in steps of 2"),
        ("auto", {"CI_NODE_INDEX": "one", "CI_NODE_TOTAL": "4"}, "CI_NODE_INDEX=one is not a num"),
        ("auto", {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "2", "JOB_COMPLETION_INDEX": "1"},
         "ambiguous: CI_NODE_INDEX (GitLab) and JOB_COMPLETION_INDEX (Kubernetes)"),
    ],
)  # fmt: skip
def test_what_says_no_shard_is_refused(
    text: str, environment: dict[str, str], message: str
) -> None:
    """Protects against machines that all measure the same: a doubt stops each of them."""
    with pytest.raises(UsageError) as caught:
        read_shard(text, environment)
    assert message in str(caught.value)
    assert "--shard" in str(caught.value) or "1/4 to" in str(caught.value)
