"""Whose decision a refusal was: everything that prevented the cell from being accepted.

Each obstacle that is named would have been enough alone, so all of them have to be removed for the
cell to be accepted. That a setting is an obstacle is concluded from the permissive copy of the same
build (``scenarios.permissive_copy``), not from error texts, which libraries share among causes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.observations.decide import Decision
from harness.observations.reasons import (
    CLIENT_CERTIFICATE,
    NOT_TLS,
    OF_VERSIONS,
    WEAK_KEYS,
    is_certificate,
)
from harness.observations.record import Outcome, Stage
from harness.tls import Offer, Protocol


class Obstacle(StrEnum):
    """Who or what refused.

    ``protocol-list``: smtpd_tls_protocols or smtpd_tls_mandatory_protocols. ``cipher-list``: the
    grades, lists and exclusions of ciphers, and the groups. ``keys``: the server's certificates,
    keys or DH parameters. ``security-level``: the level of the server's TLS library. ``library``:
    what that library was built with and supports. ``settings``: Postfix's other settings, or a file
    that the candidate installs for the whole system, such as an openssl.cnf.
    ``client``: the client. ``unknown``: no measurement shows it.
    """

    PROTOCOL_LIST = "protocol-list"
    CIPHER_LIST = "cipher-list"
    KEYS = "keys"
    SECURITY_LEVEL = "security-level"
    LIBRARY = "library"
    SETTINGS = "settings"
    CLIENT = "client"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Grounds:
    """What is known of a build and a candidate in addition to the cell; None: not measured.

    ``opened``: the permissive copy of the build grants the offer to the same client; ``with_keys``,
    ``with_level``: also where the copy keeps the candidate's keys, or the library's security level;
    ``with_files``: also with the files that the candidate installs for the whole system.
    ``excluded``: the protocols that the service's protocol list leaves out.
    """

    opened: bool | None = None
    with_keys: bool | None = None
    with_level: bool | None = None
    with_files: bool | None = None
    excluded: frozenset[Protocol] | None = None


#: Reasons that name the obstacle, whatever the stage.
_BY_REASON = {
    "tls-disabled-bad-protocol-list": Obstacle.PROTOCOL_LIST,
    "tls-disabled-bad-cipher-list": Obstacle.CIPHER_LIST,
    "tls-disabled-no-certificate": Obstacle.KEYS,
    "tls-disabled-key-mismatch": Obstacle.KEYS,
    "tls-disabled-chain-order": Obstacle.KEYS,
    "tls-disabled-ca-file": Obstacle.SETTINGS,
    CLIENT_CERTIFICATE: Obstacle.SETTINGS,
    NOT_TLS: Obstacle.SETTINGS,
}
NO_SHARED_CIPHER = "no-shared-cipher"


def needs_grounds(decision: Decision) -> bool:
    """Whether the permissive copies of the build have to show a decision's obstacles."""
    return (
        decision.outcome in (Outcome.REFUSED, Outcome.WOULD_BE_REFUSED)
        and decision.stage is Stage.HANDSHAKE
        and decision.decided_by == "server"
        and decision.reason not in _BY_REASON
    )


def find_obstacles(decision: Decision, offer: Offer, grounds: Grounds) -> tuple[Obstacle, ...]:
    """The known obstacles of a cell; empty where it was not refused."""
    match decision.outcome:
        case Outcome.CLIENT_INCAPABLE:
            return (Obstacle.CLIENT,)
        case Outcome.CONFIG_REJECTED:
            return (Obstacle.SETTINGS,)
        case Outcome.NOT_OFFERED | Outcome.REFUSED | Outcome.WOULD_BE_REFUSED:
            return _refusal_obstacles(decision, offer, grounds)
    return ()


def _refusal_obstacles(decision: Decision, offer: Offer, grounds: Grounds) -> tuple[Obstacle, ...]:
    if decision.reason in _BY_REASON:
        return (_BY_REASON[decision.reason],)
    if decision.decided_by == "client" or is_certificate(decision.reason):
        return (Obstacle.CLIENT,)
    if decision.stage is not Stage.HANDSHAKE:
        return (Obstacle.SETTINGS,)
    names = []
    if all_excluded(offer, grounds.excluded):
        names.append(Obstacle.PROTOCOL_LIST)
    if grounds.opened is False:
        names.append(Obstacle.LIBRARY)
    elif grounds.opened:
        names += _setting_obstacles(decision.reason, offer, grounds, names)
    return tuple(names) or (Obstacle.UNKNOWN,)


def _setting_obstacles(
    reason: str | None, offer: Offer, grounds: Grounds, before: list[Obstacle]
) -> list[Obstacle]:
    """The settings by which a build that can grant the offer refuses it."""
    if grounds.with_files is False:
        return [Obstacle.SETTINGS]
    names = []
    if grounds.with_level is False:
        names.append(Obstacle.SECURITY_LEVEL)
    if grounds.with_keys is False:
        names.append(Obstacle.KEYS)
    if before or names:
        return names
    if grounds.excluded is None or offer.is_default:
        # Whether the list leaves out what was offered is unknown: the reason has to suffice.
        by_reason = {
            **dict.fromkeys(OF_VERSIONS, Obstacle.PROTOCOL_LIST),
            **dict.fromkeys(WEAK_KEYS, Obstacle.KEYS),
            NO_SHARED_CIPHER: Obstacle.CIPHER_LIST,
        }
        return [by_reason[reason]] if reason in by_reason else []
    # By elimination: of what the copy permits, only the cipher list and the groups are left; a
    # security level may be part of the list (@SECLEVEL).
    return [Obstacle.CIPHER_LIST] if grounds.with_keys else []


def all_excluded(offer: Offer, excluded: frozenset[Protocol] | None) -> bool:
    """Whether a protocol list leaves out every version that a client offers."""
    if excluded is None or offer.lowest is None or offer.highest is None:
        return False
    low, high = offer.lowest.rank, offer.highest.rank
    return all(protocol in excluded for protocol in Protocol if low <= protocol.rank <= high)
