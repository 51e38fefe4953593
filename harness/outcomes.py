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
    TIMEOUT = "timeout"
    ERROR = "error"
