"""Whole configurations that people run, and single settings of them: right answers, right reasons.

The texts are settings only (tests/data/configurations); the right answers were worked out from
postconf(5). A table, a socket or a daemon that a configuration names is not here, as it is not in a
question, and none of that decides TLS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.observations.run_folder import RunData
from harness.verdicts.policy_answers import judge_services
from tests.docker.conftest import Finished, run_cli

CONFIGURATIONS = Path(__file__).parents[1] / "data" / "configurations"
NEW, OLD = ("debian-12", "debian-13"), "ubuntu-16.04"
#: One client that can make every offer that decides.
CLIENT = "aiosmtplib-debian12"
POLICY = '[[expect]]\npolicy = "tls12-or-newer"\n'
THREE = ("smtp", "submission", "submissions")
#: What the build's own entries come to where only a main.cf was given.
STOCK = "stock"


def _all(answer: str, services: tuple[str, ...] = THREE) -> dict[str, str]:
    return dict.fromkeys(services, answer)


#: What tls12-or-newer must come to by service, on Debian 12 and 13.
RIGHT: Mapping[str, Mapping[str, str]] = {
    "dms": _all("yes"),
    "mailcow": {**_all("yes"), "10025": "yes", "10465": "yes", "10587": "yes", "588": "yes"},
    "iredmail-debian12": {**_all("yes"), "127.0.0.1:10025": "none", "127.0.0.1:10028": "none"},
    "yunohost": {"smtp": "yes", "submission": STOCK, "submissions": STOCK},
    "feministwiki": _all("no"),
    "ispconfig2016": _all("no"),
    # The entries behind the content filter set the lists that are broken otherwise.
    "ispconfig2020": {**_all("config-rejected"), "127.0.0.1:10025": "no", "127.0.0.1:10027": "no"},
    "ispcp2011": {"smtp": "none", "submission": STOCK, "submissions": STOCK},
    "mailu": {"smtp": "none", "10025": "none"},
    "centos7": _all("no", ("smtp", "submissions")),
    "centos6": _all("no"),
    "cyrus2011": {"smtp": "no", "submission": STOCK, "submissions": STOCK},
    "suse2008": _all("no"),
    "evolix": _all("no"),
    "upstream": {"smtp": "config-rejected"},
    "zimbra2007": _all("config-rejected"),
}
#: On Postfix 3.1 and OpenSSL 1.0.2, for the configurations whose settings that release knows.
RIGHT_OLD: Mapping[str, Mapping[str, str]] = {
    name: RIGHT[name]
    for name in (
        *("ispconfig2016", "ispconfig2020", "ispcp2011", "mailu", "centos7", "centos6"),
        *("cyrus2011", "suse2008", "evolix", "zimbra2007"),
    )
}
#: Postfix's own words, where it does not run.
WORDS = {
    "ispconfig2020": "macro processing error",
    "upstream": "setgid_group",
    "zimbra2007": "missing '=' after attribute name",
}


def _write(root: Path, name: str, main_cf: str, master_cf: str, keys: str) -> None:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "main.cf").write_text(main_cf)
    if master_cf:
        (folder / "master.cf").write_text(master_cf)
    head = f'title = "{name}"\nsource = "a test"\nclaim = "TLSv1.2 or newer."\n'
    (folder / "scenario.toml").write_text(head + keys + POLICY)


def answer_texts(data: RunData, scenario: str, build: str) -> dict[str, str]:
    """The policy's answer by service."""
    return {
        each.service: str(each.builds[build].answer)
        for each in judge_services(data, scenario)
        if build in each.builds
    }


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """All sixteen configurations on three builds."""
    root = tmp_path_factory.mktemp("real")
    for folder in sorted(CONFIGURATIONS.iterdir()):
        master = "".join(path.read_text() for path in sorted(folder.glob("master*.cf")))
        keys = 'configuration = "whole"\n'
        _write(root / "scenarios", folder.name, (folder / "main.cf").read_text(), master, keys)
    return run_cli(root, "-b", ",".join((*NEW, OLD)), "-c", CLIENT, "--scenarios-dir",
                   str(root / "scenarios"))  # fmt: skip


@pytest.mark.docker
@pytest.mark.parametrize("build", NEW)
@pytest.mark.parametrize("name", sorted(RIGHT))
def test_a_real_configuration_gets_the_right_answer(real: Finished, name: str, build: str) -> None:
    """An administrator's first question; none of 21 such answers was right before."""
    found = answer_texts(real.data, name, build)
    right = {service: answer for service, answer in RIGHT[name].items() if answer != STOCK}
    assert {service: found.get(service) for service in right} == right
    assert set(found) >= set(RIGHT[name])


@pytest.mark.docker
@pytest.mark.parametrize("name", sorted(RIGHT_OLD))
def test_and_on_the_questions_own_release(real: Finished, name: str) -> None:
    """Ubuntu 16.04 runs what was written for releases of its time."""
    found = answer_texts(real.data, name, OLD)
    right = {service: answer for service, answer in RIGHT_OLD[name].items() if answer != STOCK}
    assert {service: found.get(service) for service in right} == right


@pytest.mark.docker
@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_configuration_that_postfix_rejects_is_told_in_its_words(
    real: Finished, name: str
) -> None:
    """The reason is the fatal line, whichever cell met it."""
    evidence = [
        real.data.evidence(seen)
        for seen in real.data.observations
        if (seen.build, seen.scenario, seen.outcome) == ("debian-12", name, "config-rejected")
    ]
    assert evidence
    assert all(WORDS[name] in "\n".join(each["log"]) for each in evidence if each)


@pytest.mark.docker
def test_mail_goes_through_where_tls_does(real: Finished) -> None:
    """ "Gets through" is a message in the queue: no cell of these ends after the handshake."""
    names = ("dms", "yunohost", "feministwiki", "ispconfig2016", "centos7", "centos6", "evolix")
    late = [
        seen.cell
        for seen in real.data.observations
        if seen.scenario in names
        and seen.build == "debian-12"
        and seen.client_saw is not None
        and seen.outcome != "accepted"
    ]
    assert late == []


@dataclass(frozen=True, slots=True)
class Reduction:
    """One setting of real configurations beside a list of TLSv1.2 and newer."""

    main_cf: str = ""
    master_cf: str = ""
    answers: Mapping[str, str] | None = None
    keys: str = ""


_TLS12 = "smtpd_tls_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n"
_WHOLE = 'configuration = "whole"\n'
_PAIR = "smtpd_tls_cert_file = /etc/ssl/c.pem\nsmtpd_tls_key_file = /etc/ssl/k.pem\n"
_POSTSCREEN = """\
smtp     inet n - y - 1 postscreen
smtpd    pass - - y - - smtpd
tlsproxy unix - - y - 0 tlsproxy
dnsblog  unix - - y - 0 dnsblog
"""
_MASTER = (CONFIGURATIONS / "centos7" / "master.cf").read_text()
REDUCTIONS: Mapping[str, Reduction] = {
    "sasl-path": Reduction("smtpd_sasl_path = private/auth\n"),
    "sasl-cyrus": Reduction("smtpd_sasl_type = cyrus\nsmtpd_sasl_path = smtpd\n"),
    "daemon-directory": Reduction("daemon_directory = /usr/libexec/postfix\n"),
    "myorigin": Reduction("myorigin = /etc/mailname\n"),
    "hyphen": Reduction("smtp-amavis_destination_recipient_limit = 1\n"),
    "chain-files": Reduction("smtpd_tls_chain_files = /etc/ssl/a.key, /etc/ssl/a.pem\n"),
    "enforce-tls": Reduction("smtpd_enforce_tls = yes\n" + _PAIR, keys=_WHOLE, answers=_all("yes")),
    "no-tls-line": Reduction(
        "myhostname = mail.example.org\n", _MASTER, _all("none", ("smtp", "submissions")), _WHOLE
    ),
    "ec-only": Reduction(
        "smtpd_tls_security_level = may\nsmtpd_tls_eccert_file = /etc/ssl/e.pem\n"
        "smtpd_tls_eckey_file = /etc/ssl/e.key\n",
        keys=_WHOLE,
    ),
    "no-submission": Reduction(
        "smtpd_tls_security_level = may\n" + _PAIR,
        _MASTER,
        _all("yes", ("smtp", "submissions")),
        _WHOLE,
    ),
    "hash": Reduction("virtual_alias_maps = hash:/etc/postfix/virtual\n"),
    "mysql": Reduction("virtual_mailbox_domains = proxy:mysql:/etc/postfix/domains.cf\n"),
    "lmdb": Reduction("smtpd_tls_session_cache_database = lmdb:/dev/shm/postfix/scache\n"),
    "pcre": Reduction("header_checks = pcre:/etc/postfix/header_checks.pcre\n"),
    "regexp": Reduction("smtpd_client_restrictions = check_client_access regexp:/etc/postfix/c\n"),
    "milter": Reduction("smtpd_milters = inet:localhost:8891\nmilter_default_action = tempfail\n"),
    "policy-service": Reduction(
        "smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated,\n"
        "  reject_unauth_destination, check_policy_service inet:127.0.0.1:10023\n"
    ),
    "unknown-client": Reduction("smtpd_client_restrictions = reject_unknown_client_hostname\n"),
    "unknown-sender": Reduction("smtpd_sender_restrictions = reject_unknown_sender_domain\n"),
    "unknown-helo": Reduction("smtpd_helo_restrictions = reject_unknown_helo_hostname\n"),
    "block-list": Reduction("smtpd_client_restrictions = reject_rbl_client zen.spamhaus.org\n"),
    "postscreen": Reduction("postscreen_greet_action = enforce\n", _POSTSCREEN),
    "haproxy": Reduction(
        master_cf="2525 inet n - n - - smtpd\n  -o smtpd_upstream_proxy_protocol=haproxy\n",
        answers={**_all("yes"), "2525": "yes"},
    ),
}


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Each setting beside the protocol list."""
    root = tmp_path_factory.mktemp("reduced")
    for name, each in REDUCTIONS.items():
        _write(root / "scenarios", name, _TLS12 + each.main_cf, each.master_cf, each.keys)
    return run_cli(root, "-b", "debian-12", "-c", CLIENT, "--scenarios-dir",
                   str(root / "scenarios"))  # fmt: skip


@pytest.mark.docker
@pytest.mark.parametrize("name", sorted(REDUCTIONS))
def test_one_setting_does_not_turn_a_right_answer_wrong(reduced: Finished, name: str) -> None:
    """Each of these alone made the answer wrong, by what a container has not."""
    right = REDUCTIONS[name].answers or _all("yes")
    found = answer_texts(reduced.data, name, "debian-12")
    assert {service: found.get(service) for service in right} == dict(right)
    assert (
        REDUCTIONS[name].keys != _WHOLE
        or set(found) == set(right)
        or not REDUCTIONS[name].master_cf
    )
