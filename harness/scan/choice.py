"""What a server chooses in its ServerHello.

A module of its own, because the ClientHello (``client_hello.py``) and its answer
(``server_hello.py``) both refer to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.tls import Protocol


@dataclass(frozen=True, slots=True)
class Choice:
    """What a server chose; of a whole answer also its certificates and key exchange.

    ``group`` is that of TLSv1.3's share or HelloRetryRequest, or of ECDHE's key exchange;
    ``dh_bits`` is the size of DHE's prime. ``certificates`` are DER, the server certificate first.
    ``message`` is the ServerHello itself, ``share`` the server's public key in TLSv1.3.
    """

    version: Protocol
    cipher: int
    group: int | None = None
    dh_bits: int | None = None
    certificates: tuple[bytes, ...] = ()
    message: bytes = b""
    share: bytes = b""
