"""``--container``: a configuration out of a real running container, and nothing changed in it."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from harness.catalog.builds import Build
from harness.cli.candidate import config_candidate
from harness.cli.candidate_options import CandidateOptions
from harness.docker_engine.session import DockerSession
from harness.errors import UsageError
from harness.scenarios.scenario import Scenario
from tests.docker.test_images import _real_shop

MAIN_CF = """\
compatibility_level = 3.6
myhostname = mail.corp.net
smtpd_tls_security_level = may
smtpd_tls_chain_files = /etc/postfix/key.pem
smtpd_tls_protocols = >=TLSv1.2
alias_maps = hash:/etc/aliases
virtual_alias_maps = texthash:/etc/postfix/virtual
transport_maps = texthash:/etc/postfix/sql/transport
canonical_maps = texthash:/etc/postfix/pipe, texthash:/etc/postfix/gone, texthash:/etc/postfix/sql
"""
SET_UP = """\
cd /etc/postfix
mkdir -p sql /opt/tables && echo 'corp.net error' > sql/transport
echo 'a@corp.net b' > /opt/tables/virtual && ln -sf /opt/tables/virtual virtual
echo '-----BEGIN PRIVATE KEY-----' > key.pem
mkfifo pipe && ln -s /nowhere gone && echo 'root: me' > /etc/aliases
"""


@pytest.fixture
def container(engine: docker.DockerClient, tmp_path: Path) -> Iterator[Container]:
    """A container of debian-12's image, with a configuration put into it."""
    image = _real_shop(engine).build(Build.parse("debian-12"))
    with DockerSession(engine, state_dir=tmp_path / "state") as session:
        started = engine.containers.run(
            image.id,
            ["600"],
            entrypoint=["sleep"],
            detach=True,
            labels=session.labels,
            network_mode="none",
        )
        put(started, MAIN_CF)
        done = started.exec_run(["sh", "-ec", SET_UP])
        assert done.exit_code == 0, done.output
        yield started


def put(container: Container, main_cf: str, directory: str = "/etc/postfix") -> None:
    """Write a main.cf into a container."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo("main.cf")
        member.size = len(main_cf)
        archive.addfile(member, io.BytesIO(main_cf.encode()))
    assert container.put_archive(directory, data.getvalue())


def changes(container: Container) -> list[str]:
    """What differs in a container from its image."""
    return sorted(str(one) for one in container.diff())


def taken(name: str) -> Scenario:
    """What --container reads."""
    return config_candidate((), None, CandidateOptions(container=name))


def test_a_running_container_is_read_with_the_files_that_it_names(container: Container) -> None:
    """Protects "users of docker-mailserver ask in one line": links followed, no key, no hang."""
    before = changes(container)
    found = taken(str(container.name))
    assert found.main_cf.replace("\n", "") == MAIN_CF.replace("\n", "")
    assert "submission" in found.master_cf or "smtp" in found.master_cf
    assert found.whole
    assert dict(found.files) == {
        "/etc/aliases": "root: me\n",
        "/etc/postfix/virtual": "a@corp.net b\n",
        "/etc/postfix/sql/transport": "corp.net error\n",
    }
    reading = "\n".join(found.reading)
    assert "/etc/postfix/pipe: was skipped: it is a named pipe" in reading
    assert "/etc/postfix/gone: was skipped: it is a dangling link" in reading
    assert "/etc/postfix/sql: was skipped: it is a folder" in reading
    assert "keys and certificates are not used (/etc/postfix/key.pem)" in reading
    assert changes(container) == before


def test_a_container_says_itself_where_its_configuration_lies(container: Container) -> None:
    """Protects mailcow: its main.cf is in /opt/postfix/conf, and its postconf says so."""
    script = (
        "mkdir -p /opt/postfix/conf && mv /usr/sbin/postconf /usr/sbin/postconf.real && "
        "printf '#!/bin/sh\\necho /opt/postfix/conf\\n' > /usr/sbin/postconf && "
        "chmod +x /usr/sbin/postconf && echo 'a b' > /opt/postfix/conf/maps"
    )
    assert container.exec_run(["sh", "-ec", script]).exit_code == 0
    try:
        put(container, "a = 1\nb = texthash:$config_directory/maps\n", "/opt/postfix/conf")
        found = taken(str(container.name))
    finally:
        container.exec_run(["mv", "/usr/sbin/postconf.real", "/usr/sbin/postconf"])
    assert found.main_cf.startswith("a = 1\n")
    assert dict(found.files) == {"config_directory/maps": "a b\n"}


def test_what_cannot_be_read_is_a_sentence(container: Container, tmp_path: Path) -> None:
    """Protects "bad input and trouble": not there, no configuration, not running: exit code 4."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "verify", "--container", "no-such-container",
         "-p", "tls12-or-newer", "--runs", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "there is no container 'no-such-container'" in done.stderr
    assert "Traceback" not in done.stderr
    name = str(container.name)
    hide = "mv /etc/postfix /etc/hidden"
    assert container.exec_run(["sh", "-ec", hide]).exit_code == 0
    with pytest.raises(UsageError, match="has no Postfix configuration in /etc/postfix"):
        taken(name)
    container.exec_run(["mv", "/etc/hidden", "/etc/postfix"])
    container.pause()
    try:
        with pytest.raises(UsageError, match="is not running, but paused"):
            taken(name)
    finally:
        container.unpause()
    container.stop(timeout=0)
    with pytest.raises(UsageError, match="is not running, but exited"):
        taken(name)
