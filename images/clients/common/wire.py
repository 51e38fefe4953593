"""Reading bytes off the wire: SMTP replies, and the outside of SSL and TLS records.

Only what travels in the clear is read: enough to know whether a ClientHello was sent, which alert
came back, and to show both in a dialogue.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from common.contract import Reply
from common.hello import (
    VERSIONS,
    Chosen,
    Offered,
    read_client_hello,
    read_named_curve,
    read_server_hello,
)

#: Alert descriptions: RFC 8446 B.2, and RFC 2246 7.2 and RFC 5246 7.2 for the retired ones.
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}
#: Handshake messages (RFC 8446 B.3, RFC 5246 A.4).
HANDSHAKES = {
    1: "ClientHello",
    2: "ServerHello",
    4: "NewSessionTicket",
    8: "EncryptedExtensions",
    11: "Certificate",
    12: "ServerKeyExchange",
    13: "CertificateRequest",
    14: "ServerHelloDone",
    15: "CertificateVerify",
    16: "ClientKeyExchange",
    20: "Finished",
}
#: Messages of SSLv2 (draft-hickman-netscape-ssl-00).
SSL2_MESSAGES = {0: "ERROR", 1: "CLIENT-HELLO", 4: "SERVER-HELLO"}

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
_CLIENT_HELLO, _SERVER_HELLO, _SERVER_KEY_EXCHANGE = 1, 2, 12


def is_client_hello(data: bytes) -> bool:
    """Whether the first bytes that a client sent for TLS are a ClientHello, in either framing.

    An alert (a library that gives up before it has offered anything may send one) is none.
    """
    if len(data) >= 6 and data[0] == HANDSHAKE and data[1] == 3:
        return data[5] == 1
    return len(data) >= 3 and bool(data[0] & 0x80) and data[2] == 1


@dataclass
class Replies:
    """SMTP replies out of a stream of bytes, whichever way it is cut into pieces."""

    _buffer: bytes = b""
    _texts: list[str] = field(default_factory=list)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are complete with these bytes. A line that is none has code 0."""
        done: list[Reply] = []
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for raw in lines:
            line = raw.decode("utf-8", "replace").rstrip("\r")
            code = int(line[:3]) if line[:3].isdigit() else 0
            self._texts.append(line[4:] if code else line)
            if line[3:4] != "-" or not code:
                done.append(Reply(code, "\n".join(self._texts)))
                self._texts = []
        return done

    @property
    def rest(self) -> bytes:
        """What has come after the last complete line."""
        return self._buffer


def announces_keyword(ehlo: Reply, keyword: str) -> bool:
    """Whether an EHLO reply has this keyword (RFC 5321 4.1.1.1: on its own line, any case)."""
    return any(line.upper().split()[:1] == [keyword.upper()] for line in ehlo.text.split("\n")[1:])


@dataclass
class Records:
    """Names for the SSL and TLS records in one direction of a stream.

    What is sealed is not looked into, but counted: consecutive sealed records are one line.
    ``data`` counts the records of application data, as which TLSv1.3 sends all that is sealed.
    """

    alert: str | None = None
    offered: Offered | None = None
    chosen: Chosen | None = None
    curve: int | None = None
    data: int = 0
    _buffer: bytes = b""
    _sealed: bool = False
    _in_ssl2: bool = False

    def feed(self, data: bytes) -> list[str]:
        """One line for each record that is complete with these bytes."""
        if self._in_ssl2:
            # After the first message, SSLv2 has a framing of its own, and all of it is sealed.
            first, self._sealed = not self._sealed, True
            return ["[SSLv2 sealed from here on]"] if first else []
        self._buffer += data
        names: list[str] = []
        while (size := _record_size(self._buffer)) and len(self._buffer) >= size:
            record, self._buffer = self._buffer[:size], self._buffer[size:]
            name = self._name_record(record)
            if name:
                names.append(name)
        return names

    def _name_record(self, record: bytes) -> str | None:
        self.data += record[0] == APPLICATION_DATA
        if self._sealed:
            return None
        if record[0] & 0x80:
            return self._ssl2_name(record)
        version = VERSIONS.get((record[1], record[2]), "unknown version")
        body = record[5:]
        if record[0] == ALERT and len(body) == 2:
            level = {1: "warning", 2: "fatal"}.get(body[0], "unknown level")
            self.alert = ALERTS.get(body[1], f"number {body[1]}")
            return f"[{version} alert: {level} {self.alert}]"
        if record[0] == HANDSHAKE:
            names = ", ".join(
                self._read_message(kind, part) for kind, part in _split_handshakes(body)
            )
            return f"[{version} {names or 'handshake'}, {len(record)} bytes]"
        if record[0] == CHANGE_CIPHER_SPEC and self.chosen and self.chosen.version == "TLSv1.3":
            # There it changes nothing (RFC 8446 D.4), and another ServerHello may follow.
            return None
        # ChangeCipherSpec, data, or an alert that is sealed: from here on nothing can be read.
        self._sealed = True
        return f"[{version} sealed from here on]"

    def _read_message(self, kind: int, body: bytes) -> str:
        """Keep what a handshake message tells; its name, and for a ClientHello what it offers."""
        if kind == _CLIENT_HELLO:
            self.offered = read_client_hello(body)
            return f"ClientHello ({self.offered})" if self.offered else HANDSHAKES[kind]
        if kind == _SERVER_HELLO:
            self.chosen = read_server_hello(body)
            if self.chosen and self.chosen.retry:
                return "HelloRetryRequest"
        if kind == _SERVER_KEY_EXCHANGE:
            self.curve = read_named_curve(body)
        return HANDSHAKES[kind]

    def _ssl2_name(self, record: bytes) -> str:
        _, _, kind, *version_bytes = record[:5].ljust(5, b"\xff")
        name = SSL2_MESSAGES.get(kind, f"message {kind}")
        if name != "CLIENT-HELLO":
            self._in_ssl2 = True
            return f"[SSLv2 {name}, {len(record)} bytes]"
        # A client that can do better says so in SSLv2's framing, and goes on in that of TLS.
        version = VERSIONS.get((version_bytes[0], version_bytes[1]), "unknown version")
        self._in_ssl2 = version == "SSLv2"
        return f"[SSLv2 framing, ClientHello for {version}, {len(record)} bytes]"


def _record_size(buffer: bytes) -> int:
    """Bytes that the record at the start of the buffer takes; 0: not enough to tell."""
    if len(buffer) >= 5 and not buffer[0] & 0x80:
        return 5 + int.from_bytes(buffer[3:5], "big")
    if len(buffer) >= 5:
        return 2 + (int.from_bytes(buffer[:2], "big") & 0x7FFF)
    return 0


def _split_handshakes(body: bytes) -> list[tuple[int, bytes]]:
    """Type and body of the handshake messages that begin in a record's body."""
    messages: list[tuple[int, bytes]] = []
    while len(body) >= 4 and body[0] in HANDSHAKES:
        end = 4 + int.from_bytes(body[1:4], "big")
        messages.append((body[0], body[4:end]))
        body = body[end:]
    return messages
