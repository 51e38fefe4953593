"""Controls take what clients can offer: export suites and DSA among it."""

from __future__ import annotations

import pytest

from harness.observations.record import Outcome
from tests.docker.conftest import Finished, run_cli

pytestmark = pytest.mark.docker

CLIENT = "openssl-1.0.2h"
SUITES = (
    *("EXP-RC4-MD5", "EXP-DES-CBC-SHA", "EXP-EDH-RSA-DES-CBC-SHA", "EXP-ADH-RC4-MD5"),
    *("EXP-EDH-DSS-DES-CBC-SHA", "DHE-DSS-AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "RC4-SHA"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One cell a suite, on Ubuntu 16.04."""
    offers = ",".join(f"TLSv1+ciphers={suite}" for suite in SUITES)
    return run_cli(
        tmp_path_factory.mktemp("suites"),
        *("-s", "defaults", "-b", "ubuntu-16.04", "-S", "smtp", "-c", CLIENT, "-o", offers),
    )


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_that_the_client_has_is_granted_by_a_control(run: Finished, suite: str) -> None:
    """Protects "refused": a server that leaves the suite out is not told as "client cannot"."""
    found = run.data.find(f"ubuntu-16.04/defaults/smtp/{CLIENT}/TLSv1+ciphers={suite}")
    assert found is not None, run.err[-2000:]
    # A client that was built without the suite says so itself.
    if found.reason != "no-ciphers-available":
        assert found.outcome in (Outcome.ACCEPTED, Outcome.REFUSED), run.data.evidence(found)
