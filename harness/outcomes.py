"""What can come of a cell: the closed vocabulary of the design ("Outcomes").

It stands apart from the record of observations because scenarios name outcomes too.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What came of a cell."""

    ACCEPTED = "accepted"
    PLAINTEXT = "plaintext"
    REFUSED = "refused"
    NOT_OFFERED = "not-offered"
    CLIENT_INCAPABLE = "client-incapable"
    CONFIG_REJECTED = "config-rejected"
    #: The client closed the connection where it was told to (``+hangup=``); nobody refused.
    HUNG_UP = "hung-up"
    TIMEOUT = "timeout"
    ERROR = "error"
