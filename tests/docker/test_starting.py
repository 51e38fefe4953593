"""Starting an instance without 'master -w', as releases before 2.10 need it, on a real Postfix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import docker
import pytest

from harness.catalog.builds import Build
from harness.docker_engine.session import DockerSession
from harness.targets.lab import Lab
from harness.targets.postfix import ROLE, ROOT
from harness.targets.shell import Shell
from harness.targets.start_script import waiting_script
from tests.docker.test_images import _real_shop

pytestmark = pytest.mark.docker

_SET_UP = f"""mkdir -p {ROOT}/x/etc {ROOT}/x/queue/pid {ROOT}/x/data && cd {ROOT}/x
chown postfix data
cp "$(postconf -dh config_directory)/master.cf" etc/
printf 'queue_directory = %s\\ndata_directory = %s\\n' $PWD/queue $PWD/data >etc/main.cf
echo "$1" >>etc/main.cf
"""


@pytest.fixture(scope="module")
def lab(engine: docker.DockerClient) -> Iterator[Lab]:
    """A laboratory of the tests' own."""
    with DockerSession(engine) as session, Lab(session) as lab:
        yield lab


@pytest.mark.parametrize(("line", "runs"), [("", True), ("inet_protocols = nonsense", False)])
def test_an_old_master_is_waited_for(
    engine: docker.DockerClient, lab: Lab, line: str, runs: bool
) -> None:
    """Without a wait, the first cells of a Postfix 2.x would find no server and count as refused;
    one that will not start is told from one that does.
    """
    image = _real_shop(engine).build(Build.parse("debian-12"))
    container = lab.start(image.id, f"starting-{runs}".lower(), ROLE)
    with closing(Shell(container)) as shell:
        master = shell.run("postconf -dh daemon_directory").output.strip() + "/master"
        assert shell.run(f"set -- '{line}'\n{_SET_UP}").status == 0
        answer = shell.run(waiting_script(master, f"{ROOT}/x/etc"))
        assert (answer.status == 0) is runs, answer.output
        alive = shell.run(f"kill -0 $(cat {ROOT}/x/queue/pid/master.pid)")
        assert (alive.status == 0) is runs
