"""Since which version: cells that change alike, what to measure next, runs read as one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.versions import Version
from harness.errors import UsageError
from harness.observations.merging import merge
from harness.observations.rundir import RunData
from harness.verdicts.bisecting import candidates, middle_first, open_borders
from harness.verdicts.borders import Axis, Border, Segment
from harness.verdicts.since import since
from tests.unit.sample_verdicts import run_of

PAIRS = {
    "postfix-3.5.25+openssl-1.1.1w": ("3.5.25", "1.1.1w"),
    "postfix-3.10.13+openssl-1.1.1w": ("3.10.13", "1.1.1w"),
}
OLD = "postfix-3.5.25+openssl-1.1.1w"


def run(builds: dict[str, tuple[str, str]] = PAIRS) -> RunData:
    """TLSv1.1 and TLSv1 change between the two releases, TLSv1.2 does not."""
    new = {"TLSv1": "refused protocol-version", "TLSv1.1": "refused protocol-version"}
    cells = {"defaults": {"smtp": {"TLSv1.2": "TLSv1.2", **new}}}
    old = {"defaults": {"smtp": {"TLSv1": "TLSv1", "TLSv1.1": "TLSv1"}}}
    return run_of(cells, builds=builds, only={OLD: old})


def test_cells_that_change_alike_are_told_together() -> None:
    """Protects readers: one border is one sentence, however many cells it moves."""
    constant, changing = since(run(), "defaults")
    assert constant.found.constant
    assert [place.rpartition("/")[2] for place in changing.places] == ["TLSv1", "TLSv1.1"]
    (border,) = changing.found.axes[0].borders
    assert (str(border.before.last), str(border.after.first)) == ("3.5.25", "3.10.13")
    assert not border.exact
    assert since(run(), "defaults/submission/*") == ()


def test_the_next_build_halves_the_border_and_pairs_what_can_be_paired() -> None:
    """Protects time: the middle release first, with an OpenSSL that it can be built with."""
    (border,) = open_borders(one.found for one in since(run(), "defaults"))
    others = [Version.parse("1.0.2h"), Version.parse("1.1.1w")]
    names = list(candidates(border, others, tried=PAIRS))
    middle = border.between[len(border.between) // 2]
    assert names[0] == f"postfix-{middle}+openssl-1.1.1w"
    assert not any("1.0.2h" in name for name in names if name.startswith("postfix-3.9"))
    assert next(candidates(border, others, tried={*PAIRS, names[0]})) != names[0]


VERSIONS = st.lists(st.integers(0, 60), unique=True).map(
    lambda numbers: [Version.parse(f"3.{n}") for n in sorted(numbers)]
)


@given(VERSIONS)
def test_halving_asks_for_each_release_once(versions: list[Version]) -> None:
    """Protects the end: every release between is asked for, none twice, the middle first."""
    found = middle_first(versions)
    assert sorted(found) == versions
    if versions:
        assert found[0] == versions[len(versions) // 2]


@given(VERSIONS, st.integers(0, 59))
def test_measuring_the_middle_always_ends(versions: list[Version], at: int) -> None:
    """Protects the promise: with every source at hand, no release of the catalog is left."""
    edge = Version.parse(f"3.{at}.5")
    measured = [Version.parse("2.0"), Version.parse("4.0")]
    for _ in range(70):
        below = max(v for v in measured if v < edge)
        above = min(v for v in measured if v >= edge)
        between = tuple(v for v in versions if below < v < above)
        border = Border(
            Axis.POSTFIX, Segment("a", below, below), Segment("b", above, above), between
        )
        if not border.between:
            return
        measured.append(middle_first(between)[0])
    pytest.fail("it never ended")


def test_two_runs_are_read_as_one() -> None:
    """Protects bisecting: more builds stand beside the first ones, each cell once."""
    more = {"postfix-3.7.11+openssl-1.1.1w": ("3.7.11", "1.1.1w")}
    both = merge(run(), run(more))
    assert both.run.axes.builds == (*PAIRS, *more)
    assert len(both.observations) == 9
    assert merge(both, run(more)) == both
    other = replace(
        run(more), observations=tuple(replace(o, config="x") for o in run(more).observations)
    )
    with pytest.raises(UsageError, match="are not of the same defaults"):
        merge(run(), other)
