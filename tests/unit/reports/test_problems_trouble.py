"""Why a finished run ends with exit code 3, in a line or two."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from harness.observations.record import Outcome
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import Missing
from harness.reports.problems import describe_problems
from tests.unit import sample_run


@cache
def sound() -> RunData:
    """A synthetic run without an error and with nothing missing."""
    with tempfile.TemporaryDirectory() as folder:
        data = load_run(sample_run.write_sample_run(Path(folder)))
    good = tuple(cell for cell in data.observations if cell.outcome is not Outcome.ERROR)
    return replace(data, observations=good, run=replace(data.run, missing=()))


def with_errors(reasons: Mapping[str, str | None]) -> RunData:
    """The sound run with cells that are errors, each with its reason."""
    observations = tuple(
        replace(cell, outcome=Outcome.ERROR, reason=reasons[cell.cell])
        if cell.cell in reasons
        else cell
        for cell in sound().observations
    )
    return replace(sound(), observations=observations)


def with_missing(*lacks: Missing) -> RunData:
    """The sound run with unavailable builds, clients and controls."""
    return replace(sound(), run=replace(sound().run, missing=lacks))


def test_a_sound_run_has_no_trouble() -> None:
    """Refusals, time-outs and incapable clients are results and not trouble."""
    assert describe_problems(sound()) == ""


def test_errors_are_counted_with_the_commonest_reason_and_a_cell_to_look_at() -> None:
    """Who sees exit code 3 learns how many cells, mostly why, and where to read on."""
    cells = [cell.cell for cell in sound().observations][:3]
    text = describe_problems(
        with_errors({cells[0]: "no-control", cells[1]: "driver", cells[2]: "driver"})
    )
    assert text.startswith(
        "3 cells ended in an error of the harness, which is no result: the client's driver failed "
        "in 2 of them; see 'postfix-matrix show "
    )
    assert text.endswith(f" {cells[1]}'")


def test_one_error_without_a_reason() -> None:
    """An error without a reason is reported as well, in the singular."""
    text = describe_problems(with_errors({sample_run.ACCEPTED_CELL: None}))
    assert text.startswith("1 cell ended in an error of the harness, which is no result: no reason")


def test_errors_of_controls_are_trouble_too() -> None:
    """A control's error also makes the exit code 3, so it is reported, and as a control's."""
    control = next(s.cell for s in sound().observations if s.build.startswith("control-"))
    assert describe_problems(with_errors({control: "driver"})).startswith(
        "1 cell (1 of them control cells)"
    )


def test_each_missing_thing_is_named_with_the_first_line_of_why() -> None:
    """Unavailable builds, clients and controls are listed in one line per kind of reason."""
    text = describe_problems(
        with_missing(
            Missing("debian-11", "build", "no network\n  next step: look"),
            Missing("control-openssl-3.5", "control", ""),
            Missing("mine", "build", "no postconf", "image"),
            Missing("b", "build", "b does not build: no DH_new\n  next step: -", "does-not-build"),
        )
    )
    assert text == (
        "unavailable, does not build: build b (no DH_new)\n"
        "unavailable, image does not keep the contract: build mine (no postconf)\n"
        "unavailable, for other reasons: build debian-11 (no network), "
        "control control-openssl-3.5 (no reason was recorded); next step: look"
    )


def test_an_unavailable_source_is_reported_with_what_to_do() -> None:
    """An unreachable source never stands without a next step, its own or a general one."""
    entry = Missing("a", "build", "unreachable\n  next step: use --mirror URL", "source")
    text = describe_problems(with_missing(entry, replace(entry, name="b")))
    assert text == (
        "unavailable, no source: build a (unreachable), build b (unreachable); "
        "next step: use --mirror URL"
    )
    general = describe_problems(with_missing(Missing("a", "build", "unreachable", "source")))
    assert re.search(r"; next step: .*--mirror.*--source", general)


def test_an_error_of_a_marked_build_keeps_the_mark() -> None:
    """Even the cell to look at says that nothing vouches for its build."""
    data = with_errors({sample_run.ACCEPTED_CELL: "driver"})
    unverified = replace(data.run.images["debian-12"], unverified=True)
    images = {**data.run.images, "debian-12": unverified}
    text = describe_problems(replace(data, run=replace(data.run, images=images)))
    assert text.endswith(f" {sample_run.ACCEPTED_CELL}' (unverified source)")


def test_both_kinds_take_two_lines_and_drive_no_terminal() -> None:
    """Errors come first; an escape sequence in a reason is shown, not obeyed."""
    data = with_errors({sample_run.ACCEPTED_CELL: "\x1b[2J"})
    entry = Missing("debian-11", "build", "\x1b]0;x\x07")
    lines = describe_problems(replace(data, run=replace(data.run, missing=(entry,)))).split("\n")
    assert len(lines) == 2
    assert "\\x1b[2J" in lines[0]
    assert lines[1] == "unavailable, for other reasons: build debian-11 (\\x1b]0;x\\x07)"
