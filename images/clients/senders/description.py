"""What ``driver --describe`` prints of a sender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def describe_sender(
    client: str, version: str, tls_version: str, offers: Sequence[str] = ()
) -> dict[str, Any]:
    """A sender's description; its TLS library is the first word of that library's version.

    ``offers`` is empty for a program without an option that chooses a version.
    """
    return {
        "client": client,
        "version": version,
        "tls_library": tls_version.partition(" ")[0],
        "tls_version": tls_version,
        "offers": list(offers),
        "sends_mail": True,
    }
