"""The options of ``run`` for cells of an earlier run, and what is told of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.cli.grouped_help import OptionGroup, grouped_option
from harness.errors import UsageError
from harness.observations.reuse import ReuseDecision
from harness.observations.run_folder import has_run, load_run
from harness.run.job import Job
from harness.run.reuse import RunReuse, compare_with_run
from harness.run.run_folders import LATEST


def reuse_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --reuse, --fresh and --verbose to the command."""
    for option in (
        grouped_option(
            OptionGroup.OUTPUT,
            "--verbose",
            "-v",
            is_flag=True,
            help="With --reuse, count why cells are measured.",
        ),
        grouped_option(
            OptionGroup.MEASURING,
            "--fresh",
            is_flag=True,
            help="Measure every cell, which is the default.",
        ),
        grouped_option(
            OptionGroup.MEASURING,
            "--reuse",
            metavar="RUN",
            help=f"Take over the cells of this run folder, or of '{LATEST}', for which nothing "
            "has changed, and measure the others.",
        ),
    ):
        command = option(command)
    return command


def find_reused_run(
    reuse: str | None, *, fresh: bool, resume: Path | None, runs: Path
) -> Path | None:
    """The run folder that --reuse names; None: everything is to be measured.

    Raises:
        UsageError: options that exclude each other, or there is no such run.
    """
    if reuse is None:
        return None
    for option, is_given in (("--fresh", fresh), ("--resume", resume is not None)):
        if is_given:
            raise UsageError(f"--reuse and {option} exclude each other", next_step="give one")
    folder = runs / LATEST if reuse == LATEST else Path(reuse)
    if not has_run(folder):
        raise UsageError(
            f"there is no run in {folder}",
            cause="--reuse names no run folder, or the run ended before it began to measure",
            next_step="name a run folder, or leave --reuse out, which measures every cell",
        )
    return Path(os.path.realpath(folder))


def add_reuse(job: Job, folder: Path, time_limit: float) -> tuple[Job, RunReuse]:
    """The job with what it takes over from a run's folder.

    The engine is asked for nothing but the ids of images.

    Raises:
        InfrastructureError: no Docker engine answers.
        UsageError: the folder is no run.
    """
    source = load_run(folder)
    # Docker's client takes half a second to load.
    from harness.docker_engine.session import connect
    from harness.run.image_ids import read_image_ids

    client = connect()
    try:
        ids = read_image_ids(client, job.plan, job.builds, job.user_clients)
    finally:
        client.close()
    reuse = compare_with_run(source, job.plan, job.scenarios, ids, time_limit)
    return replace(job, known=reuse), reuse


def describe_reuse(reuse: RunReuse, *, verbose: bool) -> Iterator[str]:
    """Lines that tell how many cells are taken over, and with ``verbose`` why others are not."""
    decision = reuse.decision
    taken, left = len(decision.taken), len(decision.reasons)
    yield f"{taken} of {taken + left} cells are taken over from {reuse.source.folder}"
    if left:
        yield from _describe_reasons(decision, verbose=verbose)


def _describe_reasons(decision: ReuseDecision, *, verbose: bool) -> Iterator[str]:
    counts = decision.count_reasons()
    most = next(iter(counts.items()))
    if not verbose:
        others = "; -v counts all reasons" if len(counts) > 1 else ""
        yield f"{len(decision.reasons)} are measured, most because {most[0]} ({most[1]}){others}"
        return
    yield f"{len(decision.reasons)} are measured, because"
    width = len(str(most[1]))
    yield from (f"  {count:>{width}}  {reason}" for reason, count in counts.items())
