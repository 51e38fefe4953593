"""The address of a server to scan: what is taken, and what the right form would be."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.scan.address import ServerAddress, is_address, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("mail.example.org:25", "mail.example.org", 25),
        ("localhost:2525", "localhost", 2525),
        ("192.0.2.1:465", "192.0.2.1", 465),
        ("[::1]:25", "::1", 25),
        ("[2001:DB8::1]:465", "2001:db8::1", 465),
        ("bücher.example:25", "xn--bcher-kva.example", 25),
        ("mail.example.org.:25", "mail.example.org.", 25),
        ("mx_1.example:25", "mx_1.example", 25),
    ],
)
def test_a_host_and_a_port_are_taken(text: str, host: str, port: int) -> None:
    """Protects users of IPv6 and of names in their own script."""
    assert is_address(text)
    assert parse_address(text) == ServerAddress(host, port)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("mail.example.org", "mail.example.org:25"),
        ("https://mail.example.org", "write mail.example.org:25"),
        ("smtps://mail.example.org/", "write mail.example.org:465 (with --implicit)"),
        ("http://u:p@mail.example.org:2525/x", "write mail.example.org:2525"),
        ("::1", "write [::1]:25"),
        ("[::1]", "[::1]:25"),
        ("[nowhere]:25", "HOST:PORT"),
        ("host:25:26", "HOST:PORT"),
        ("user@host:25", "name the server alone: host:25"),
        ("host:0", "from 1 to 65535"),
        ("host:" + "9" * 5000, "from 1 to 65535"),
        ("192.0.2.1", "192.0.2.1:25"),
        ("192.0.2.256:25", "HOST:PORT"),
        ("a..b:25", "HOST:PORT"),
    ],
)
def test_the_right_form_is_named(text: str, right: str) -> None:
    """Protects who pastes a URL, or forgets the port: the next step can be typed."""
    assert is_address(text)
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert right in caught.value.next_step


@pytest.mark.parametrize("text", ["debian-12", "postfix-3.7.11+openssl-1.1.1w", "ubuntu-16.04"])
def test_a_build_is_no_address(text: str) -> None:
    """Protects scans of builds, whose names have dots too."""
    assert not is_address(text)
