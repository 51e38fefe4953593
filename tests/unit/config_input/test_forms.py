"""A configuration in each form in which people hold one; the shapes are those of real postings."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config_input.forms import (
    Footing,
    read_configuration,
    read_scenario_part,
)
from harness.config_input.text import (
    STDIN,
)
from harness.errors import FileError
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.postfix_config.master_cf_overlay import Overlay
from harness.tls import Service
from tests.unit.config_input.form_samples import LINES, MAIN, MASTER, TWO, pasted, values


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES.replace("\n", "\r\n"),
        "".join(f"> {line}\n" for line in LINES.splitlines()),
        "".join(f">> {line}\n" for line in LINES.splitlines()),
        "".join(f"> > {line}\n" for line in LINES.splitlines()),
        f"```\n{LINES}```\n",
        f"Put this into `main.cf`:\n\n```conf\n{LINES}```\n\nThen reload.\n",
        f"~~~\n{LINES}~~~\n",
        "".join(f"    {line}\n" for line in LINES.splitlines()),
        "Set these two:\n\n" + "".join(f"    {line}\n" for line in LINES.splitlines()),
        "".join(f"\t{line}\n" for line in LINES.splitlines()),
        LINES.replace(" = ", "\u00a0=\u00a0").replace(", ", ",\u00a0"),
        LINES.replace(" = ", " =\u200b "),
        f"root@mail:~# postconf -n | grep smtpd_tls\n{LINES}root@mail:~#\n",
        f"[root@mail postfix]# grep tls main.cf\n{LINES}",
        f"root@opn:~ # grep tls /usr/local/etc/postfix/main.cf\n{LINES}",
        f"mail:/etc/postfix# postconf -n smtpd_tls_security_level smtpd_tls_protocols\n{LINES}",
        f"peach:/home/max# postconf -n | grep smtpd_tls\n{LINES}",
        f"➜  ~ sudo postconf -n | grep tls\n{LINES}",
        f"$ postconf -n | grep tls\n{LINES}",
        "postconf -e 'smtpd_tls_security_level = may' 'smtpd_tls_protocols = !SSLv2, !SSLv3'\n",
        "sudo postconf -e smtpd_tls_security_level=may\n"
        'sudo postconf -e "smtpd_tls_protocols = !SSLv2, !SSLv3"\n',
        "postconf smtpd_tls_security_level=may && postconf 'smtpd_tls_protocols=!SSLv2, !SSLv3'\n",
        "# postconf -e smtpd_tls_security_level=may\n# postconf -e 'smtpd_tls_protocols=!SSLv2, "
        "!SSLv3'\n",
        "postconf -e 'smtpd_tls_security_level=may' \\\n    'smtpd_tls_protocols=!SSLv2, !SSLv3'\n",
        "RUN postconf -e smtpd_tls_security_level=may && \\\n"
        "    /usr/sbin/postconf -e 'smtpd_tls_protocols=!SSLv2, !SSLv3'\n",
        "docker exec mailserver postconf -e smtpd_tls_security_level=may\n"
        "docker exec -it mailserver postconf -e 'smtpd_tls_protocols=!SSLv2, !SSLv3'\n",
        "postconf -e 'smtpd_tls_protocols = !SSLv2,\n  !SSLv3' smtpd_tls_security_level=may\n",
        "1. `postconf -e 'smtpd_tls_security_level = may'`\n"
        "2. `smtpd_tls_protocols = !SSLv2, !SSLv3`\n",
        "smtpd_tls_security_level = encrypt\n"
        f"postconf -e smtpd_tls_security_level=may\n{LINES.splitlines()[1]}\n",
    ],
)
def test_lines_are_the_same_in_whatever_form_they_come(text: str) -> None:
    """Protects "every form": two lines come out as these two lines, and as lines."""
    read = pasted(text)
    settings = {
        name: " ".join(value.split()) for name, value in parse_main_cf(read.main_cf).values.items()
    }
    assert settings == TWO
    assert read.master_cf == ""
    assert not read.whole
    assert any("as lines of a configuration" in note for note in read.notes)


@pytest.mark.parametrize(
    "text",
    [
        MASTER,
        "".join(f"> {line}\n" for line in MASTER.splitlines()),
        # Fred-Costa/AWS-Project: quoted without the indentation, words between.
        "* Uncomment 1º Group\n\n> submission inet n       -       y       -       -       smtpd\n"
        "> -o syslog_name=postfix/submission\n\n* Add below\n\n"
        "> -o smtpd_tls_security_level=encrypt\n",
        f"root@mail:~# postconf -M submission/inet\n{' '.join(MASTER.split())}\n",
        f"# postconf -Mf\n{MASTER}",
        "postconf -M 'submission/inet=submission inet n - y - - smtpd'\n"
        "postconf -P 'submission/inet/syslog_name=postfix/submission' \\\n"
        "    'submission/inet/smtpd_tls_security_level=encrypt'\n",
        "postconf -Me submission/inet='submission inet n - y - - smtpd'\n"
        "postconf -Pe submission/inet/syslog_name=postfix/submission\n"
        "postconf -P submission/inet/smtpd_tls_security_level=encrypt\n",
    ],
)
def test_entries_are_the_same_in_whatever_form_they_come(text: str) -> None:
    """Protects master.cf's forms: the entry and its options, which replace the build's."""
    read = pasted(text)
    (entry,) = parse_master_cf(read.master_cf).entries
    assert entry.fields == ("submission", "inet", "n", "-", "y", "-", "-", "smtpd")
    assert entry.options == {
        "syslog_name": "postfix/submission",
        "smtpd_tls_security_level": "encrypt",
    }
    assert (read.main_cf, read.overlay, read.whole) == ("", Overlay.REPLACE, False)


@pytest.mark.parametrize(
    "text",
    [
        "submission/inet/smtpd_tls_security_level = encrypt\n",
        "root@mail:~# postconf -P\nsubmission/inet/smtpd_tls_security_level = encrypt\n",
        "postconf -P 'submission/inet/smtpd_tls_security_level=encrypt'\n",
    ],
)
def test_an_option_of_an_entry_that_is_not_here_is_merged(text: str) -> None:
    """Protects postconf -P: the entry's other options stay as the build has them."""
    read = pasted(text)
    (entry,) = parse_master_cf(read.master_cf).entries
    assert (entry.name, entry.type, read.overlay) == ("submission", "inet", Overlay.MERGE)
    assert entry.options == {"smtpd_tls_security_level": "encrypt"}


def test_postconf_prints_whole_configurations() -> None:
    """The prompt shows that postconf -n without a filter prints all settings."""
    assert pasted("root@mail:~# postconf -n\nsmtpd_use_tls = yes\n").whole
    assert pasted("$ postconf -nf\nsmtpd_use_tls =\n    yes\n").whole
    assert pasted("$ cat /etc/postfix/main.cf\nsmtpd_use_tls = yes\n").whole
    assert not pasted("$ postconf -n | grep tls\nsmtpd_use_tls = yes\n").whole
    assert not pasted("$ postconf -n smtpd_use_tls\nsmtpd_use_tls = yes\n").whole
    assert not pasted("# postconf -e smtpd_use_tls=yes\n# postconf -n\n```\n").whole
    assert not pasted(f"Look at postconf -n.\n\n# postconf -n\n\nThen add\n\n{LINES}").whole
    assert not pasted("$ grep tls /etc/postfix/main.cf\nsmtpd_use_tls = yes\n").whole
    assert pasted("myhostname = a.test\nmynetworks = 127.0.0.0/8\n").whole
    assert not pasted("myhostname = a.test\nsmtpd_use_tls = yes\n").whole
    assert not pasted("postconf -e myhostname=a.test 'mynetworks=127.0.0.0/8'\n").whole
    stock = "cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n"
    assert pasted(stock).whole
    assert not pasted(MASTER).whole


def test_a_file_is_whole_and_a_script_or_an_answer_is_lines() -> None:
    """Protects "a whole configuration is whole": files too, but no script, and no entries alone."""
    assert read_configuration({MAIN: LINES}).whole
    assert read_configuration({MAIN: LINES, Path("master-additions.cf"): MASTER}).whole
    assert not read_configuration({Path("master-additions.cf"): MASTER}).whole
    assert not read_configuration({Path("setup.sh"): "postconf -e smtpd_use_tls=yes\n"}).whole
    assert not read_configuration({Path("answer.md"): f"Set\n```\n{LINES}```\n"}).whole
    assert not read_configuration({MAIN: LINES}, footing=Footing.LINES).whole
    forced = read_configuration({STDIN: LINES}, footing=Footing.WHOLE)
    assert forced.whole
    assert any("whole configuration" in note for note in forced.notes)


def test_names_of_all_kinds_are_settings() -> None:
    """Protects names that are not parameters of Postfix: transports, classes, digits."""
    text = (
        "smtp-amavis_destination_recipient_limit = 1\npolicy-spf_time_limit = 3600s\n"
        "2bounce_notice_recipient = postmaster\nmaildrop.x_limit=1\n"
    )
    assert list(values(text)) == [
        "smtp-amavis_destination_recipient_limit",
        "policy-spf_time_limit",
        "2bounce_notice_recipient",
        "maildrop.x_limit",
    ]


def test_prose_is_left_out_by_line_and_a_file_is_handed_on() -> None:
    """Postfix reads a file's lines itself; prose of a pasted answer is left out."""
    text = "a = 1\nand then what\nb = 2\n"
    read = pasted(text)
    assert parse_main_cf(read.main_cf).values == {"a": "1", "b": "2"}
    assert any("standard input line 2: left out" in note for note in read.notes)
    read = read_configuration({MAIN: text})
    assert read.main_cf == text
    expected = """main.cf line 2: Postfix will say "missing '=' after attribute name\""""
    assert expected in read.notes
    assert read_scenario_part(text, MAIN) == (text, ())


def test_a_value_that_was_broken_in_two_is_postfixs_to_refuse() -> None:
    """Protects zimbra2007's shape: pasted or in a file, a whole configuration is not corrected."""
    text = (
        "myhostname = mail.example.org\nmynetworks = 127.0.0.0/8\n"
        "smtpd_recipient_restrictions = permit_sasl_authenticated, r\n"
        "eject_non_fqdn_sender, reject_unauth_destination, permit\nsmtpd_use_tls = yes\n"
    )
    for path in (STDIN, MAIN):
        read = read_configuration({path: text})
        assert read.main_cf == text
        assert any("line 4: Postfix will say" in note for note in read.notes)


def test_an_entry_that_is_too_short_is_noted() -> None:
    """Protects the notes for master.cf: the error of master(8), by line."""
    read = read_configuration({Path("master.cf"): "smtp inet n - n\n", MAIN: LINES})
    assert 'master.cf line 1: Postfix will say "missing "wakeup_time" field"' in read.notes


def test_a_file_that_is_named_main_cf_is_main_cf() -> None:
    """Protects what Postfix does: in main.cf an entry of master.cf is a line without a "="."""
    read = read_configuration({MAIN: LINES + MASTER})
    assert read.main_cf == LINES + MASTER
    assert read.master_cf == ""
    read = read_configuration({Path("both.conf"): LINES + MASTER})
    assert (read.main_cf, read.master_cf) == (LINES, MASTER)


def test_what_postfix_skips_is_left_out_of_a_file() -> None:
    """Protects the first line's indentation: readlline(3) skips such a line, and so a note says."""
    read = read_configuration({MAIN: "  a = 1\n  b = 2\nc = 3\n"})
    assert read.main_cf == "c = 3\n"
    assert any("logical line must not start with whitespace" in note for note in read.notes)


@pytest.mark.parametrize(
    "texts",
    [
        {STDIN: ""},
        {STDIN: "\n\n"},
        {MAIN: "# nothing\n"},
        {STDIN: "Have you tried to turn it off and on again?\n"},
        {MAIN: "", Path("master.cf"): MASTER},
        {STDIN: "$ postfix reload\n"},
        {STDIN: "postconf -X smtpd_tls_protocols\n"},
    ],
)
def test_what_sets_nothing_is_refused(texts: dict[Path, str]) -> None:
    """A text without settings cannot be measured: exit code 4."""
    with pytest.raises(FileError) as caught:
        read_configuration(texts)
    assert caught.value.exit_code == 4


def test_defaults_are_not_taken_for_what_is_set() -> None:
    """Protects postconf -d: it prints what would be without the configuration."""
    read = pasted(
        "root@mail:~# postconf -n message_size_limit\nmessage_size_limit = 1\n"
        "root@mail:~# postconf -d message_size_limit\nmessage_size_limit = 2\n"
        "root@mail:~# \n"
    )
    assert parse_main_cf(read.main_cf).values == {"message_size_limit": "1"}
    assert any("prints the defaults" in note for note in read.notes)


def test_options_that_come_first_are_of_the_service_that_is_named() -> None:
    """Protects --for-service: -o lines alone, and no guess without it."""
    read = pasted("  -o smtpd_tls_security_level=encrypt\n", Service.SUBMISSIONS)
    (entry,) = parse_master_cf(read.master_cf).entries
    assert (entry.name, read.overlay) == ("submissions", Overlay.MERGE)
    with pytest.raises(FileError, match="options without an entry"):
        pasted("  -o smtpd_tls_security_level=encrypt\n")


def test_a_scenarios_own_text_is_kept_to_the_letter_unless_it_was_pasted() -> None:
    """Protects scenario folders: verbatim, and never changed without a note."""
    exact = "# a comment\r\na =\u00a01\n\n> b\n"
    assert read_scenario_part(exact, MAIN) == (exact, ())
    text, notes = read_scenario_part(f"root@mail:~# postconf -n\n{LINES}", MAIN)
    assert text == LINES
    assert len(notes) == 1


@pytest.mark.parametrize("indent", [" ", "\t", "    "])
def test_a_bound_on_a_line_of_its_own_is_no_quote(indent: str) -> None:
    """Without its ">" the list was empty: every version was reported as allowed."""
    settings = values(f"smtpd_tls_protocols =\n{indent}>=TLSv1.2\n")
    assert settings == {"smtpd_tls_protocols": ">=TLSv1.2"}
