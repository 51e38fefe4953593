"""Starting an instance, by what a release's master can do."""

from __future__ import annotations

import pytest

from harness.targets.log_tags import service_tags
from harness.targets.start_script import start_script
from harness.tls import Service


@pytest.mark.parametrize(
    ("version", "waits"), [("2.3.17", False), ("2.9.15", False), ("2.10.0", True), ("3.11.7", True)]
)
def test_only_a_master_that_can_wait_is_asked_to(version: str, waits: bool) -> None:
    """Before 2.10 'master -w' is a usage error: each configuration would count as not starting."""
    script = start_script("/usr/libexec/postfix/master", "/srv/x/etc", version)
    assert (" -w " in script) is waits
    assert ("master -c /srv/x/etc &" in script) is not waits


def test_a_service_s_log_tag_is_known_where_postconf_gives_up() -> None:
    """Protects from a time-out for a process that dies: "macro processing error" ends postconf."""
    main = "proxy_read_maps = $a $\nsyslog_name = postfix-candidate\n"
    master = "20010 inet n - y - - smtpd\n20011 inet n - y - - smtpd\n  -o syslog_name=mine\n"
    ports = {Service.SMTP: 20010, Service.SUBMISSION: 20011}
    tags = {Service.SMTP: "postfix-candidate/smtpd", Service.SUBMISSION: "mine/smtpd"}
    assert service_tags(main, master, "mydomain = x\n", ports) == tags
    tags = {Service.SMTP: "other/smtpd", Service.SUBMISSION: "mine/smtpd"}
    assert service_tags(main, master, "syslog_name = other\n", ports) == tags


def test_the_log_tag_behind_postscreen_is_that_of_the_smtpd_that_takes_its_clients() -> None:
    """Its death was not noticed, and its clients were reported as timed out."""
    master = (
        "20010 inet n - y - 1 postscreen\n  -o smtpd_service_name=second\n"
        "smtpd pass - - y - - smtpd\n  -o syslog_name=first\n"
        "second pass - - y - - smtpd\n  -o syslog_name=$mail_name/second\n"
    )
    ports = {Service.SMTP: 20010}
    tags = service_tags("mail_name = Post\n", master, "", ports)
    assert tags == {Service.SMTP: "Post/second/smtpd"}
