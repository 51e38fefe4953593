"""A second connection with the session of the first, and a second handshake inside it."""

from __future__ import annotations

import pytest

from harness.observations.record import Outcome
from tests.docker.conftest import Finished, run_cli

pytestmark = pytest.mark.docker
MAIL, TOOL = "aiosmtplib-debian12", "openssl-1.0.2h"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The scenarios about sessions and renegotiation, on OpenSSL 3.0 and 1.1.1."""
    scenarios = "asked/session-*,asked/renegotiation*"
    return run_cli(tmp_path_factory.mktemp("again"), "-s", scenarios, "-b", "debian-12,debian-11")


@pytest.mark.parametrize("service", ["smtp", "submissions"])
@pytest.mark.parametrize(
    ("client", "offer"),
    [(MAIL, "TLSv1.2+resume"), (MAIL, "TLSv1.3+resume"), (TOOL, "TLSv1.2+resume")],
)
@pytest.mark.parametrize(("scenario", "resumed"), [("", True), ("-off", False)])
def test_a_session_is_resumed_with_tickets_and_not_without(
    asked: Finished, service: str, client: str, offer: str, scenario: str, resumed: bool
) -> None:
    """Protects +resume: the same client and offer say yes and no by the server's settings."""
    one = asked.data.find(f"debian-12/session-tickets{scenario}/{service}/{client}/{offer}")
    assert one is not None
    assert (one.outcome, one.resumed) == ("accepted", resumed), asked.data.evidence(one)


def test_a_client_without_the_version_has_no_session(asked: Finished) -> None:
    """Protects from blaming the server: OpenSSL 1.0.2 has no TLSv1.3 to resume."""
    one = asked.data.find(f"debian-12/session-tickets/smtp/{TOOL}/TLSv1.3+resume")
    assert one is not None
    assert (one.outcome, one.resumed) == (Outcome.CLIENT_INCAPABLE, None)


@pytest.mark.parametrize(
    ("where", "outcome", "reason"),
    [
        (f"debian-11/renegotiation/smtp/{TOOL}/TLSv1.2+renegotiate", "accepted", None),
        (f"debian-11/renegotiation-off/smtp/{TOOL}/TLSv1.2+renegotiate", "refused",
         "no-renegotiation"),
        (f"debian-12/renegotiation/smtp/{TOOL}/TLSv1.2+renegotiate", "refused",
         "no-renegotiation"),
    ],
)  # fmt: skip
def test_a_second_handshake_is_refused_by_the_setting_or_by_the_library(
    asked: Finished, where: str, outcome: str, reason: str | None
) -> None:
    """Protects +renegotiate: OpenSSL 1.1.1 grants it unless told not to, 3.0 does not."""
    one = asked.data.find(where)
    assert one is not None
    assert (one.outcome, one.reason) == (outcome, reason), asked.data.evidence(one)
