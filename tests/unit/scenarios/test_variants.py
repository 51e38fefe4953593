"""Candidates without a line, and with one alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.scenario import Scenario
from harness.scenarios.variants import (
    lines_of,
    only_lines,
    settings_digest,
    without_lines,
)

MASTER = (
    "submission inet n - - - - smtpd\n"
    "  -o syslog_name=postfix/submission\n"
    "  -o { smtpd_tls_security_level = may } -o smtp_tls_mandatory_protocols=TLSv1\n"
    "smtps inet n - - - - smtpd -o smtpd_tls_wrappermode=yes\n"
)


def scenario(main: str = "", master: str = "", overlay: Overlay = Overlay.REPLACE) -> Scenario:
    """A candidate."""
    return Scenario("some", "T", "S", "C", main_cf=main, master_cf=master, overlay=overlay)


CONTROL = scenario()


def test_the_lines_are_told_as_they_are_written() -> None:
    """Protects the answer: each line is named by what the reader sees, void ones are none."""
    lines = lines_of(scenario("a = 1\n# no\nb = x,\n  y\na = 2\nnonsense\n", MASTER))
    assert [line.text for line in lines] == [
        "b = x,  y",
        "a = 2",
        "-o syslog_name=postfix/submission under submission",
        "-o smtpd_tls_security_level=may under submission",
        "-o smtp_tls_mandatory_protocols=TLSv1 under submission",
        "-o smtpd_tls_wrappermode=yes under smtps",
    ]
    assert [line.number for line in lines] == [1, 2, 3, 4, 5, 6]


def test_a_line_is_taken_out_and_nothing_else() -> None:
    """Protects the measurement: all else stays to the letter, continuation lines go with theirs."""
    made = without_lines(scenario("a = 1\nb = x,\n  y\nc = 3\n", MASTER), [2, 5])
    assert made.main_cf == "a = 1\nc = 3\n"
    first, second = parse_master_cf(made.master_cf).entries
    assert first.options == {
        "syslog_name": "postfix/submission",
        "smtp_tls_mandatory_protocols": "TLSv1",
    }
    assert second.options == {"smtpd_tls_wrappermode": "yes"}
    assert first.fields == parse_master_cf(MASTER).entries[0].fields


def test_an_option_alone_is_laid_below_the_controls_entry() -> None:
    """Protects "the baseline with only this line": its entry keeps its options."""
    alone = only_lines(scenario("a = 1\n", MASTER), CONTROL, [4])
    assert (alone.main_cf, alone.overlay) == ("", Overlay.MERGE)
    (entry,) = parse_master_cf(alone.master_cf).entries
    assert entry.options == {"smtp_tls_mandatory_protocols": "TLSv1"}
    control = scenario("z = 9\n", "submission inet n - - - - smtpd\n  -o own=1\n")
    joined = only_lines(scenario("a = 1\n", MASTER), control, [1, 4])
    assert parse_main_cf(joined.main_cf).values == {"z": "9", "a": "1"}
    assert parse_master_cf(joined.master_cf).entries[0].options == {
        "own": "1",
        "smtp_tls_mandatory_protocols": "TLSv1",
    }


def test_what_is_the_same_in_effect_is_known() -> None:
    """Protects from measuring one configuration twice."""
    pair = scenario("a = 1\nb = 2\n")
    assert settings_digest(pair) == settings_digest(scenario("# x\nb =  2\na = 0\na =1\n"))
    assert settings_digest(without_lines(pair, [1, 2])) == settings_digest(CONTROL)
    single = scenario(master="submission inet n - - - - smtpd\n -o a=1\n", overlay=Overlay.MERGE)
    assert settings_digest(only_lines(single, CONTROL, [1])) == settings_digest(single)
    assert settings_digest(without_lines(single, [1])) == settings_digest(CONTROL)
    assert settings_digest(pair) != settings_digest(without_lines(pair, [1]))


NAMES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


@given(NAMES, st.data())
def test_without_and_only_are_complements(names: list[str], data: st.DataObject) -> None:
    """Whatever is taken out of one is what the other has, and no line is lost."""
    whole = scenario("".join(f"{name} = {name}\n" for name in names))
    numbers = [line.number for line in lines_of(whole)]
    some = data.draw(st.lists(st.sampled_from(numbers), unique=True)) if numbers else []
    left, taken = without_lines(whole, some), only_lines(whole, CONTROL, some)
    kept = {line.name for line in lines_of(left)}
    assert kept | {line.name for line in lines_of(taken)} == set(names)
    assert kept & {line.name for line in lines_of(taken)} == set()
