"""A server's answer to a ClientHello, as far as it travels in the clear.

Messages: RFC 8446 4.1.3 and 4.1.4 (ServerHello, HelloRetryRequest), RFC 5246 7.4 (Certificate,
ServerKeyExchange, CertificateRequest, ServerHelloDone), draft-hickman-netscape-ssl-00 (SSLv2).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from common.hello import Chosen, read_named_curve, read_server_hello
from common.wire import ALERT, ALERTS, HANDSHAKE, HANDSHAKES

_SERVER_HELLO, _CERTIFICATE, _KEY_EXCHANGE, _REQUEST, _DONE = 2, 11, 12, 13, 14
_SSL2_SERVER_HELLO = 4
_FATAL = 2
#: In suites with these in their names a prime comes first in the ServerKeyExchange.
_PRIMES = ("DHE-", "EDH-", "ADH-", "DHE_", "DH_anon")
_PEM = "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n"


class NotTls(Exception):
    """The server sent something that is neither TLS nor SSLv2."""


@dataclass
class ServerFlight:
    """What has come so far; `feed` takes more bytes.

    ``alert`` is the server's fatal alert. ``curve`` is the group of an elliptic key exchange,
    ``prime_bits`` the size of the prime of another one. ``certificate`` is the server's own, PEM.
    ``requests_certificate``: the server asks for the client's, which only shows before TLSv1.3.
    ``ssl2_ciphers`` are what an SSLv2 server has in common with the client; the client chooses.
    ``messages`` are the names of what came, for the dialogue.
    """

    chosen: Chosen | None = None
    alert: str | None = None
    curve: int | None = None
    certificate: str | None = None
    requests_certificate: bool = False
    ssl2_ciphers: tuple[int, ...] | None = None
    is_done: bool = False
    messages: list[str] = field(default_factory=list)
    _key_exchange: bytes = b""
    _records: bytes = b""
    _handshake: bytes = b""

    def feed(self, data: bytes) -> None:
        """Take bytes that the server sent.

        Raises:
            NotTls: they are not an answer to a ClientHello.
        """
        self._records += data
        while not self.is_done and self._take_record():
            pass

    def prime_bits(self, cipher: str) -> int | None:
        """The size of the Diffie-Hellman prime, if the suite of this name has one."""
        if not self._key_exchange or cipher.startswith(("ECDHE", "AECDH", "TLS_ECDHE")):
            return None
        if not any(part in cipher for part in _PRIMES):
            return None
        size = int.from_bytes(self._key_exchange[:2], "big")
        return int.from_bytes(self._key_exchange[2 : 2 + size], "big").bit_length()

    def _take_record(self) -> bool:
        """Take one whole record off the front; False: there is none yet."""
        start = self._records
        if len(start) < 5:
            return False
        if start[0] & 0x80 and start[2] == _SSL2_SERVER_HELLO:
            return self._take_ssl2(start)
        if start[0] not in (ALERT, HANDSHAKE) or start[1] != 3:
            raise NotTls(f"the server answered with {start[:16]!r}, which is not TLS")
        size = 5 + int.from_bytes(start[3:5], "big")
        if len(start) < size:
            return False
        self._records = start[size:]
        if start[0] == ALERT:
            self._take_alert(start[5:size])
        else:
            self._handshake += start[5:size]
            self._take_messages()
        return True

    def _take_alert(self, body: bytes) -> None:
        name = ALERTS.get(body[1], f"number {body[1]}") if len(body) == 2 else "unreadable"
        is_fatal = len(body) != 2 or body[0] == _FATAL
        self.messages.append(f"[alert: {'fatal' if is_fatal else 'warning'} {name}]")
        if is_fatal:
            self.alert, self.is_done = name, True

    def _take_messages(self) -> None:
        while len(self._handshake) >= 4 and not self.is_done:
            end = 4 + int.from_bytes(self._handshake[1:4], "big")
            if len(self._handshake) < end:
                return
            kind, body = self._handshake[0], self._handshake[4:end]
            self._handshake = self._handshake[end:]
            self.messages.append(f"[{HANDSHAKES.get(kind, f'message {kind}')}, {end} bytes]")
            self._take_message(kind, body)

    def _take_message(self, kind: int, body: bytes) -> None:
        if self.chosen is None:
            self.chosen = read_server_hello(body) if kind == _SERVER_HELLO else None
            if self.chosen is None:
                raise NotTls(f"the server answered with a handshake message of type {kind}")
            # What follows in TLSv1.3 is encrypted, with keys that only a real client has.
            self.is_done = self.chosen.version == "TLSv1.3"
        elif kind == _CERTIFICATE:
            size = int.from_bytes(body[3:6], "big")
            text = base64.encodebytes(body[6 : 6 + size]).decode()
            self.certificate = _PEM.format(text) if size else None
        elif kind == _KEY_EXCHANGE:
            self.curve, self._key_exchange = read_named_curve(body), body
        elif kind == _REQUEST:
            self.requests_certificate = True
        self.is_done = self.is_done or kind == _DONE

    def _take_ssl2(self, start: bytes) -> bool:
        size = 2 + (int.from_bytes(start[:2], "big") & 0x7FFF)
        if len(start) < size or size < 13:
            return False
        certificate, specs = (int.from_bytes(start[at : at + 2], "big") for at in (7, 9))
        codes = range(13 + certificate, 13 + certificate + specs, 3)
        self.ssl2_ciphers = tuple(int.from_bytes(start[at : at + 3], "big") for at in codes)
        self.messages.append(f"[SSLv2 SERVER-HELLO, {size} bytes]")
        self.is_done = True
        return True
