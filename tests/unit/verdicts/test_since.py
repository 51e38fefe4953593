"""Since which version: cells that change alike, what to measure next, runs read as one."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.builds import LEGACY, STOCK, Build, UserAdditions
from harness.catalog.releases import Release, Source, SourceKind
from harness.catalog.versions import Version
from harness.cli.main import run_cli
from harness.errors import ExitCode, UsageError
from harness.images.batch_build import BuildState
from harness.observations.merging import merge_runs
from harness.observations.run_folder import RunData
from harness.observations.run_json import ScopeAxes
from harness.outcomes import Outcome
from harness.run.bisection import (
    Bisection,
    job_of,
    narrow_plan,
)
from harness.verdicts.bisection_steps import (
    Partner,
    candidate_builds,
    find_partners,
    middle_first,
    named_releases,
    open_boundaries,
)
from harness.verdicts.since import group_places, known_releases
from harness.verdicts.version_boundaries import (
    Axis,
    LabelledBuild,
    Segment,
    VersionBoundary,
)
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
    """Protects readers: one version boundary is one sentence, however many cells it concerns."""
    constant, changing = group_places(run(), "defaults")
    assert constant.found.constant
    assert [place.rpartition("/")[2] for place in changing.places] == ["TLSv1", "TLSv1.1"]
    (border,) = changing.found.axes[0].boundaries
    assert (str(border.before.last), str(border.after.first)) == ("3.5.25", "3.10.13")
    assert not border.exact
    assert group_places(run(), "defaults/submission/*") == ()


def test_what_both_sides_do_not_agree_on_says_nothing() -> None:
    """Protects boundaries: a cell that client and server report differently has no label."""
    (first, *others) = run().observations
    assert first.outcome is Outcome.ACCEPTED
    data = replace(run(), observations=(replace(first, agree=False), *others))
    constant, _ = group_places(data, "defaults")
    assert constant.found.unmeasured == (OLD,)


def partner(version: str, flavour: str = STOCK) -> Partner:
    """A version of the other axis."""
    return Partner(Version.parse(version), flavour)


def border(axis: Axis, before: str, after: str) -> VersionBoundary:
    """A boundary between two releases, with what the catalog has between."""
    old, new = Version.parse(before), Version.parse(after)
    between = tuple(version for version in known_releases()[axis] if old < version < new)
    return VersionBoundary(axis, Segment("a", old, old), Segment("b", new, new), between)


def test_the_next_build_halves_the_border_and_pairs_what_can_be_paired() -> None:
    """Protects time: the middle release first, with an OpenSSL that it can be built with."""
    (edge,) = open_boundaries(group.found for group in group_places(run(), "defaults"))
    others = [partner("1.0.2h"), partner("1.1.1w")]
    names = list(candidate_builds(edge, others, tried=PAIRS))
    middle = edge.between[len(edge.between) // 2]
    assert names[0] == f"postfix-{middle}+openssl-1.1.1w"
    assert not any("1.0.2h" in name for name in names if name.startswith("postfix-3.9"))
    assert next(candidate_builds(edge, others, tried={*PAIRS, names[0]})) != names[0]


def test_a_release_without_a_source_is_not_asked_for_again() -> None:
    """Protects time: with another OpenSSL its source is not reached either."""
    edge = border(Axis.POSTFIX, "3.8.6", "3.8.12")
    others = [partner("1.1.1w"), partner("3.0.20")]
    assert list(candidate_builds(edge, others, ())) == [
        "postfix-3.8.9+openssl-1.1.1w",
        "postfix-3.8.9+openssl-3.0.20",
    ]
    assert list(candidate_builds(edge, others, (), {"postfix-3.8.9"})) == []
    assert list(candidate_builds(edge, others, (), {"openssl-1.1.1w"})) == [
        "postfix-3.8.9+openssl-3.0.20"
    ]


def test_an_openssl_is_also_had_as_debian_packages_it() -> None:
    """Protects reach: where there is no source, there may be packages of that version."""
    edge = border(Axis.OPENSSL, "3.6.4", "4.0.0")
    packaged = "postfix-3.10.13+openssl-3.6.5-debian"
    names = list(candidate_builds(edge, [partner("3.10.13")], ()))
    assert names[:2] == ["postfix-3.10.13+openssl-3.6.5", packaged]
    assert packaged in candidate_builds(edge, [partner("3.10.13")], (), {"openssl-3.6.5"})


def test_a_distribution_that_has_the_release_comes_last() -> None:
    """Protects the other axis: a distribution brings its own OpenSSL, so pairs go before it."""
    edge = border(Axis.POSTFIX, "3.6.3", "3.6.5")
    names = list(candidate_builds(edge, [partner("1.1.1w")], ()))
    assert names == ["postfix-3.6.4+openssl-1.1.1w", "ubuntu-22.04"]


def test_partners_of_both_sides_come_before_others() -> None:
    """Protects the finding: the other version is held still where the run allows."""
    edge = border(Axis.POSTFIX, "3.5.25", "3.7.11")
    measured = [
        ("3.10.13", "3.5.7"),
        ("3.7.11", "3.0.20"),
        ("3.7.11", "1.1.1w"),
        ("3.5.25", "1.1.1w"),
        ("3.5.25", "1.1.1-pre8"),
    ]
    points = [LabelledBuild("", Version.parse(p), Version.parse(o), None) for p, o in measured]
    partners = find_partners(points, edge, known_releases()[Axis.OPENSSL])
    assert partners == [partner("1.1.1w"), partner("3.0.20"), partner("3.5.7")]


def test_the_flavour_is_held_still_too() -> None:
    """Protects the finding, and time: a stock build of that version is another OpenSSL."""
    builds = {
        "postfix-3.0.1+openssl-1.0.2h-legacy": ("3.0.1", "1.0.2h"),
        "postfix-3.0.4+openssl-1.0.2h-legacy": ("3.0.4", "1.0.2h"),
        "postfix-3.0.4+openssl-1.0.2h": ("3.0.4", "1.0.2h"),
    }
    points = [
        LabelledBuild(name, Version.parse(p), Version.parse(o), None)
        for name, (p, o) in builds.items()
    ]
    edge = border(Axis.POSTFIX, "3.0.1", "3.0.4")
    partners = find_partners(points, edge, known_releases()[Axis.OPENSSL])
    assert partners == [partner("1.0.2h", LEGACY), partner("1.0.2h")]
    assert next(candidate_builds(edge, partners, builds)).endswith("+openssl-1.0.2h-legacy")


def test_along_openssl_the_flavour_is_that_of_the_builds_measured() -> None:
    """Protects the finding: SSLv2 is in a legacy build after it went out of the stock ones."""
    edge, legacy = border(Axis.OPENSSL, "1.0.2f", "1.0.2h"), [partner("3.0.4", LEGACY)]
    name, *_ = candidate_builds(edge, legacy, ())
    assert name == "postfix-3.0.4+openssl-1.0.2g-legacy"
    assert named_releases(name, "no place gave the source of openssl-1.0.2g") == ("openssl-1.0.2g",)
    assert "ubuntu-16.04" in candidate_builds(edge, legacy, (), {"openssl-1.0.2g"})


@pytest.mark.parametrize(
    ("why", "named"),
    [
        ("no place gave the source of postfix-3.9.0\n    http://x", ("postfix-3.9.0",)),
        ("openssl-3.0.20: another checksum", ("openssl-3.0.20",)),
        ("no place gave the source of postfix-3.9.01", ()),
        ("the mirror is full\npostfix-3.9.0", ()),
    ],
)
def test_what_a_failure_names_is_what_was_not_reached(why: str, named: tuple[str, ...]) -> None:
    """Protects the other half of a pair: only what the first line names is given up."""
    assert named_releases("postfix-3.9.0+openssl-3.0.20", why) == named


def test_bisecting_goes_on_with_what_is_left_and_names_what_is_not() -> None:
    """Protects an honest end: unreached releases are named once, and the boundary stays inexact."""
    data = run({OLD: ("3.5.25", "1.1.1w"), "postfix-3.6.4+openssl-1.1.1w": ("3.6.4", "1.1.1w")})
    bisection = Bisection(data, "defaults", tried=set(data.run.axes.builds))
    while name := bisection.next_build():
        bisection.tried.add(name)
        release = name.partition("+")[0]
        bisection.note_unavailable(
            name, BuildState.UNREACHED, f"no place gave the source of {release}\n    a place"
        )
    lost = ["postfix-3.6.2", "postfix-3.6.1", "postfix-3.6.3", "postfix-3.6.0"]
    assert bisection.notes == [f"{build}: source not reached" for build in lost]
    assert list(bisection.describe_open()) == [
        "not exact along Postfix: 3.5.25 is the newest measured before 3.6.4; "
        "4 releases lie between"
    ]
    bisection.note_unavailable(
        "postfix-3.6.2+openssl-1.1.1w", BuildState.REFUSED, "tls.h: no such file\nmore"
    )
    assert (
        bisection.notes[-1] == "postfix-3.6.2+openssl-1.1.1w: does not build: tls.h: no such file"
    )


def users(*names: str) -> UserAdditions:
    """Releases that the user has a tree of."""
    releases = {}
    for name in names:
        product, _, version = name.partition("-")
        source = Source(SourceKind.LOCAL, "0" * 64, 0, name, path=f"/cache/{name}")
        releases[name] = Release(product, version, None, (source,))
    return UserAdditions(releases)


BORDER = {OLD: ("3.5.25", "1.1.1w"), "postfix-3.6.0+openssl-1.1.1w": ("3.6.0", "1.1.1w")}


def test_a_tree_of_the_user_s_is_measured_where_the_catalog_has_nothing() -> None:
    """Protects exact ends where upstream is out of reach: a checkout of each tag is enough."""
    data = run(BORDER)
    assert Bisection(data, "defaults").next_build() is None
    bisection = Bisection(data, "defaults", users("postfix-3.5.26", "postfix-3.7.99"))
    assert bisection.next_build() == "postfix-3.5.26+openssl-1.1.1w"
    assert Build.parse("postfix-3.5.26+openssl-1.1.1w", bisection.additions).unverified
    (boundary,) = bisection.open()
    assert [str(version) for version in boundary.between] == ["3.5.26"]


def test_a_build_of_the_user_s_is_paired_only_with_its_own_source() -> None:
    """Protects the finding: the catalog's release of that version may have other contents."""
    data = run({OLD: ("3.5.25", "1.1.1w"), "postfix-3.7.11+openssl-1.1.1w": ("3.7.11", "1.1.1w")})
    images = {name: replace(image, unverified=True) for name, image in data.run.images.items()}
    data = replace(data, run=replace(data.run, images=images))
    bisection = Bisection(data, "defaults")
    assert "+" not in (bisection.next_build() or "")
    assert list(bisection.describe_open())[-1] == (
        "no build was paired with the versions of postfix-3.5.25+openssl-1.1.1w, "
        "postfix-3.7.11+openssl-1.1.1w: name their sources again with --source"
    )
    named = Bisection(data, "defaults", users("openssl-1.1.1w"))
    assert (named.next_build() or "").endswith("+openssl-1.1.1w")
    assert len(list(named.describe_open())) == 1


def test_a_neighbour_takes_the_place_of_a_middle_that_is_unavailable() -> None:
    """Protects time: of twelve releases the sixth divides better than the third or the ninth."""
    versions = [Version.parse(f"3.7.{number}") for number in range(12)]
    assert [str(version) for version in middle_first(versions)[:3]] == ["3.7.6", "3.7.5", "3.7.7"]


def test_only_the_places_in_question_are_measured_on_more_builds() -> None:
    """Protects time: a run of thousands of cells is bisected by the few that are asked about."""
    plan = narrow_plan(run(), "defaults/smtp/*/TLSv1*")
    assert {cell.id.partition("/")[2] for cell in plan.cells()} == {
        f"defaults/smtp/openssl-3.5.7/{offer}" for offer in ("TLSv1", "TLSv1.1", "TLSv1.2")
    }
    assert [str(offer) for offer in narrow_plan(run(), "defaults/smtp/*/TLSv1").offers] == ["TLSv1"]


VERSIONS = st.lists(st.integers(0, 60), unique=True).map(
    lambda numbers: [Version.parse(f"3.{n}") for n in sorted(numbers)]
)


@given(VERSIONS)
def test_halving_asks_for_each_release_once(versions: list[Version]) -> None:
    """Protects the end: every release between is asked for, none twice, the middle first."""
    order = middle_first(versions)
    assert sorted(order) == versions
    if versions:
        assert order[0] == versions[len(versions) // 2]


@given(VERSIONS, st.integers(0, 59))
def test_measuring_the_middle_always_ends(versions: list[Version], at: int) -> None:
    """Protects the promise: with every source at hand, no release of the catalog is left."""
    edge = Version.parse(f"3.{at}.5")
    measured = [Version.parse("2.0"), Version.parse("4.0")]
    for _ in range(70):
        below = max(v for v in measured if v < edge)
        above = min(v for v in measured if v >= edge)
        between = tuple(v for v in versions if below < v < above)
        border = VersionBoundary(
            Axis.POSTFIX, Segment("a", below, below), Segment("b", above, above), between
        )
        if not border.between:
            return
        measured.append(middle_first(between)[0])
    pytest.fail("it never ended")


def test_two_runs_are_read_as_one() -> None:
    """Protects bisecting: more builds stand beside the first ones, each cell once."""
    more = {"postfix-3.7.11+openssl-1.1.1w": ("3.7.11", "1.1.1w")}
    both = merge_runs(run(), run(more))
    assert both.run.axes.builds == (*PAIRS, *more)
    assert len(both.observations) == 9
    assert merge_runs(both, run(more)) == both
    other = replace(
        run(more), observations=tuple(replace(o, config="x") for o in run(more).observations)
    )
    with pytest.raises(UsageError, match="differ in defaults"):
        merge_runs(run(), other)


def test_a_scenario_s_builds_of_two_runs_are_read_as_one() -> None:
    """Cells that were measured, of a build that only one run had it on, would not be planned."""

    def with_scope(data: RunData, build: str) -> RunData:
        axes = data.run.axes
        scope = ScopeAxes(axes.services, axes.clients, axes.offers, (build,))
        return replace(data, run=replace(data.run, axes=replace(axes, scopes={"defaults": scope})))

    more = "postfix-3.7.11+openssl-1.1.1w"
    first, second = with_scope(run(), OLD), with_scope(run({more: ("3.7.11", "1.1.1w")}), more)
    assert merge_runs(first, second).run.axes.builds_of("defaults") == (OLD, more)
    assert merge_runs(first, first).run.axes == first.run.axes


def test_a_build_that_moved_on_is_not_read_with_what_it_was() -> None:
    """Protects boundaries: the first run's cells would get the second's versions."""
    with pytest.raises(UsageError, match=f"have other versions of {re.escape(OLD)}"):
        merge_runs(run(), run({OLD: ("3.5.27", "1.1.1w")}))


def test_reading_a_narrow_run_too_does_not_narrow_the_first() -> None:
    """Protects the figures: what was planned of the first run is still planned."""
    more = run({"postfix-3.7.11+openssl-1.1.1w": ("3.7.11", "1.1.1w")})
    scope = ScopeAxes(("smtp",), ("openssl-3.5.7",), ("TLSv1",))
    narrow = replace(more.run, axes=replace(more.run.axes, scopes={"defaults": scope}))
    assert merge_runs(run(), replace(more, run=narrow)).run.axes.scopes == {}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--mirror", "https://mirror.example.org"], "--mirror has no use without --bisect"),
        (["--source", "postfix-3.6.1=/nowhere"], "--source has no use without --bisect"),
        (["--bisect", "--source", "postfix-3.6.1=/nowhere"], "/nowhere cannot be read"),
        (["--bisect", "--mirror", "mirror.example.org"], "mirror.example.org"),
    ],
)
def test_a_mirror_that_would_not_be_asked_is_refused(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects against an option without an effect: it is reported before any run is read."""
    assert run_cli(["since", "defaults", *arguments]) == ExitCode.USAGE
    assert text in capsys.readouterr().err


def test_a_build_between_is_measured_beside_the_run() -> None:
    """Protects the latest run: a bisection's runs add to it and do not take its place."""
    plan, build = narrow_plan(run(), "defaults"), Build.parse("postfix-3.6.4+openssl-1.1.1w")
    job = job_of(plan, {}, build)
    assert not job.becomes_latest
    assert job.plan.builds == (build.id,)
