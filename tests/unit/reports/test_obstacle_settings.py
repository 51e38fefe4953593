"""A refused cell shows the settings that belong to its obstacle, with the values in effect."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.observations.obstacles import Obstacle
from harness.observations.record import Observation, Outcome, Stage
from harness.observations.run_folder import load_run
from harness.observations.run_json import ImageInfo, ReadBack
from harness.reports.cell_detail import show_cell
from harness.reports.html import render_html
from harness.reports.obstacle_settings import obstacle_settings
from tests.unit import sample_run
from tests.unit.reports.test_files import blocks_of

DEFAULTS = {
    "smtpd_tls_ciphers": "medium", "smtpd_tls_mandatory_ciphers": "medium",
    "tls_medium_cipherlist": "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH",
    "tls_high_cipherlist": "aNULL:-aNULL:HIGH:@STRENGTH", "smtpd_tls_exclude_ciphers": "",
    "smtpd_tls_mandatory_exclude_ciphers": "", "smtpd_tls_eecdh_grade": "auto",
    "tls_eecdh_auto_curves": "X25519 prime256v1", "smtpd_tls_protocols": ">=TLSv1",
    "smtpd_tls_mandatory_protocols": ">=TLSv1", "smtpd_tls_security_level": "",
}  # fmt: skip
SET = {
    "smtpd_tls_security_level": "may", "smtpd_tls_exclude_ciphers": "RC4, 3DES",
    "smtpd_tls_protocols": "!SSLv2, !SSLv3", "smtpd_tls_cert_file": "/etc/x.pem",
    "smtpd_tls_auth_only": "yes",
}  # fmt: skip
IMAGE = ImageInfo("build", openssl="3.0.22", read_back=ReadBack(system_policy="CipherString = X"))


def instance(**more: str) -> dict[str, Any]:
    """The evidence of an instance with one service."""
    settings = {**SET, **more}
    defaults = {name: value for name, value in DEFAULTS.items() if name not in settings}
    return {
        "files": {"/etc/x.pem": "RSA certificate"},
        "services": [{"service": "smtp", "settings": settings, "defaults": defaults}],
    }


def refused(*obstacles: str, **more: Any) -> Observation:
    """A cell that was refused by these."""
    cell = sample_run.observe("debian-12", "advice", "smtp", "openssl-1.0.2h", "TLSv1.2")
    return replace(
        cell, outcome=Outcome.REFUSED, obstacles=obstacles,
        **{"stage": Stage.HANDSHAKE, "reason": "no-shared-cipher", **more},
    )  # fmt: skip


def texts(observation: Observation, instance: dict[str, Any]) -> dict[str, list[str]]:
    """The lines of each obstacle."""
    shown = obstacle_settings(observation, instance, None, IMAGE)
    return {each.obstacle: [setting.text for setting in each.settings] for each in shown}


def test_a_cell_refused_for_its_ciphers_shows_the_cipher_lists() -> None:
    """Protects the reader from "its list": grade, list, exclusions and groups, not the protocols.

    The grade at level may is another parameter than that of mandatory TLS.
    """
    lines = texts(refused(Obstacle.CIPHER_LIST), instance())[Obstacle.CIPHER_LIST]
    assert lines == [
        "smtpd_tls_ciphers = medium (Postfix's default)",
        "tls_medium_cipherlist = aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH (Postfix's default)",
        "smtpd_tls_exclude_ciphers = RC4, 3DES",
        "smtpd_tls_eecdh_grade = auto (Postfix's default)",
        "tls_eecdh_auto_curves = X25519 prime256v1 (Postfix's default)",
    ]
    strict = instance(smtpd_tls_security_level="encrypt", smtpd_tls_mandatory_ciphers="high")
    lines = texts(refused(Obstacle.CIPHER_LIST), strict)[Obstacle.CIPHER_LIST]
    assert lines[:4] == [
        "smtpd_tls_mandatory_ciphers = high",
        "tls_high_cipherlist = aNULL:-aNULL:HIGH:@STRENGTH (Postfix's default)",
        "smtpd_tls_exclude_ciphers = RC4, 3DES",
        "smtpd_tls_mandatory_exclude_ciphers = (Postfix's default)",
    ]


@pytest.mark.parametrize(
    ("obstacle", "more", "expected"),
    [
        (Obstacle.PROTOCOL_LIST, {}, ["smtpd_tls_protocols = !SSLv2, !SSLv3"]),
        (Obstacle.KEYS, {}, ["smtpd_tls_cert_file = /etc/x.pem (RSA certificate)"]),
        (Obstacle.LIBRARY, {}, ["OpenSSL = 3.0.22 (as Postfix loads it)"]),
        (Obstacle.SECURITY_LEVEL, {}, [
            "tls_medium_cipherlist = aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH (Postfix's default)",
            "the image's openssl.cnf = CipherString = X"]),
        (Obstacle.SETTINGS, {"stage": Stage.MAIL, "reason": "must-starttls"},
         ["smtpd_tls_security_level = may", "smtpd_tls_auth_only = yes"]),
        (Obstacle.CLIENT, {}, []),
        (Obstacle.UNKNOWN, {}, []),
        ("of-a-later-version", {}, []),
    ],
)  # fmt: skip
def test_each_obstacle_shows_what_belongs_to_it(
    obstacle: str, more: dict[str, Any], expected: list[str]
) -> None:
    """Protects each kind: a list, files, the library, the level, switches, and nothing."""
    assert texts(refused(obstacle, **more), instance()) == {obstacle: expected}


def test_every_obstacle_of_a_cell_has_its_settings() -> None:
    """Protects cells with several obstacles: each of them would have been enough."""
    both = texts(refused(Obstacle.PROTOCOL_LIST, Obstacle.KEYS), instance())
    assert list(both) == [Obstacle.PROTOCOL_LIST, Obstacle.KEYS]
    assert all(both.values())


def test_a_folder_of_an_earlier_version_shows_what_its_files_set() -> None:
    """Protects old runs: without a list of settings, main.cf and the -o options are read."""
    old = {
        "main.cf": "smtpd_tls_security_level = may\nsmtpd_tls_ciphers = high\n",
        "master.cf": "20011 inet n - y - - smtpd\n  -o smtpd_tls_exclude_ciphers=RC4\n",
        "added": ["master.cf: smtp inet → 20011 inet"],
        "services": [{"service": "smtp", "level": "may"}],
    }
    assert texts(refused(Obstacle.CIPHER_LIST), old)[Obstacle.CIPHER_LIST] == [
        "smtpd_tls_ciphers = high",
        "smtpd_tls_exclude_ciphers = RC4",
    ]
    assert obstacle_settings(refused(Obstacle.CIPHER_LIST), None)[0].settings == ()
    old["main.cf"] = "smtpd_tls_security_level = may\ntls_medium_cipherlist = AES128\n"
    lines = texts(refused(Obstacle.CIPHER_LIST), old)[Obstacle.CIPHER_LIST]
    assert "tls_medium_cipherlist = AES128" in lines, "its grade is the release's default"


def test_page_and_terminal_show_them(tmp_path: Path) -> None:
    """Protects both readers: the same lines in the panel and in 'show'."""
    folder = sample_run.write_sample_run(tmp_path / "run", scenarios=("defaults",))
    data = load_run(folder)
    cell = "debian-12/defaults/smtp/openssl-1.0.2h/SSLv3"
    observation = data.find(cell)
    assert observation
    changed = replace(observation, obstacles=(str(Obstacle.CIPHER_LIST),))
    path = folder / "instances/debian-12/defaults.json"
    sample_run.write_json(path, {**(data.instance("debian-12", "defaults") or {}), **instance()})
    others = (each for each in data.observations if each is not observation)
    data = replace(data, observations=(changed, *others))
    block = blocks_of(render_html(data))["defaults"]["cells"][cell]
    assert "smtpd_tls_exclude_ciphers = RC4, 3DES" in block["settings"]["cipher-list"]
    out = io.StringIO()
    show_cell(data, changed, Console(file=out, width=200))
    assert "smtpd_tls_exclude_ciphers = RC4, 3DES" in out.getvalue()
    assert "smtpd_tls_protocols" not in out.getvalue()
