"""Where a label changes along the versions of Postfix and OpenSSL, and what is not claimed."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.versions import Version
from harness.verdicts.borders import Axis, Dependence, Point, dependence, sentences
from harness.verdicts.spread import known_releases

POSTFIX = ("2.11.5", "3.1.0", "3.5.25", "3.6.4", "3.7.11", "3.10.13")
OPENSSL = ("1.0.2h", "1.1.1w", "3.0.20", "3.5.7")
NONE: dict[Axis, tuple[Version, ...]] = dict.fromkeys(Axis, ())
PAIRS = st.lists(
    st.tuples(st.sampled_from(POSTFIX), st.sampled_from(OPENSSL)), min_size=1, unique=True
)


def point(postfix: str, openssl: str, label: object, kind: str = "") -> Point:
    """A build of these versions."""
    name = f"postfix-{postfix}+openssl-{openssl}"
    return Point(name, Version.parse(postfix), Version.parse(openssl), label, kind)


def told(points: list[Point]) -> str:
    """The dependence in words."""
    return "\n".join(sentences(dependence(points, known_releases())))


def labelled(
    pairs: list[tuple[str, str]], rule: Callable[[Version, Version], object]
) -> Dependence:
    """The dependence of builds whose labels follow a rule."""
    points = [point(p, o, rule(Version.parse(p), Version.parse(o))) for p, o in pairs]
    return dependence(points, NONE)


@given(PAIRS, st.sampled_from(POSTFIX))
def test_a_border_along_postfix_is_found(pairs: list[tuple[str, str]], border: str) -> None:
    """Whatever was measured, an axis that decides is among the explanations, with its border."""
    found = labelled(pairs, lambda postfix, _: postfix >= Version.parse(border))
    if found.constant:
        return
    along = next(one for one in found.axes if one.axis is Axis.POSTFIX)
    (edge,) = along.borders
    assert edge.before.last < Version.parse(border) <= edge.after.first
    assert (edge.before.label, edge.after.label) == (False, True)


@given(PAIRS, st.randoms(use_true_random=False))
def test_no_explanation_contradicts_a_measurement(
    pairs: list[tuple[str, str]], random: object
) -> None:
    """Truth first: whatever an axis or a corner says holds for every build that was measured."""
    labels = {pair: random.choice(("a", "b")) for pair in pairs}  # type: ignore[attr-defined]
    points = [point(*pair, labels[pair]) for pair in pairs]
    found = dependence(points, NONE)
    for along in found.axes:
        for one in points:
            version = one.on(along.axis)
            assert version is not None
            (label,) = [s.label for s in along.segments if s.first <= version <= s.last]
            assert label == one.label
    if found.corner is not None:
        for one in points:
            inside = _side(one.postfix, found.corner.postfix) and _side(
                one.openssl, found.corner.openssl
            )
            assert one.label == (found.corner.label if inside else found.corner.other)


def _side(version: Version | None, words: str) -> bool:
    sign, text = words.split()
    assert version is not None
    return (version >= Version.parse(text)) is (sign == "≥")


@given(PAIRS)
def test_what_is_unmeasured_says_nothing(pairs: list[tuple[str, str]]) -> None:
    """A build without a label moves no border."""
    rule = [point(p, o, p >= "3.6") for p, o in pairs]
    gap = Point("gap", Version.parse("3.6.0"), Version.parse("3.0.0"), None)
    assert dependence([*rule, gap], NONE) == dependence(rule, NONE)


def test_the_sentence_names_what_was_measured_and_what_was_not() -> None:
    """A border is between neighbours; the releases between them are told, not claimed."""
    words = told([point("3.5.25", "1.1.1w", "refuted"), point("3.6.4", "1.1.1w", "confirmed")])
    assert words.startswith("confirmed for Postfix ≥ 3.6.4, refuted before (3.5.25 is the newest")
    assert "releases lie between" in words


def test_a_border_between_two_releases_that_follow_each_other_is_exact() -> None:
    """Exact is only what no release lies in."""
    words = told([point("3.7.10", "1.1.1w", "a"), point("3.7.11", "1.1.1w", "b")])
    assert words == "b for Postfix ≥ 3.7.11, a before (no release lies between 3.7.10 and 3.7.11)"


def test_axes_that_run_together_are_both_named() -> None:
    """Newer Postfix with newer OpenSSL alone cannot show which of the two it is."""
    words = told([point("3.5.25", "1.1.1w", "a"), point("3.10.13", "3.5.7", "b")])
    assert "Postfix ≥ 3.10.13" in words
    assert "OpenSSL ≥ 3.5.7" in words
    assert words.endswith("do not tell these apart")


def test_two_that_hold_only_together() -> None:
    """A feature that needs both is no border along either axis."""
    pairs = [(p, o) for p in POSTFIX for o in OPENSSL]
    found = labelled(pairs, lambda p, o: p >= Version.parse("3.6") and o >= Version.parse("3.0"))
    assert found.axes == ()
    assert found.corner is not None
    assert (found.corner.label, found.corner.postfix) == (True, "≥ 3.6.4")
    assert found.corner.openssl == "≥ 3.0.20"


def test_the_same_versions_with_other_labels_are_told() -> None:
    """A distribution's own choices are not taken for a version's."""
    here, there = point("3.7.11", "3.0.20", "a"), point("3.7.11", "3.0.20", "b")
    found = dependence([here, there, point("3.5.25", "1.1.1w", "a")], NONE)
    assert found.axes == ()
    assert found.alike == ((here.build, there.build),)


def test_who_built_it_is_an_explanation_too() -> None:
    """Debian's security level looks like a border along OpenSSL, and may not be one."""
    words = told(
        [
            point("3.7.11", "3.0.20", "a", "built from source"),
            point("3.7.11", "3.0.22", "b", "as the distribution packages it"),
        ]
    )
    assert "b for OpenSSL ≥ 3.0.22" in words
    assert "a built from source, b as the distribution packages it" in words
    assert words.endswith("do not tell these apart")
