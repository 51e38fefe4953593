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


#: Why a cell ended as it did, by the names that observations have (``observations.reasons``); what
#: may be expected of a cell. Scenarios name them, too.
REASONS = (
    "access-denied",
    "auth-failed",
    "auth-not-enabled",
    "auth-required-tls",
    "auth-unavailable",
    "bad-policy-attribute",
    "certificate",
    "certificate-expired",
    "certificate-name-mismatch",
    "certificate-self-signed",
    "certificate-untrusted-issuer",
    "client-certificate-required",
    "client-certificate-untrusted",
    "closed",
    "connection-refused",
    "contradicts-control",
    "control-cannot-refuse",
    "dh-key-too-small",
    "died",
    "driver",
    "fatal",
    "fatal-parameter",
    "handshake-failure",
    "ignored-offer",
    "inappropriate-fallback",
    "key-too-small",
    "legacy-sigalg-disallowed",
    "must-starttls",
    "no-ciphers-available",
    "no-control",
    "no-dnssec",
    "no-implicit-tls",
    "no-protocols-available",
    "no-renegotiation",
    "no-route",
    "no-shared-cipher",
    "no-tlsa",
    "not-tls",
    "policy",
    "protocol-version",
    "rejected",
    "service-unavailable",
    "tls-disabled-bad-cipher-list",
    "tls-disabled-bad-protocol-list",
    "tls-disabled-ca-file",
    "tls-disabled-chain-order",
    "tls-disabled-key-mismatch",
    "tls-disabled-no-certificate",
    "tls-not-available",
    "tls-required",
    "tlsa-lookup-error",
    "tlsproxy-missing",
    "unknown-option",
    "unrecognised",
    "version-not-built",
    "wrapper-mode-missing",
)

#: The outcomes of cells that no client had: a recorded hello was sent in its place.
SIMULATED = frozenset({Outcome.WOULD_NEGOTIATE, Outcome.WOULD_BE_REFUSED})
