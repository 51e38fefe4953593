"""The image contract's checks, judged on the real output of images."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.conformance.container_log import (
    judge_long,
    judge_quiet,
    judge_short,
    judge_smtpd,
    list_complaints,
    long_message,
)
from harness.conformance.image_checks import (
    REQUIREMENTS,
    Check,
    CheckFinding,
    CheckVerdict,
    ImageReport,
    weigh_findings,
)
from harness.conformance.image_contents import parse_facts
from harness.conformance.image_judging import (
    judge_facts,
    judge_labels,
    judge_user,
    judge_versions,
)
from harness.errors import ContractError
from harness.images import labels as names
from harness.images.provenance import Versions

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "image-contract.md"
LABELS = {
    names.CONTRACT: "1",
    names.KIND: "build",
    names.BUILD: "debian-12",
    names.POSTFIX: "3.7.11",
    names.OPENSSL: "3.0.22",
    names.HOW: "the distribution's own packages",
}
# The facts that the script reported of Debian 12's image, and lines of its log.
FACTS = """\
@@missing=
@@path postfix=/usr/sbin/postfix
@@path postlog=/usr/sbin/postlog
@@path postconf=/usr/sbin/postconf
@@path openssl=/usr/bin/openssl
@@openssl=OpenSSL 3.0.22 25 Aug 2026 (Library: OpenSSL 3.0.22 25 Aug 2026)
@@25/tcp=smtp mail
@@465/tcp=submissions ssmtp smtps urd
@@587/tcp=submission
@@mail_version=3.7.11
@@mail_owner=postfix
@@setgid_group=postdrop
@@daemon_directory=/usr/lib/postfix/sbin
@@config_directory=/etc/postfix
@@warned=
@@sasl=cyrus
dovecot
@@ldd=	linux-vdso.so.1 (0x00007ffd2b5f6000)
	libssl.so.3 => /lib/x86_64-linux-gnu/libssl.so.3 (0x00007f5d4a000000)
	libcrypto.so.3 => /lib/x86_64-linux-gnu/libcrypto.so.3 (0x00007f5d49a00000)
@@end=yes
"""
VERSIONS = Versions("3.7.11", "3.0.11", "3.0.22", "3.0.22")
SHORT = "short-b3b1befc7564f5e7"
LINE = "Nov 23 02:33:37 check-ca192702 mail.info conformance[15]: "
GREETING = "Nov 23 02:33:34 check-ca192702 syslog.info syslogd started: BusyBox v1.35.0"
CONNECT = (
    "Nov 23 02:33:38 check-ca192702 mail.info postfix-conformance/smtpd[58]: "
    "connect from unknown[127.0.0.1]:53526"
)


def findings() -> dict[str, CheckFinding]:
    """The findings of an image that keeps the contract."""
    return {requirement.name: CheckFinding("good") for requirement in REQUIREMENTS}


def verdicts(checks: tuple[Check, ...]) -> dict[str, CheckVerdict]:
    """The verdict of each check."""
    return {check.name: check.verdict for check in checks}


def contract_rows() -> list[tuple[str, str]]:
    """Check and text of each row of the document's table."""
    text = DOCUMENT.read_text("utf-8")
    table = text.partition("| check | what | why |\n|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
    assert all(len(row) == 3 and row[2] for row in rows)
    return [(row[0], row[1].replace("`", "")) for row in rows]


def test_the_document_has_each_requirement_with_the_same_text_and_order() -> None:
    """Protects users who make an image by the document: exactly what it says is checked."""
    assert contract_rows() == [(row.name, row.text) for row in REQUIREMENTS]


def test_the_documents_labels_are_the_harness_own() -> None:
    """Protects the document's other table, and its Dockerfile, from a label that was renamed."""
    text = DOCUMENT.read_text("utf-8")
    needed = {names.CONTRACT, names.KIND, names.BUILD, names.POSTFIX, names.OPENSSL, names.HOW}
    listed = set(re.findall(r"^\| `(org\.postfix-matrix\.\w+)` \|", text, re.MULTILINE))
    assert needed <= listed
    dockerfile = text.partition("```dockerfile\n")[2].partition("```")[0]
    assert set(re.findall(r"(org\.postfix-matrix\.\w+)=", dockerfile)) == needed


def test_requirements_come_after_those_that_they_need() -> None:
    """Protects the report's order: a cause comes before what follows from it."""
    earlier: set[str] = set()
    for requirement in REQUIREMENTS:
        assert set(requirement.needs) <= earlier, requirement.name
        earlier.add(requirement.name)


def test_an_image_that_keeps_the_contract_passes_every_check() -> None:
    """Protects from a check that nothing can pass."""
    report = ImageReport("r", "sha256:1", weigh_findings(findings()), VERSIONS)
    assert report.ok
    assert len(report.checks) == len(REQUIREMENTS)
    report.raise_if_failed()


@pytest.mark.parametrize("name", [requirement.name for requirement in REQUIREMENTS])
def test_each_requirement_alone_refuses_an_image(name: str) -> None:
    """Protects from a check that is made and not counted."""
    report = ImageReport(
        "mail:7", "sha256:1", weigh_findings(findings() | {name: CheckFinding("bad", "do")}), None
    )
    assert not report.ok
    assert [check.name for check in report.failures] == [name]
    with pytest.raises(ContractError, match=f"image mail:7 .*\n- {name}: bad") as caught:
        report.raise_if_failed()
    assert "images check mail:7" in caught.value.next_step


def test_what_only_follows_from_a_failure_is_not_checked_and_names_it() -> None:
    """Protects users who repair an image from a dozen findings with one cause."""
    incomplete = findings() | {"postconf": CheckFinding("no postconf", "install it")}
    for follows in ("daemons", "config", "owners", "sasl", "tls", "master"):
        del incomplete[follows]
    checks = {check.name: check for check in weigh_findings(incomplete)}
    assert checks["postconf"].verdict is CheckVerdict.FAILED
    # By way of tls and of master.
    assert checks["starttls"].verdict is CheckVerdict.NOT_CHECKED
    assert checks["starttls"].found == "needs postconf"
    assert checks["openssl"].verdict is CheckVerdict.PASSED


def test_independent_failures_are_all_reported() -> None:
    """Protects users who repair an image from doing so one failure at a time."""
    two = findings() | {"syslog": CheckFinding("none", "do"), "openssl": CheckFinding("none", "do")}
    failed = [
        name
        for name, verdict in verdicts(weigh_findings(two)).items()
        if verdict is CheckVerdict.FAILED
    ]
    assert failed == ["openssl", "syslog"]
    smtpd_log = next(check for check in weigh_findings(two) if check.name == "smtpd-log")
    assert smtpd_log.found == "needs openssl, syslog"


def test_a_failure_is_shown_with_the_requirement_and_the_next_step() -> None:
    """Protects the terminal's reader: each failure can be acted on."""
    text = str(
        Check("root", "the image's user is root", CheckVerdict.FAILED, "user mail", "set it")
    )
    assert text.splitlines() == [
        "failed: root: user mail",
        "  expected: the image's user is root",
        "  next step: set it",
    ]


def test_debian_12_keeps_the_requirements_on_its_contents() -> None:
    """Protects from a check that refuses the facts of a real image."""
    facts = parse_facts(FACTS)
    results = {
        **judge_labels(LABELS),
        **judge_user({"Config": {"User": ""}}),
        **judge_facts(facts),
        **judge_versions(LABELS, facts, VERSIONS),
    }
    assert {name: finding for name, finding in results.items() if not finding.met} == {}


@pytest.mark.parametrize(
    ("change", "check", "expected"),
    [
        ({names.CONTRACT: ""}, "contract", "no label org.postfix-matrix.contract"),
        ({names.CONTRACT: "7"}, "contract", "version 7 of the contract, this harness version 1"),
        ({names.KIND: "control"}, "labels", "kind is control, not build"),
        ({names.HOW: ""}, "labels", "how is empty or missing"),
        ({names.POSTFIX: ""}, "labels", "postfix is empty or missing"),
    ],
)
def test_labels_that_are_missing_or_unknown_are_named(
    change: dict[str, str], check: str, expected: str
) -> None:
    """Protects the labels' part of the contract."""
    finding = judge_labels(LABELS | change)[check]
    assert expected in finding.found
    assert finding.advice


@pytest.mark.parametrize("user", ["", "0", "root", "root:root", "0:0"])
def test_root_has_many_spellings(user: str) -> None:
    """Protects images that set USER root in another way."""
    assert judge_user({"Config": {"User": user}})["root"].met


def test_another_user_is_refused() -> None:
    """Protects from a container in which nothing can be set up."""
    finding = judge_user({"Config": {"User": "postfix:postfix"}})["root"]
    assert not finding.met
    assert "postfix:postfix" in finding.found


@pytest.mark.parametrize(
    ("old", "new", "check", "expected"),
    [
        ("@@missing=", "@@missing= awk nice", "tools", "no awk; no nice"),
        ("@@587/tcp=submission\n", "", "services", "no submission at 587/tcp"),
        ("=submissions ssmtp smtps urd", "=urd", "services", "no submissions or smtps at 465/tcp"),
        ("=/usr/sbin/postlog", "=", "postfix", "no postlog"),
        ("=/usr/sbin/postconf", "=", "postconf", "no postconf"),
        (
            "@@mail_owner=postfix",
            "@@refused=postconf: fatal: bad",
            "postconf",
            "postconf -d: postconf: fatal: bad",
        ),
        ("@@mail_version=3.7.11\n", "", "postconf", "mail_version is empty"),
        ("@@ldd", "@@no-daemon=/x/smtpd\n@@ldd", "daemons", "no /x/smtpd to execute"),
        ("@@ldd", "@@no-config=/x/main.cf\n@@ldd", "config", "no /x/main.cf"),
        ("@@warned=", "@@warned=postconf: warning: old", "config", "postconf: warning: old"),
        ("@@ldd", "@@no-owner=group postdrop\n@@ldd", "owners", "no group postdrop"),
        ("\ndovecot", "", "sasl", "lists cyrus"),
        ("=/usr/bin/openssl", "=", "openssl", "no openssl"),
        ("=OpenSSL 3.0.22 25", "=LibreSSL 3.8.2 25", "openssl", "prints: LibreSSL 3.8.2"),
    ],
)
def test_what_an_image_does_not_have_is_named_with_advice(
    old: str, new: str, check: str, expected: str
) -> None:
    """Protects each requirement on an image's contents."""
    assert old in FACTS
    finding = judge_facts(parse_facts(FACTS.replace(old, new, 1)))[check]
    assert expected in finding.found
    assert finding.advice


def test_the_older_name_of_port_465_will_do() -> None:
    """Protects distributions from before RFC 8314: their master.cf has smtps."""
    older = FACTS.replace("=submissions ssmtp smtps urd", "=ssmtp smtps")
    assert judge_facts(parse_facts(older))["services"].met


def test_several_missing_files_are_reported_at_once() -> None:
    """Protects repeated facts of the script: the last one must not hide the first."""
    output = FACTS.replace("@@ldd", "@@no-config=/e/master.cf\n@@no-config=/e/main.cf\n@@ldd", 1)
    assert judge_facts(parse_facts(output))["config"].found == "no /e/master.cf; no /e/main.cf"


@pytest.mark.parametrize(
    ("change", "check", "expected"),
    [
        ({names.POSTFIX: "9.9.9"}, "postfix-version", ("Postfix 9.9.9", "3.7.11")),
        ({names.OPENSSL: "1.0.2h"}, "openssl-version", ("OpenSSL 1.0.2h", "3.0.22")),
    ],
)
def test_for_a_wrong_label_both_versions_are_named(
    change: dict[str, str], check: str, expected: tuple[str, str]
) -> None:
    """Protects the results: a cell names the version that it was measured on."""
    results = judge_versions(LABELS | change, parse_facts(FACTS), VERSIONS)
    assert [name for name, finding in results.items() if not finding.met] == [check]
    assert all(text in results[check].found for text in expected)


def test_an_openssl_of_another_version_on_path_is_refused() -> None:
    """Protects the evidence that the image's openssl gives."""
    results = judge_versions(LABELS, parse_facts(FACTS), replace(VERSIONS, openssl_cli="1.0.2h"))
    assert [name for name, finding in results.items() if not finding.met] == ["openssl-same"]
    assert "loads OpenSSL 3.0.22" in results["openssl-same"].found
    assert "1.0.2h" in results["openssl-same"].found


@pytest.mark.parametrize(
    ("linked", "expected"),
    [
        ("@@ldd=not a dynamic executable", "has no TLS"),
        ("@@ldd=libcrypto.so.53 => /lib/libcrypto.so.53", "not OpenSSL's"),
        ("@@mail_owner=postfix", "no ldd"),
    ],
)
def test_no_tls_is_distinguished_from_an_unknown_library(linked: str, expected: str) -> None:
    """Protects users who repair an image from rebuilding a Postfix that is in order."""
    facts = parse_facts(f"{FACTS.partition('@@ldd')[0]}{linked}\n")
    results = judge_versions(LABELS, facts, None)
    assert expected in results["tls"].found
    assert not results["tls"].met
    assert results["postfix-version"].met


def test_a_log_line_of_the_contracts_form_is_accepted() -> None:
    """Protects the check from refusing the form that the harness reads."""
    assert judge_short(SHORT, [GREETING, LINE + SHORT], 5, "").met
    # Other daemons leave the facility out.
    assert judge_short(SHORT, [LINE.replace("mail.info ", "") + SHORT], 5, "").met


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "did not come out in 5 s"),
        (f"2026-11-23T02:33:37+00:00 host conformance[15]: {SHORT}", "it writes '2026-11-23T"),
        (LINE.replace("[15]", "") + SHORT, "it writes 'Nov 23"),
        (f"{LINE}#012{SHORT}", "it writes 'Nov 23"),
    ],
)
def test_a_log_that_cannot_be_read_is_refused(line: str, expected: str) -> None:
    """Protects the joining of log lines to connections, which needs date, tag and process id."""
    finding = judge_short(SHORT, [GREETING, line], 5, "")
    assert expected in finding.found
    assert finding.advice


def test_the_output_of_postlog_is_shown() -> None:
    """Protects from blaming the daemon for a logger that does not run."""
    assert "cannot open shared" in judge_short(SHORT, [], 5, "cannot open shared object").found


def test_long_messages_are_as_long_as_the_contract_says() -> None:
    """Protects the contract's figure: the packet at /dev/log has 1,000 bytes, and no 1,024."""
    text = long_message("long-7742bc9")
    shortest = f"<22>Nov 23 02:33:37 conformance[1]: {text}"
    longest = f"<191>Nov 23 02:33:37 conformance[4194304]: {text}"
    assert len(shortest) == 1000
    assert len(longest) < 1024


@pytest.mark.parametrize(
    ("fault", "lost"), [("cut", 1), ("split", 1), ("lost", 1), ("mixed", 2), ("glued", 2)]
)
def test_a_long_message_must_come_out_whole(fault: str, lost: int) -> None:
    """Protects long evidence, such as a list of ciphers, from being cut or mixed up unseen."""
    first, second = long_message("long-1111"), long_message("long-2222")
    lines = {
        "cut": [LINE + first[:233], LINE + second],
        "split": [LINE + first[:500], LINE + first[500:], LINE + second],
        "mixed": [LINE + first[:300] + LINE + second + first[300:]],
        "glued": [LINE + first + LINE + second],
        "lost": [LINE + second],
    }[fault]
    finding = judge_long([first, second], lines)
    assert not finding.met
    assert f"of 2 messages of 1,000 bytes, {lost} did not come out whole" in finding.found
    assert judge_long([first, second], [LINE + first, LINE + second]).met


def test_noise_on_standard_output_is_shown() -> None:
    """Protects the log from a wrapper that prints; the daemon's own greeting is no noise."""
    assert judge_quiet([GREETING, LINE + SHORT]).met
    finding = judge_quiet([GREETING, "starting mail server...", LINE + SHORT])
    assert "1 of 3 lines" in finding.found
    assert "'starting mail server...'" in finding.found


def test_smtpd_must_log_itself() -> None:
    """Protects from a daemon that sorts by tag: postlog's lines come, smtpd's do not."""
    tag = "postfix-conformance/smtpd"
    assert judge_smtpd(tag, [LINE + SHORT, CONNECT]).met
    assert not judge_smtpd(tag, [LINE + SHORT]).met
    assert not judge_smtpd(tag, [CONNECT.replace("connect", "disconnect")]).met


def test_postfix_complaints_explain_a_failure() -> None:
    """Protects the reason why an instance does not work, which Postfix logs."""
    warning = "warning: TLS has been selected, but TLS support is not compiled in"
    line = CONNECT.partition("connect from")[0] + warning
    assert list_complaints([CONNECT, line, "noise"]) == [f"postfix-conformance/smtpd: {warning}"]
