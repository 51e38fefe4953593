"""Borders along versions, from real servers: found in a run, and narrowed by more builds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness.catalog.versions import Version
from harness.observations.run_folder import load_run
from tests.docker.conftest import CLI, run_cli

pytestmark = pytest.mark.docker

#: Protocol lists know ">=0x0303" from Postfix 3.6 on (postconf(5), smtpd_tls_mandatory_protocols);
#: before, it is a name that they do not know, and TLS is off. Debian 11 has 3.5, Debian 12 has 3.7.
ADVICE = "postconf-doc-hex-floor"
PLACE = f"{ADVICE}/submission/*/TLSv1.2"
OLD, NEW = "refused (tls-disabled-bad-protocol-list)", "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384"


def since(*words: str) -> subprocess.CompletedProcess[str]:
    """``postfix-matrix since`` to its end."""
    return subprocess.run([*CLI, "since", *words], capture_output=True, text=True, check=False)


def test_one_build_between_tells_postfix_from_openssl_and_narrows_the_border(
    tmp_path: Path,
) -> None:
    """Protects "since which version": two distributions differ in both versions, so neither is
    blamed alone; a build between them, with the OpenSSL of one side, shows that Postfix decides.
    """
    ran = run_cli(tmp_path, "-q", "-s", ADVICE, "-b", "debian-11,debian-12")
    assert ran.code == 0, ran.err
    first = ran.folder.resolve()
    before = since(PLACE, str(first), "--json")
    assert before.returncode == 0, before.stderr
    (alike,) = json.loads(before.stdout)["alike"]
    assert [one["axis"] for one in alike["axes"]] == ["Postfix", "OpenSSL"]
    assert "the builds measured do not tell these apart" in alike["sentences"]

    done = since(PLACE, str(first), "--bisect", "--most", "1", "--json")
    assert done.returncode == 0, done.stderr
    (alike,) = json.loads(done.stdout)["alike"]
    (along,) = alike["axes"]
    assert along["axis"] == "Postfix"
    assert [one["label"] for one in along["segments"]] == [OLD, NEW]
    (border,) = along["borders"]
    # Where every source is reached the build is of 3.6.7, elsewhere of 3.6.4 as Ubuntu has it.
    assert Version.parse("3.6.0") <= Version.parse(border["first_after"]) < Version.parse("3.7.0")
    assert Version.parse(border["last_before"]) < Version.parse("3.6.0")
    (more,) = [one for one in tmp_path.iterdir() if one.name not in ("latest", first.name)]
    assert len(load_run(more).run.axes.builds) == 1
    assert ran.folder.resolve() == first

    again = since(PLACE, str(first), str(more), "--json")
    assert again.stdout == done.stdout
    assert f"{first} {more}" in done.stderr
