"""master.cf as master(5) reads it, laying entries over it, and the instance's ports."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import FileError
from harness.postfix_config.master_cf import (
    MasterCf,
    MasterEntry,
    parse_master_cf,
)
from harness.postfix_config.master_cf_overlay import (
    Overlay,
    overlay_entries,
)
from harness.postfix_config.ports import (
    listening_places,
    number_ports,
    rewrite_ports,
    unregistered_places,
)
from harness.tls import Service

STOCK = """\
# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       y       -       -       smtpd
# a comment between
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
#  -o smtpd_tls_auth_only=yes
  -o smtpd_tls_security_level=encrypt
smtp      unix  -       -       y       -       -       smtp
"""
PORTS = {"smtp": 20010, "submission": 20011, "submissions": 20012}


def entry(text: str) -> MasterEntry:
    """The only entry of a text."""
    (only,) = parse_master_cf(text).entries
    return only


def laid_over(candidate: str, mode: Overlay, stock: str = STOCK) -> MasterCf:
    """The candidate's text over the stock's."""
    return overlay_entries(parse_master_cf(stock), parse_master_cf(candidate), mode)


def test_fields_options_and_lines() -> None:
    """An entry has its eight fields, its options across comments, and the line where it begins."""
    _, submission, client = parse_master_cf(STOCK).entries
    assert submission.fields == ("submission", "inet", "n", "-", "y", "-", "-", "smtpd")
    assert submission.options == {
        "syslog_name": "postfix/submission",
        "smtpd_tls_security_level": "encrypt",
    }
    assert submission.line == 4
    assert (client.name, client.type, client.service) == ("smtp", "unix", None)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("-o a=b", {"a": "b"}),
        ("-oa=b", {"a": "b"}),
        ("-o { a = b c }", {"a": "b c"}),
        ("-o {a = {b} c}", {"a": "{b} c"}),
        ("-v -o a=b=c", {"a": "b=c"}),
        ("-o a=1\n # c\n\t-o a=2", {"a": "2"}),
        ("-o { a =\n  b }", {"a": "b"}),
        ("-o", {}),
    ],
)
def test_every_form_of_option_is_read(arguments: str, options: dict[str, str]) -> None:
    """master(5): the short form, the long form with braces, and options on separate lines."""
    assert entry(f"smtp inet n - n - - smtpd {arguments}\n").options == options


@pytest.mark.parametrize(
    ("name", "service", "host"),
    [
        ("smtp", Service.SMTP, ""),
        ("25", Service.SMTP, ""),
        ("587", Service.SUBMISSION, ""),
        ("smtps", Service.SUBMISSIONS, ""),
        ("submissions", Service.SUBMISSIONS, ""),
        ("465", Service.SUBMISSIONS, ""),
        ("127.0.0.1:submission", Service.SUBMISSION, "127.0.0.1:"),
        ("[::1]:587", Service.SUBMISSION, "[::1]:"),
        ("10025", None, ""),
    ],
)
def test_names_of_one_service(name: str, service: Service | None, host: str) -> None:
    """587 and smtps denote the same services as the registered names."""
    parsed = entry(f"{name} inet n - n - - smtpd\n")
    assert (parsed.service, parsed.host) == (service, host)


def test_replace_takes_the_place_of_the_stock_entry() -> None:
    """The candidate's fields hold as written, and no option of the stock entry stays."""
    candidate = "587  inet  n  -  -  -  -  smtpd\n  -o smtpd_tls_security_level=may\n"
    result = laid_over(candidate, Overlay.REPLACE)
    assert [e.name for e in result.entries] == ["smtp", "587", "smtp"]
    assert candidate in result.text
    assert "postfix/submission" not in result.text


def test_replace_leaves_other_types_alone() -> None:
    """smtp/inet is the server, smtp/unix the client; advice on one must not drop the other."""
    result = laid_over("smtp inet n - - - - smtpd -v\n", Overlay.REPLACE)
    assert [(e.name, e.type) for e in result.entries] == [
        ("smtp", "inet"),
        ("submission", "inet"),
        ("smtp", "unix"),
    ]


def test_a_duplicate_in_the_candidate_stays_a_duplicate() -> None:
    """It is what the candidate does to Postfix that is measured."""
    twice = "submission inet n - - - - smtpd\n" * 2
    assert laid_over(twice, Overlay.REPLACE).text.count("submission inet n - - - - smtpd") == 2


def test_what_has_no_counterpart_comes_last() -> None:
    """A new service is added in each mode, on a new line even after an unterminated one."""
    for mode in Overlay:
        result = laid_over("465 inet n - n - - smtpd", mode, STOCK.rstrip("\n"))
        assert [e.name for e in result.entries][-1] == "465"
        assert len(result.entries) == 4


def test_merge_adds_below_and_replaces_in_place() -> None:
    """ "Add this option below them; if it is there, modify its value", as an answer says it."""
    candidate = """\
submission inet n - - - - smtpd
  -o smtp_tls_mandatory_protocols=TLSv1
  -o { smtpd_tls_security_level = may }
"""
    result = laid_over(candidate, Overlay.MERGE)
    merged = result.entries[1]
    assert merged.fields == ("submission", "inet", "n", "-", "y", "-", "-", "smtpd")
    assert list(merged.options.items()) == [
        ("syslog_name", "postfix/submission"),
        ("smtpd_tls_security_level", "may"),
        ("smtp_tls_mandatory_protocols", "TLSv1"),
    ]
    assert "  -o { smtpd_tls_security_level = may }\n" in merged.text
    assert "#  -o smtpd_tls_auth_only=yes\n" in merged.text


def test_merge_goes_into_the_entry_that_counts() -> None:
    """Of duplicates master(8) uses the last, so an option of the first would have no effect."""
    stock = "submission inet n - n - - smtpd\n" * 2
    result = laid_over("submission inet n - - - - smtpd -o a=b\n", Overlay.MERGE, stock)
    assert [e.options for e in result.entries] == [{}, {"a": "b"}]


def test_append_duplicates() -> None:
    """The second entry stays below the first, for Postfix to say what it makes of it."""
    candidate = "submission inet n - - - - smtpd\n"
    result = laid_over(candidate, Overlay.APPEND)
    assert result.text == STOCK + candidate


@pytest.mark.parametrize("line", ["submission", "submission inet n"])
def test_an_entry_too_short_is_left_to_postfix(line: str) -> None:
    """The "missing field" error of master(8) is the result, so the line must reach it."""
    for mode in Overlay:
        assert line in laid_over(f"{line}\n", mode).text.split("\n")


def test_a_continuation_of_nothing_is_refused_with_its_line() -> None:
    """An -o line alone would end up under whatever entry the stock file has last."""
    with pytest.raises(FileError) as caught:
        parse_master_cf("# only this:\n  -o smtp_tls_mandatory_protocols=TLSv1\n", Path("m"))
    assert caught.value.place.line == 2


def numbered(master: MasterCf) -> dict[str, int]:
    """Ports for all that a master.cf listens on."""
    return number_ports(PORTS, unregistered_places(master))


def test_ports_change_and_nothing_else_does() -> None:
    """Names become ports; options, comments and other types stay verbatim."""
    text = STOCK + "127.0.0.1:smtps inet n - n - - smtpd\n10025 unix n - n - - smtpd\n"
    master = parse_master_cf(text)
    result, rewrites = rewrite_ports(master, numbered(master))
    assert result.text == (
        text.replace("smtp      inet", "20010      inet")
        .replace("submission inet", "20011 inet")
        .replace("127.0.0.1:smtps", "20013")
    )
    assert [(r.before, r.after) for r in rewrites] == [
        ("smtp", "20010"),
        ("submission", "20011"),
        ("127.0.0.1:smtps", "20013"),
    ]


def test_two_spellings_of_a_service_stay_two_and_two_of_one_stay_one() -> None:
    """Postfix may distinguish a repeated name from two names of one port; so must we."""
    names = ("submission", "587", "submission")
    text = "".join(f"{name} inet n - n - - smtpd\n" for name in names)
    result, _ = rewrite_ports(parse_master_cf(text), PORTS)
    assert [e.name for e in result.entries] == ["20011", "020011", "20011"]


def inet(*names: str) -> str:
    """An inet entry of each name."""
    return "".join(f"{name} inet n - n - - smtpd\n" for name in names)


def test_other_listeners_get_the_instances_next_ports() -> None:
    """On a fixed port the second instance of a container would die: "Address already in use"."""
    names = ("127.0.0.1:10025", "smtp", "qmqp", "[::1]:10026", "submission")
    master = parse_master_cf(inet(*names))
    result, rewrites = rewrite_ports(master, numbered(master))
    after = ["20013", "20010", "20014", "20015", "20011"]
    assert [e.name for e in result.entries] == after
    assert [(r.before, r.after) for r in rewrites] == list(zip(names, after, strict=True))


def test_as_it_is_an_entry_keeps_its_address() -> None:
    """With as_is, advice about addresses is applied verbatim."""
    master = parse_master_cf(inet("127.0.0.1:10025", "192.0.2.1:smtp"))
    result, _ = rewrite_ports(master, numbered(master), keep_hosts=True)
    assert [e.name for e in result.entries] == ["127.0.0.1:20013", "192.0.2.1:20010"]


def test_entries_on_one_port_stay_on_one_port() -> None:
    """A duplicate, a port on every address and on one: Postfix decides, and that is the result."""
    names = ("10025", "127.0.0.1:10025", "10025", "010025", "10026", "0587", "587")
    master = parse_master_cf(inet(*names))
    result, _ = rewrite_ports(master, numbered(master))
    after = ["20013", "127.0.0.1:20013", "20013", "020013", "20014", "20011", "020011"]
    assert [e.name for e in result.entries] == after


def test_addresses_with_separate_entries_are_separate_services() -> None:
    """A port of this machine only and the same port of an outer address behave differently."""
    names = ("127.0.0.1:smtp", "192.0.2.1:smtp", "192.0.2.2:smtp")
    places = listening_places(parse_master_cf(inet(*names)))
    assert [place.name for place in places.values()] == ["127.0.0.1:smtp", "smtp", "192.0.2.2:smtp"]
    assert [place.loopback for place in places.values()] == [True, False, False]


@pytest.mark.parametrize("name", ["{PORT}", "${SMTP_PORT}", "::1:25"])
def test_an_invalid_name_is_refused_with_its_line(name: str) -> None:
    """A template with a placeholder left in it used to end in a traceback."""
    with pytest.raises(FileError, match=r"master.cf:2: .* is not the name of an inet service"):
        listening_places(parse_master_cf(inet("smtp", name)))


def test_every_address_and_an_address_with_its_zone_are_names() -> None:
    """inet(4) and RFC 4007 have them."""
    names = ("*:25", "0.0.0.0:587", "[fe80::1]:2525", "[fe80::1%eth0]:2525")
    places = listening_places(parse_master_cf(inet(*names)))
    assert [place.name for place in places.values()] == [
        "smtp",
        "submission",
        "2525",
        "[fe80::1%eth0]:2525",
    ]


WORDS = st.text("ab1-=${}", min_size=1, max_size=6)
BREAKS = st.sampled_from([" ", "\t", "\n  ", "\n# c\n\t", "\n\n "])
ENTRIES = st.lists(
    st.builds(
        lambda fields, breaks: "x" + "".join(b + w for b, w in zip(breaks, fields, strict=False)),
        st.lists(WORDS, max_size=12),
        st.lists(BREAKS, min_size=12, max_size=12),
    ),
    max_size=5,
)


@given(ENTRIES, st.booleans())
def test_no_byte_is_lost(entries: list[str], ended: bool) -> None:
    """Parsing and printing a master.cf gives it back, whatever its entries look like."""
    text = "\n".join(entries) + ("\n" if ended else "")
    parsed = parse_master_cf(text)
    assert parsed.text == text
    assert len(parsed.entries) == len(entries)


@given(ENTRIES)
def test_arguments_lie_at_their_offsets(entries: list[str]) -> None:
    """Merging cuts by these offsets; each must begin and end at a word of the entry."""
    for parsed in parse_master_cf("\n".join(entries)).entries:
        for argument in parsed.arguments:
            text = parsed.text[argument.start : argument.end]
            assert text.strip() == text != ""
            assert text.startswith("-o") or text.split()[0] == argument.value.split()[0]
