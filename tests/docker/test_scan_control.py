"""The scan of the oldest protocols, against an OpenSSL that has them, and its own word for it.

The control server is stunnel with OpenSSL 1.0.2h before a plain Postfix; no Postfix whose source is
reached everywhere speaks SSLv2.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator

import docker
import pytest

from harness.catalog.clients import all_controls
from harness.cli.progress import Display
from harness.docker_engine.session import DockerSession
from harness.images import recipes
from harness.run.session_builder import open_builder
from harness.targets.control import ControlServer, start_control
from harness.targets.lab import Lab
from harness.targets.postfix import PostfixTarget
from harness.targets.sasl import start_sasl
from harness.tls import Protocol
from tests.docker.conftest import CLI

pytestmark = pytest.mark.docker

OLDEST = "control-openssl-1.0.2h"
#: Prints each suite that the image's own s_client gets through with, one handshake for each.
ONE_BY_ONE = """
for cipher in $(openssl ciphers {switch} ALL:COMPLEMENTOFALL | tr : ' '); do
  echo QUIT | timeout 5 openssl s_client -{version} -cipher $cipher -connect 127.0.0.1:465 2>&1 |
    grep -q "Cipher    : $cipher\\$" && echo $cipher
done; true"""


@pytest.fixture(scope="module")
def control(engine: docker.DockerClient) -> Iterator[tuple[ControlServer, str]]:
    """The control that reaches back to SSLv2, and its address."""
    loop = asyncio.new_event_loop()
    (wanted,) = (one for one in all_controls() if one.name == OLDEST)
    with DockerSession(engine) as session, Lab(session) as lab, Display(quiet=True) as display:
        shop = open_builder(session, display.show_event)
        image = shop.ensure(recipes.control_recipe(OLDEST))
        sasl = start_sasl(lab, shop.ensure(recipes.sasl_recipe()).id)
        target = PostfixTarget.start(lab, OLDEST, image.id, loop)
        try:
            yield start_control(lab, wanted, target, sasl), lab.address(target.container)
        finally:
            target.close()
    loop.close()


def test_the_map_is_what_its_own_openssl_finds_one_by_one(
    control: tuple[ControlServer, str],
) -> None:
    """Protects the oldest protocols: no suite more and none less than one handshake each shows."""
    server, address = control
    done = subprocess.run(
        [*CLI, "scan", "--json", f"{address}:465", "--implicit"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for protocol, version, switch in (
        (Protocol.SSLv2, "ssl2", "-ssl2"),
        (Protocol.SSLv3, "ssl3", "-ssl3"),
        (Protocol.TLSv1, "tls1", ""),
        (Protocol.TLSv1_2, "tls1_2", ""),
    ):
        words = server.target.run(ONE_BY_ONE.format(version=version, switch=switch)).split()
        mapped = {one["cipher"] for one in found["accepted"] if one["protocol"] == protocol}
        assert mapped == set(words), protocol
        assert mapped, protocol
    assert found["weakest"]["protocol"] == ["SSLv2"]
    assert any("export" in name for name in found["weakest"]["key exchange"]) == any(
        one["export"] for one in found["accepted"]
    )
