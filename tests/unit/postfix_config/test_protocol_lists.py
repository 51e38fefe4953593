"""Which protocols protocol lists exclude, by postconf(5)'s rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.postfix_config.protocol_lists import (
    MANDATORY,
    OPPORTUNISTIC,
    excluded_protocols,
    find_protocol_list,
)
from harness.tls import Protocol

ALL = frozenset(Protocol)
OLD, MIDDLE, NEW = "3.1.0", "3.5.25", "3.6.0"


def left(text: str, release: str) -> str | None:
    """What a list allows, in one string."""
    out = excluded_protocols(text, release, ssl2=release == OLD)
    return None if out is None else " ".join(p for p in Protocol if p not in out)


@pytest.mark.parametrize(
    ("text", "release", "allowed"),
    [
        ("", OLD, "SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        ("!SSLv2, !SSLv3", OLD, "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        ("!sslv2 !SSLV3:!tlsv1", OLD, "TLSv1.1 TLSv1.2 TLSv1.3"),
        ("TLSv1.2", MIDDLE, "TLSv1.2"),
        ("SSLv3, TLSv1", MIDDLE, "SSLv3 TLSv1"),
        ("TLSv1, !TLSv1", MIDDLE, ""),
        # As measured on Ubuntu 18.04: what is newer than the release is not left out.
        ("TLSv1.2, TLSv1.1, TLSv1, !SSLv2", "3.3.0", "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        ("!SSLv2, !SSLv3, !TLSv1.3", "3.3.0", "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        # Before the names TLSv1.1 and TLSv1.2 are known, nothing leaves these out.
        ("!SSLv2, !SSLv3, !TLSv1", "2.9.1", "TLSv1.1 TLSv1.2 TLSv1.3"),
        ("TLSv1", "2.9.1", "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        ("TLSv1.2", "2.9.2", "TLSv1.2 TLSv1.3"),
        ("TLSv1.2", "2.6.15", "TLSv1.2 TLSv1.3"),
        # As measured on 2.3.19: it only warns of what it does not know, and then excludes nothing.
        ("SSLv3, TLSv1", "2.4.16", "SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        ("!SSLv2, !SSLv3, !TLSv1", "2.3.19", "SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        ("TLSv1.2", "2.4.16", "SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        (">=TLSv1", NEW, "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        (">=TLSv1.1, <=TLSv1.2", NEW, "TLSv1.1 TLSv1.2"),
        (">=TLSv1, !TLSv1.2", NEW, "TLSv1 TLSv1.1 TLSv1.3"),
        (">=0x0303", NEW, "TLSv1.2 TLSv1.3"),
        # As measured: with OpenSSL 1.1.0 and later the name SSLv2 has no effect.
        ("SSLv2, !SSLv3, !TLSv1", NEW, "SSLv2 TLSv1.1 TLSv1.2 TLSv1.3"),
        ("SSLv2, !SSLv3, !TLSv1", OLD, "SSLv2 TLSv1.3"),
        # As measured: the space makes an empty bound, and a list of one protocol.
        (">= TLSv1.2", NEW, "TLSv1.2"),
    ],
)
def test_lists_are_read_as_postfix_reads_them(text: str, release: str, allowed: str) -> None:
    """The obstacle protocol-list is only reported for protocols that a list excludes."""
    assert left(text, release) == allowed


@pytest.mark.parametrize(
    ("text", "release"),
    [
        (">=TLSv1", OLD),
        ("!TLSv1.1", "2.9.1"),
        ("TLSv1.2", "2.8.9"),
        ("0x0303", OLD),
        (">=0x0999", NEW),
        ("!SSL2", NEW),
        ("TLSv1.4", NEW),
        ("$nobody", NEW),
        (">=TLSv9", NEW),
    ],
)
def test_a_list_that_cannot_be_read_has_no_result(text: str, release: str) -> None:
    """Protects against guessing: with such a list Postfix disables TLS, and logs it."""
    assert excluded_protocols(text, release, ssl2=False) is None


@given(st.sets(st.sampled_from(list(Protocol))))
def test_naming_what_is_left_out_leaves_just_that_out(out: set[Protocol]) -> None:
    """Protects the commonest form, and its opposite: names alone allow just these."""
    assert excluded_protocols(
        " ".join(f"!{protocol}" for protocol in out), MIDDLE, ssl2=True
    ) == frozenset(out)
    if out:
        assert excluded_protocols(",".join(out), NEW, ssl2=True) == ALL - out


@pytest.mark.parametrize(
    ("settings", "parameter"),
    [
        ({"smtpd_tls_security_level": "may"}, OPPORTUNISTIC),
        ({"smtpd_tls_security_level": "encrypt"}, MANDATORY),
        ({"smtpd_tls_security_level": "may", "smtpd_tls_wrappermode": "yes"}, MANDATORY),
        ({"smtpd_use_tls": "yes"}, OPPORTUNISTIC),
        ({"smtpd_use_tls": "yes", "smtpd_enforce_tls": "yes"}, MANDATORY),
        ({}, None),
        ({"smtpd_tls_security_level": "none"}, None),
    ],
)
def test_the_level_chooses_the_list(settings: dict[str, str], parameter: str | None) -> None:
    """Protects what the question's answers got wrong: each level has its own list."""
    defaults = {OPPORTUNISTIC: "!SSLv2", MANDATORY: "${smtpd_tls_protocols}, !SSLv3"}
    result = find_protocol_list({**defaults, **settings})
    assert (result.parameter if result else None) == parameter
    if parameter == MANDATORY:
        assert result is not None
        assert result.value == "!SSLv2, !SSLv3"
