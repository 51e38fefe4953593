"""Which settings differ from the recorded ones, and the candidate with some of them put back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.scenarios.scenario import Scenario
from harness.snapshots.recorded_candidate import (
    find_changed_files,
    find_changes,
    put_back,
    record_candidate,
)
from harness.snapshots.setting_lines import find_setting_line
from tests.unit.snapshots.sample_server import candidate

MAIN = """\
# a comment
smtpd_tls_security_level = may
smtpd_tls_protocols = !SSLv2,
    !SSLv3
smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1
myhostname = mx.example.org
"""
MASTER = """\
smtp inet n - y - - smtpd
submission inet n - y - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o { smtpd_tls_mandatory_protocols = !TLSv1, !TLSv1.1 }
"""
BEFORE = candidate(MAIN, MASTER)


def changes_of(main_cf: str = MAIN, master_cf: str = MASTER) -> list[str]:
    """The sentences about what differs."""
    return [
        c.sentence for c in find_changes(record_candidate(BEFORE), candidate(main_cf, master_cf))
    ]


def test_what_means_the_same_is_no_change() -> None:
    """Protects rewrites: comments, order, white space, continuation and another service name."""
    lines = [*reversed(MAIN.splitlines()[4:]), "smtpd_tls_security_level=may"]
    master = MASTER.replace("submission inet", "587   inet").replace("smtp inet", "25 inet")
    assert changes_of("# other\n\n" + "\n".join(lines) + "\n", master) == []


@pytest.mark.parametrize(
    ("main_cf", "master_cf", "sentence"),
    [
        (MAIN.replace("!SSLv3, !TLSv1", "!SSLv3"), MASTER,
         "smtpd_tls_protocols = !SSLv2, !SSLv3 (was: !SSLv2, !SSLv3, !TLSv1)"),
        (MAIN + "smtpd_tls_ciphers = low\n", MASTER, "smtpd_tls_ciphers = low (added)"),
        (MAIN.replace("myhostname = mx.example.org\n", ""), MASTER,
         "myhostname = mx.example.org (removed)"),
        (MAIN, MASTER.replace("encrypt", "may"),
         "-o smtpd_tls_security_level=may under submission (was: encrypt)"),
        (MAIN, MASTER + "  -o smtpd_sasl_auth_enable=yes\n",
         "-o smtpd_sasl_auth_enable=yes under submission (added)"),
        (MAIN, MASTER.replace("  -o smtpd_tls_security_level=encrypt\n", ""),
         "-o smtpd_tls_security_level=encrypt under submission (removed)"),
        (MAIN, MASTER + "465 inet n - y - - smtpd\n", "the entry 465 (added)"),
        (MAIN, MASTER.replace("smtp inet n - y - - smtpd\n", ""), "the entry smtp (removed)"),
        (MAIN, MASTER.replace("smtp inet n - y", "smtp inet n - n"), "the entry smtp (changed)"),
    ],
)  # fmt: skip
def test_a_change_is_named_and_can_be_put_back(main_cf: str, master_cf: str, sentence: str) -> None:
    """Protects blame: each kind of change is one setting, and without it all is as recorded."""
    now = candidate(main_cf, master_cf)
    recorded = record_candidate(BEFORE)
    changes = find_changes(recorded, now)
    assert [change.sentence for change in changes] == [sentence]
    restored = put_back(recorded, now, changes, "candidate--put-back-1")
    assert find_changes(recorded, restored) == ()
    assert settings_of(restored) == settings_of(BEFORE)
    assert restored.id == "candidate--put-back-1"


def settings_of(scenario: Scenario) -> object:
    """What tells two candidates apart, whatever the order of lines."""
    main = parse_main_cf(scenario.main_cf).values
    entries = {
        e.key: (e.fields[2:], e.options) for e in parse_master_cf(scenario.master_cf).entries
    }
    return {name: value.split() for name, value in main.items()}, entries


def test_some_changes_are_put_back_and_others_stay() -> None:
    """Protects the search for the smallest set."""
    now = candidate(MAIN.replace("may", "none") + "smtpd_tls_ciphers = low\n", MASTER)
    recorded = record_candidate(BEFORE)
    (level, _) = find_changes(recorded, now)
    restored = put_back(recorded, now, [level], "x")
    assert [change.name for change in find_changes(recorded, restored)] == ["smtpd_tls_ciphers"]


def test_a_further_file_is_compared_by_its_digest() -> None:
    """Protects tables: their content is not in the snapshot, and a change is named."""
    before = replace(BEFORE, files={"/etc/postfix/sni": "a x\n"})
    recorded = record_candidate(before)
    assert "a x" not in str(recorded)
    assert find_changed_files(recorded, before) == ()
    assert find_changed_files(recorded, replace(before, files={"/etc/postfix/sni": "b\n"})) == (
        "/etc/postfix/sni",
    )


@pytest.mark.parametrize(
    ("main_cf", "master_cf", "line"),
    [
        (MAIN.replace("!SSLv3, !TLSv1", "!SSLv3"), MASTER, 5),
        (MAIN.replace("security_level = may", "security_level = none"), MASTER, 2),
        (MAIN, MASTER.replace("encrypt", "may"), 3),
        (MAIN, MASTER.replace("!TLSv1, !TLSv1.1", "!TLSv1"), 4),
        (MAIN, MASTER.replace("smtp inet n - y", "smtp inet n - n"), 1),
    ],
)
def test_a_setting_is_found_in_the_users_file(main_cf: str, master_cf: str, line: int) -> None:
    """Protects the place that is printed: the line that counts, in the file that has it."""
    texts = {Path("files/main.cf"): main_cf, Path("files/master.cf"): master_cf}
    (change,) = find_changes(record_candidate(BEFORE), candidate(main_cf, master_cf))
    place = find_setting_line(texts, change)
    assert place is not None
    assert (place.file.name, place.line) == (change.file, line)
    assert change.line == line


def test_a_quoted_answer_has_lines_too() -> None:
    """Protects candidates from a forum: quotation marks and commands stand before the setting."""
    (change,) = find_changes(
        record_candidate(BEFORE), candidate(MAIN.replace("= may", "= none"), MASTER)
    )
    texts = {Path("a.txt"): "Try:\n> smtpd_tls_security_level = none\n"}
    assert find_setting_line(texts, change) is not None
    texts = {Path("a.sh"): "sudo postconf -e 'smtpd_tls_security_level = none'\n"}
    assert find_setting_line(texts, change) is not None
