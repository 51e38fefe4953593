"""What a client is told beside its offer (docs/client-contract.md, "Extras")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class BadRequest(ValueError):
    """A line of standard input is not a request of this contract."""


@dataclass(frozen=True)
class Extras:
    """What a client is told beside its offer; empty in most requests.

    ``certificate`` and ``key`` are the files, PEM, of what it presents when it is asked for a
    certificate. ``sends_name``: it is told which server name to send, ``name``; None: none at all.
    ``resume``: it connects twice, the second time with the session of the first. ``renegotiate``:
    it starts a second handshake inside the first. ``hangup`` is where it closes the connection:
    ``starttls``, ``handshake`` or ``data``.
    """

    certificate: str | None = None
    key: str | None = None
    sends_name: bool = False
    name: str | None = None
    resume: bool = False
    renegotiate: bool = False
    hangup: str | None = None

    def list_abilities(self) -> list[str]:
        """What a client must be able to, as its description names it."""
        needed = {
            "cert": self.certificate is not None,
            "sni": self.sends_name,
            "resume": self.resume,
            "renegotiate": self.renegotiate,
            f"hangup={self.hangup}": self.hangup is not None,
        }
        return [name for name, is_needed in needed.items() if is_needed]

    def server_name(self, usual: str) -> str | None:
        """The server name to send, where one is usually sent; None: none."""
        return self.name if self.sends_name else usual


#: What a client that lacks an ability cannot be told, as the end of a sentence.
ABILITIES = {
    "cert": "to present a certificate",
    "sni": "which server name to send",
    "resume": "to take up an earlier session",
    "renegotiate": "to renegotiate",
    "hangup=starttls": "to hang up after STARTTLS",
    "hangup=handshake": "to hang up in the handshake",
    "hangup=data": "to hang up in the middle of a message",
}


def read_extras(data: Mapping[str, Any]) -> Extras:
    """A request's key ``extras``.

    Raises:
        BadRequest: it has one that this driver has never heard of.
    """
    unknown = set(data) - {"cert", "sni", "resume", "renegotiate", "hangup"}
    if unknown:
        raise BadRequest(f"unknown extras {' '.join(sorted(unknown))}")
    cert = data.get("cert")
    return Extras(
        certificate=cert["chain_file"] if cert else None,
        key=cert["key_file"] if cert else None,
        sends_name="sni" in data,
        name=data.get("sni"),
        resume=bool(data.get("resume")),
        renegotiate=bool(data.get("renegotiate")),
        hangup=data.get("hangup"),
    )
