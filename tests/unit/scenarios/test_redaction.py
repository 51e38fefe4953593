"""--redact: what must go goes everywhere, and what decides TLS stays."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.scenarios.redaction import (
    Redactor,
    redact_scenario,
)
from harness.scenarios.scenario import Scenario

TLS = """\
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1
smtpd_tls_ciphers = high
smtpd_tls_exclude_ciphers = aNULL, eNULL, EXPORT, DES, RC4, MD5, PSK, aECDH, EDH-DSS-DES-CBC3-SHA
tls_high_cipherlist = ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:!kDHE
smtpd_tls_security_level = may
smtpd_tls_eecdh_grade = auto
tls_ssl_options = NO_COMPRESSION, NO_RENEGOTIATION
smtpd_tls_session_cache_database = btree:${data_directory}/smtpd_scache
smtpd_tls_dh1024_param_file = /etc/postfix/dh2048.pem
smtp_tls_CApath = /etc/ssl/certs
smtp_tls_fingerprint_digest = sha256
smtpd_sasl_mechanism_filter = !gssapi, static:rest
"""


def scenario(main_cf: str, master_cf: str = "", files: dict[str, str] | None = None) -> Scenario:
    """A candidate of these texts."""
    return Scenario("x", "x", "x", "x", main_cf=main_cf, master_cf=master_cf, files=files or {})


def test_a_whole_configuration_is_redacted_consistently() -> None:
    """Protects what belongs together: host, domain, network, path and table stay each other's."""
    main_cf = (
        "myhostname = mail.corp.co.uk\nmydomain = corp.co.uk\nmyorigin = $mydomain\n"
        "mydestination = $myhostname, localhost.$mydomain, localhost, buchhaltung\n"
        "mynetworks = 127.0.0.0/8 [::1]/128 [::ffff:127.0.0.0]/104 10.1.0.0/16 192.168.7.9\n"
        "  [2a01:4f8:1:2::]/64\nrelayhost = [smarthost.isp.net]:587\n"
        "smtpd_tls_cert_file = /etc/letsencrypt/live/mail.corp.co.uk/fullchain.pem\n"
        "smtpd_banner = $myhostname ESMTP MAIL.CORP.CO.UK\n"
        "smtp_sasl_password_maps = static:joe:secret\n"
        "transport_maps = hash:/etc/postfix/transport, inet:smarthost.isp.net:24\n"
    )
    master_cf = (
        "192.168.7.9:smtp inet n - n - - smtpd\n  -o myhostname=mx.corp.co.uk\n"
        "  -o smtpd_tls_protocols=!TLSv1\n"
    )
    files = {"/etc/postfix/transport": "corp.co.uk smtp:[192.168.7.9]\n"}
    redacted = redact_scenario(scenario(main_cf, master_cf, files))
    values = parse_main_cf(redacted.main_cf).values
    assert values["myhostname"] == "mail.example1.test"
    assert values["mydomain"] == "example1.test"
    assert values["mydestination"] == "$myhostname, localhost.$mydomain, localhost, host1"
    assert values["smtpd_tls_cert_file"] == "/etc/letsencrypt/live/mail.example1.test/fullchain.pem"
    assert values["smtpd_banner"] == "$myhostname ESMTP mail.example1.test"
    assert "secret" not in redacted.main_cf
    assert "127.0.0.0/8 [::1]/128 [::ffff:127.0.0.0]/104" in values["mynetworks"]
    (entry,) = parse_master_cf(redacted.master_cf).entries
    assert entry.options["myhostname"] == "mx.example1.test"
    assert entry.options["smtpd_tls_protocols"] == "!TLSv1"
    address = entry.name.removesuffix(":smtp")
    assert redacted.files == {"/etc/postfix/transport": f"example1.test smtp:[{address}]\n"}
    assert address in values["mynetworks"]
    for word in values["mynetworks"].split():
        ipaddress.ip_network(word.replace("[", "").replace("]", ""))
    everything = repr(redacted).lower()
    for name in ("corp.co", "isp.net", "192.168.7", "10.1.", "2a01:", "buchhaltung", "smarthost."):
        assert name not in everything


def test_what_decides_tls_is_untouched() -> None:
    """Protects the measurement: a redacted configuration is the same one to TLS."""
    redacted = redact_scenario(scenario(f"myhostname = high.may\nmydomain = may\n{TLS}"))
    assert redacted.main_cf.endswith(TLS)
    assert Redactor().redact_setting("tls_high_cipherlist", "kDHE.high") == "kDHE.high"
    assert Redactor().redact_setting("myhostname", "kDHE.high") != "kDHE.high"


def test_reserved_and_generic_names_are_kept() -> None:
    """Protects names that identify no host: file names, reserved names, tables, dotted words."""
    text = (
        "alias_maps = hash:/etc/aliases, nis:mail.aliases\n"
        "local_recipient_maps = unix:passwd.byname $alias_maps\n"
        "header_checks = pcre:/etc/postfix/maps/header_checks.pcre\n"
        "a_maps = mysql:/etc/postfix/mysql-virtual.cf\nmyhostname = mail.example.org\n"
        "mydestination = localhost.localdomain, $myhostname, localhost\ninet_interfaces = all\n"
        "compatibility_level = 3.6\n"
    ).replace(", nis:mail.aliases", "")
    assert redact_scenario(scenario(text)).main_cf == text


LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=3, max_size=8).map("q{}".format)
NAMES = st.builds(
    lambda labels, top: ".".join([*labels, top]),
    st.lists(LABELS, min_size=1, max_size=3),
    st.sampled_from(["com", "net", "org", "de", "io", "info", "xn--p1ai"]),
)
_SUBSTITUTES = [
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


def _is_somebodys(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether --redact must replace it: no loopback, nothing unset, none of the substitutes."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    kept = address.is_loopback or address.is_unspecified or mapped is not None
    kept = kept or str(address) == "255.255.255.255"
    return not kept and not any(address in network for network in _SUBSTITUTES)


ADDRESSES = st.ip_addresses().filter(_is_somebodys)


@settings(max_examples=150, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5), st.lists(ADDRESSES, min_size=1, max_size=5))
def test_no_name_and_no_address_is_left(
    names: list[str], addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address]
) -> None:
    """Protects --redact: wherever a name or an address stands, it is nowhere in what is written."""
    lines = [f"myhostname = {names[0]}", f"mydestination = {', '.join(names)}, localhost"]
    for name in names:
        lines += [
            f"relayhost = [{name}]:587",
            f"smtpd_tls_cert_file = /etc/letsencrypt/live/{name}/fullchain.pem",
            f"a_maps = hash:/etc/{name}.db, ldap:{name}:389, inet:{name}:12",
            f"smtpd_banner = {name.upper()} ESMTP ({name})",
            f"notify = x@{name}, check_sender_access inline:{{{name}=OK}}",
        ]
    for address in addresses:
        lines.append(f"mynetworks = {address if address.version == 4 else f'[{address}]'}")
    master = f"{names[-1]}:smtp inet n - n - - smtpd\n  -o myhostname={names[-1]}\n"
    redacted = redact_scenario(scenario("\n".join(lines) + f"\n{TLS}", master))
    written = (redacted.main_cf + redacted.master_cf).lower()
    for name in names:
        assert name not in written
    values = parse_main_cf(redacted.main_cf).values
    for address in addresses:
        assert (
            f" {address}" not in written.split("mynetworks", 1)[1].split("smtpd_tls_protocols")[0]
        )
        assert str(address) not in values["mynetworks"]
    assert TLS in redacted.main_cf


@pytest.mark.parametrize("network", ["10.0.0.0/8", "172.16.0.0/12", "192.168.4.0/22", "fe80::/10"])
def test_a_network_stays_a_network(network: str) -> None:
    """Protects mynetworks: Postfix refuses a network with host bits set."""
    substitute = Redactor().redact_text(network)
    assert substitute != network
    assert ipaddress.ip_network(substitute).prefixlen == ipaddress.ip_network(network).prefixlen
