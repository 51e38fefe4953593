"""What stood in a cell's way, from what the permissive copies of the build show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.observations.decide import Decision
from harness.observations.obstacles import Grounds, find_obstacles, needs_grounds
from harness.observations.record import Outcome, Stage
from harness.tls import Offer, Protocol

TLS1 = Offer.parse("TLSv1")
REFUSED = Decision(Outcome.REFUSED, Stage.HANDSHAKE, "protocol-version", "server")
CIPHER = replace(REFUSED, reason="no-shared-cipher")
FAILURE = replace(REFUSED, reason="handshake-failure")
OPEN = Grounds(opened=True, with_keys=True, with_level=True, excluded=frozenset())
LISTED = replace(OPEN, excluded=frozenset({Protocol.SSLv3, Protocol.TLSv1}))


@pytest.mark.parametrize(
    ("decision", "grounds", "names"),
    [
        (REFUSED, LISTED, "protocol-list"),
        (REFUSED, replace(LISTED, opened=False), "protocol-list library"),
        (REFUSED, replace(LISTED, with_level=False), "protocol-list security-level"),
        (REFUSED, replace(OPEN, opened=False), "library"),
        (REFUSED, replace(OPEN, with_level=False), "security-level"),
        (CIPHER, OPEN, "cipher-list"),
        (CIPHER, replace(OPEN, with_keys=False), "keys"),
        (CIPHER, replace(OPEN, opened=False), "library"),
        (FAILURE, OPEN, "cipher-list"),
        # A level that stands in a cipher list of the candidate's (@SECLEVEL) shuts versions out.
        (REFUSED, OPEN, "cipher-list"),
        # Where the list is unknown, the reason has to suffice.
        (REFUSED, replace(OPEN, excluded=None), "protocol-list"),
        (CIPHER, replace(OPEN, excluded=None), "cipher-list"),
        (FAILURE, replace(OPEN, excluded=None), "unknown"),
        (FAILURE, replace(OPEN, with_keys=None), "unknown"),
        (REFUSED, Grounds(), "unknown"),
        (FAILURE, Grounds(), "unknown"),
    ],
)
def test_a_refused_handshake_is_explained_by_what_was_measured(
    decision: Decision, grounds: Grounds, names: str
) -> None:
    """Protects "never guessed": each obstacle has a measurement or a list behind it."""
    assert " ".join(find_obstacles(decision, TLS1, grounds)) == names


def test_a_list_that_leaves_out_only_part_of_an_offer_is_no_obstacle() -> None:
    """Protects ranges: who offers TLSv1 to TLSv1.2 is not stopped by a list without TLSv1."""
    wide = Offer.parse("TLSv1..TLSv1.2")
    assert find_obstacles(CIPHER, wide, LISTED) == ("cipher-list",)


@pytest.mark.parametrize(
    ("decision", "names"),
    [
        (Decision(Outcome.ACCEPTED), ""),
        (Decision(Outcome.PLAINTEXT), ""),
        (Decision(Outcome.TIMEOUT), ""),
        (Decision(Outcome.ERROR, reason="driver"), ""),
        (Decision(Outcome.CLIENT_INCAPABLE, reason="ignored-offer", decided_by="client"), "client"),
        (Decision(Outcome.CONFIG_REJECTED, reason="fatal", decided_by="server"), "settings"),
        (Decision(Outcome.NOT_OFFERED, decided_by="server"), "settings"),
        (
            Decision(Outcome.NOT_OFFERED, None, "tls-disabled-bad-protocol-list", "server"),
            "protocol-list",
        ),
        (replace(REFUSED, stage=Stage.STARTTLS, reason="tls-disabled-no-certificate"), "keys"),
        (replace(REFUSED, stage=Stage.MAIL, reason="must-starttls"), "settings"),
        (replace(REFUSED, reason="certificate", decided_by="client"), "client"),
        (replace(REFUSED, reason="dh-key-too-small", decided_by="client"), "client"),
    ],
)
def test_what_was_decided_elsewhere_needs_no_controls(decision: Decision, names: str) -> None:
    """Protects speed and sense: only a server's refusal in the handshake asks the controls."""
    assert not needs_grounds(decision)
    assert " ".join(find_obstacles(decision, TLS1, Grounds())) == names


def test_a_servers_refusal_in_the_handshake_needs_them() -> None:
    """Protects the field: these are the cells whose error texts do not name the obstacle."""
    assert needs_grounds(REFUSED)
    assert needs_grounds(CIPHER)
