"""The possible outcomes of a cell.

They are defined apart from the record of observations, since scenarios name outcomes, too.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of a cell."""

    ACCEPTED = "accepted"
    PLAINTEXT = "plaintext"
    REFUSED = "refused"
    NOT_OFFERED = "not-offered"
    CLIENT_INCAPABLE = "client-incapable"
    CONFIG_REJECTED = "config-rejected"
    #: The client closed the connection as its offer requires (``+hangup=``); neither side refused.
    HUNG_UP = "hung-up"
    #: What a server chooses for a recorded hello, or that it refuses it. Simulated: no handshake is
    #: completed and no mail sent, so neither is ever a success or a refusal of a client.
    WOULD_NEGOTIATE = "would-negotiate"
    WOULD_BE_REFUSED = "would-be-refused"
    TIMEOUT = "timeout"
    ERROR = "error"


#: The outcomes of cells that no client had: a recorded hello was sent in its place.
SIMULATED = frozenset({Outcome.WOULD_NEGOTIATE, Outcome.WOULD_BE_REFUSED})
