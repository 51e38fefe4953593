"""Where a label changes along the versions of Postfix and OpenSSL, and what is not claimed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.versions import Version
from harness.verdicts.since import known_releases
from harness.verdicts.version_boundaries import (
    Axis,
    LabelledBuild,
    VersionDependence,
    find_dependence,
)
from harness.verdicts.version_dependence_text import (
    coverage_sentences,
    dependence_sentences,
)

POSTFIX = ("2.11.5", "3.1.0", "3.5.25", "3.6.4", "3.7.11", "3.10.13")
OPENSSL = ("1.0.2h", "1.1.1w", "3.0.20", "3.5.7")
NONE: dict[Axis, tuple[Version, ...]] = dict.fromkeys(Axis, ())
PAIRS = st.lists(
    st.tuples(st.sampled_from(POSTFIX), st.sampled_from(OPENSSL)), min_size=1, unique=True
)


def point(postfix: str, openssl: str, label: object, kind: str = "") -> LabelledBuild:
    """A build of these versions."""
    name = f"postfix-{postfix}+openssl-{openssl}"
    return LabelledBuild(name, Version.parse(postfix), Version.parse(openssl), label, kind)


def told(points: list[LabelledBuild]) -> str:
    """The dependence as text."""
    return "\n".join(dependence_sentences(find_dependence(points, known_releases())))


def labelled(
    pairs: list[tuple[str, str]], rule: Callable[[Version, Version], object]
) -> VersionDependence:
    """The find_dependence of builds whose labels follow a rule."""
    points = [point(p, o, rule(Version.parse(p), Version.parse(o))) for p, o in pairs]
    return find_dependence(points, NONE)


@given(PAIRS, st.sampled_from(POSTFIX))
def test_a_boundary_along_postfix_is_found(pairs: list[tuple[str, str]], border: str) -> None:
    """Whatever was measured, an axis that decides is among the explanations, with its boundary."""
    dependence = labelled(pairs, lambda postfix, _: postfix >= Version.parse(border))
    if dependence.constant:
        return
    along = next(along_axis for along_axis in dependence.axes if along_axis.axis is Axis.POSTFIX)
    (edge,) = along.boundaries
    assert edge.before.last < Version.parse(border) <= edge.after.first
    assert (edge.before.label, edge.after.label) == (False, True)


@given(PAIRS, st.randoms(use_true_random=False))
def test_no_explanation_contradicts_a_measurement(
    pairs: list[tuple[str, str]], random: object
) -> None:
    """Whatever an axis or a combination says holds for every build that was measured."""
    labels = {pair: random.choice(("a", "b")) for pair in pairs}  # type: ignore[attr-defined]
    points = [point(*pair, labels[pair]) for pair in pairs]
    dependence = find_dependence(points, NONE)
    for along in dependence.axes:
        for build in points:
            version = build.version_on(along.axis)
            assert version is not None
            (label,) = [s.label for s in along.segments if s.first <= version <= s.last]
            assert label == build.label
    if (corner := dependence.combination) is not None:
        edges = (corner.postfix, corner.openssl)
        inside = [
            build for build in points if all(edge.includes(on(build, edge.axis)) for edge in edges)
        ]
        for build in points:
            assert build.label == (corner.label if build in inside else corner.other)
        for edge, across in (edges, edges[::-1]):
            # What it names was measured: inside, and beside it on the very side that is inside.
            assert edge.inside in {on(build, edge.axis) for build in inside}
            across_inside = {
                on(build, edge.axis) for build in points if across.includes(on(build, across.axis))
            }
            between = {v for v in across_inside if not edge.includes(v)}
            assert edge.outside == ((max if edge.newer else min)(between) if between else None)


def on(labelled_build: LabelledBuild, axis: Axis) -> Version:
    """A build's version on an axis."""
    version = labelled_build.version_on(axis)
    assert version is not None
    return version


@given(PAIRS)
def test_what_is_unmeasured_says_nothing(pairs: list[tuple[str, str]]) -> None:
    """A build without a label moves no boundary, and is named as unmeasured."""
    rule = [point(p, o, p >= "3.6") for p, o in pairs]
    gap = LabelledBuild("gap", Version.parse("3.6.0"), Version.parse("3.0.0"), None)
    dependence = find_dependence([*rule, gap], NONE)
    assert dependence.unmeasured == ("gap",)
    assert replace(dependence, unmeasured=()) == find_dependence(rule, NONE)


def test_the_sentence_names_what_was_measured_and_what_was_not() -> None:
    """A boundary is between neighbours; the releases between them are counted, not judged."""
    text = told([point("3.5.25", "1.1.1w", "refuted"), point("3.6.4", "1.1.1w", "confirmed")])
    assert text.startswith("confirmed for Postfix ≥ 3.6.4, refuted before (3.5.25 is the newest")
    assert "releases lie between" in text


def test_a_border_between_two_releases_that_follow_each_other_is_exact() -> None:
    """Exact is only what no release lies in."""
    text = told([point("3.7.10", "1.1.1w", "a"), point("3.7.11", "1.1.1w", "b")])
    assert text == "b for Postfix ≥ 3.7.11, a before (no release lies between 3.7.10 and 3.7.11)"


def test_axes_that_run_together_are_both_named() -> None:
    """Newer Postfix with newer OpenSSL alone cannot show which of the two it is."""
    text = told([point("3.5.25", "1.1.1w", "a"), point("3.10.13", "3.5.7", "b")])
    assert "Postfix ≥ 3.10.13" in text
    assert "OpenSSL ≥ 3.5.7" in text
    assert text.endswith("do not tell these apart")


def test_two_that_hold_only_together() -> None:
    """A feature that needs both makes no boundary along either axis."""
    pairs = [(p, o) for p in POSTFIX for o in OPENSSL]
    dependence = labelled(
        pairs, lambda p, o: p >= Version.parse("3.6") and o >= Version.parse("3.0")
    )
    assert dependence.axes == ()
    assert dependence.combination is not None
    assert (dependence.combination.label, str(dependence.combination.postfix)) == (True, "≥ 3.6.4")
    assert str(dependence.combination.openssl) == "≥ 3.0.20"
    assert dependence.combination.unique


def test_the_same_versions_with_other_labels_are_reported() -> None:
    """A distribution's own choices are not taken for a version's."""
    here, there = point("3.7.11", "3.0.20", "a"), point("3.7.11", "3.0.20", "b")
    dependence = find_dependence([here, there, point("3.5.25", "1.1.1w", "a")], NONE)
    assert dependence.axes == ()
    assert dependence.same_versions == ((here.build, there.build),)


def test_who_built_it_is_an_explanation_too() -> None:
    """Debian's security level looks like a boundary along OpenSSL, and may not be one."""
    text = told(
        [
            point("3.7.11", "3.0.20", "a", "built from source"),
            point("3.7.11", "3.0.22", "b", "as the distribution packages it"),
        ]
    )
    assert "b for OpenSSL ≥ 3.0.22" in text
    assert "a built from source, b as the distribution packages it" in text
    assert text.endswith("do not tell these apart")


def test_what_the_catalog_does_not_have_may_lie_between_all_the_same() -> None:
    """3.7.5 to 3.7.10 exist; a catalog without some of them makes no boundary exact."""
    points = [point("3.7.4", "1.1.1w", "a"), point("3.7.11", "1.1.1w", "b")]
    (border,) = find_dependence(points, NONE).axes[0].boundaries
    assert border.between == ()
    assert not border.exact
    text = "\n".join(dependence_sentences(find_dependence(points, NONE)))
    assert "no release lies between" not in text
    assert text.endswith(
        "(3.7.4 is the newest measured before 3.7.11; the catalog has no release that lies between)"
    )


@given(PAIRS, st.sampled_from(POSTFIX))
def test_no_border_is_exact_that_leaves_room_for_a_release(
    pairs: list[tuple[str, str]], border: str
) -> None:
    """None of these neighbours follow each other, so none may be called exact."""
    dependence = labelled(pairs, lambda postfix, _: postfix >= Version.parse(border))
    assert not any(edge.exact for along in dependence.axes for edge in along.boundaries)


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_builds_changes_no_border(
    pairs: list[tuple[str, str]], random: object
) -> None:
    """Which build was measured first says nothing."""
    points = [point(p, o, (p >= "3.6") + (o >= "3.0")) for p, o in pairs]
    mixed = list(points)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    build, other = find_dependence(points, NONE), find_dependence(mixed, NONE)
    assert (build.axes, build.combination) == (other.axes, other.combination)


def test_a_constant_label_is_told_with_the_builds_it_was_measured_on() -> None:
    """One build that accepts and many that say nothing are not "every build"."""
    known = point("3.11.7", "3.6.5", "accepted")
    gaps = [point("3.7.11", build, None) for build in OPENSSL]
    assert list(coverage_sentences(find_dependence([known, *gaps], NONE))) == [
        "on postfix-3.11.7+openssl-3.6.5, the one build measured: accepted",
        "nothing is known of 4 builds: " + ", ".join(gap.build for gap in gaps),
    ]
    two = [known, point("3.7.11", "3.5.7", "accepted")]
    assert list(coverage_sentences(find_dependence(two, NONE))) == [
        "the same on every build: accepted"
    ]
    (text, _) = coverage_sentences(find_dependence([*two, *gaps], NONE))
    assert text == "the same on the 2 builds measured: accepted"
    assert list(coverage_sentences(find_dependence(gaps, NONE))) == ["measured on no build"]


def test_several_borders_along_an_axis_are_told_in_order() -> None:
    """Refused for one reason, then for another, then not: as real libraries do it."""
    labels = {"1.0.2h": "TLSv1", "1.1.1w": "TLSv1", "3.0.2": "a", "3.0.20": "b", "3.5.7": "c"}
    dependence = find_dependence([point("3.7.11", o, label) for o, label in labels.items()], NONE)
    (along,) = dependence.axes
    assert [segment.label for segment in along.segments] == ["TLSv1", "a", "b", "c"]
    (text,) = dependence_sentences(dependence)
    assert text.startswith("TLSv1 up to OpenSSL 1.1.1w, a with 3.0.2, b with 3.0.20, c from 3.5.7 ")


def test_what_changes_to_and_fro_is_no_rule() -> None:
    """A label for every second release explains nothing; the builds are listed."""
    points = [point(p, "1.1.1w", "ab"[number % 2]) for number, p in enumerate(POSTFIX)]
    dependence = find_dependence(points, NONE)
    assert dependence.axes == ()
    assert [line.partition(":")[0] for line in dependence_sentences(dependence)] == ["a", "b"]


def test_a_combination_ends_with_a_build_that_was_measured_in_it() -> None:
    """Protects mozilla-40's table: OpenSSL 3.0.2 was measured, but never with that Postfix."""
    pairs = {
        ("3.5.25", "1.1.1w"): "a",
        ("3.6.4", "3.0.2"): "a",
        ("3.9.0", "3.0.20"): "a",
        ("3.10.6", "3.5.5"): "b",
        ("3.10.13", "1.1.1w"): "a",
        ("3.10.13", "3.0.20"): "b",
    }
    dependence = find_dependence([point(*pair, label) for pair, label in pairs.items()], NONE)
    assert list(dependence_sentences(dependence)) == [
        "b on the 2 builds measured with Postfix ≥ 3.10.6 and OpenSSL ≥ 3.0.20 together, a "
        "elsewhere (with such an OpenSSL the nearest Postfix measured beside it is 3.9.0; with "
        "such a Postfix the nearest OpenSSL measured beside it is 1.1.1w)"
    ]


def test_an_edge_has_the_nearest_build_beside_it() -> None:
    """Protects readers: between the two nothing was measured; elsewhere says nothing."""
    pairs = {("3.5.25", "3.0.20"): "a", ("3.7.11", "1.1.1w"): "a", ("3.7.11", "3.0.20"): "b"}
    dependence = find_dependence([point(*pair, label) for pair, label in pairs.items()], NONE)
    assert dependence.combination is not None
    assert dependence.combination.unique
    assert dependence.combination.postfix.outside == Version.parse("3.5.25")
    assert dependence.combination.openssl.outside == Version.parse("1.1.1w")
