"""What ``openssl s_client`` is told, and what it says; nothing is run here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from common.contract import PROTOCOLS, Ending, Offer, Request, Trace
from common.relay import Wire
from common.speaker import Speaker, judge_program

#: s_client's option for a version: alone ``-tls1_2``, left out of a range ``-no_tls1_2``.
OPTIONS = dict(zip(PROTOCOLS, ("ssl2", "ssl3", "tls1", "tls1_1", "tls1_2", "tls1_3"), strict=True))
#: All suites of TLSv1.3 (RFC 8446 B.4), in OpenSSL's order and then the two that it leaves out.
SUITES = (
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:"
    "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"
)
#: What a client adds that falls back to an older version (RFC 7507).
FALLBACK_SCSV = "TLS_FALLBACK_SCSV"


@dataclass(frozen=True, slots=True)
class Tool:
    """An ``openssl`` program: its version, the options of its s_client, and its ciphers' bits."""

    path: str
    version: str
    options: frozenset[str]
    bits: dict[str, int]

    @classmethod
    def from_outputs(cls, path: str, version: str, usage: str, ciphers: str) -> Tool:
        """From ``openssl version``, ``s_client -help`` and ``ciphers -v ALL:COMPLEMENTOFALL``."""
        options = frozenset(re.findall(r"(?<![\w-])-([a-zA-Z][\w]*)", usage))
        bits = {}
        for line in ciphers.splitlines():
            match = re.match(r"(\S+)\s.*\bEnc=\S*?(?:\((\d+)\)|None)", line)
            if match:
                bits[match[1]] = int(match[2] or 0)
        return cls(path, version, options, bits)

    @property
    def number(self) -> str:
        """``1.0.2h`` of ``OpenSSL 1.0.2h  3 May 2016``."""
        return self.version.split()[1]

    @property
    def has_security_levels(self) -> bool:
        """Security levels came with OpenSSL 1.1.0 (its CHANGES)."""
        return not self.number.startswith(("0.", "1.0."))

    def make_command(
        self, request: Request, port: int, session: str | None = None, *, again: bool = False
    ) -> list[str]:
        """The command line for a request, against a port of this machine.

        ``session`` is the file that the session of a first connection is kept in, for a second
        (``again``). With -ign_eof a line R would be sent to the server; to renegotiate by it,
        s_client must read commands.
        """
        arguments = [self.path, "s_client", "-connect", f"127.0.0.1:{port}"]
        arguments += [] if request.extras.renegotiate else ["-ign_eof"]
        arguments += ["-CAfile", request.ca_file]
        arguments += self._name_options(request)
        if not request.implicit_tls:
            arguments += ["-starttls", "smtp"]
        if request.extras.certificate:
            arguments += ["-cert", request.extras.certificate, "-key", str(request.extras.key)]
        if session is not None:
            # The file is written by the first connection, and read by the second.
            arguments += ["-sess_in" if again else "-sess_out", session]
        return arguments + self.offer_options(request.offer)

    def _name_options(self, request: Request) -> list[str]:
        """The server name to send. There is none in SSLv2, and s_client takes none for it.

        Without the option, releases before 1.1.1 send none, and later ones that of -connect, which
        is an address here and is not sent (CHANGES, 1.1.1: -noservername).
        """
        if request.offer is not None and request.offer.highest == "SSLv2":
            return []
        name = request.extras.server_name(request.server_name)
        if name is not None:
            return ["-servername", name]
        return ["-noservername"] if "noservername" in self.options else []

    def offer_options(self, offer: Offer | None) -> list[str]:
        """The options that make an offer; none at all for the default.

        A version that the tool has never heard of is asked for all the same: it then refuses
        with its own message.
        """
        if offer is None:
            return []
        inside = offer.list_versions()
        unknown = [v for v in inside if OPTIONS[v] not in self.options]
        if len(inside) == 1 or unknown:
            arguments = [f"-{OPTIONS[(unknown or inside)[0]]}"]
        else:
            outside = [f"no_{OPTIONS[v]}" for v in PROTOCOLS if v not in inside]
            arguments = [f"-{option}" for option in outside if option in self.options]
        arguments += self._cipher_options(offer)
        if offer.groups:
            # 1.0.2 calls them curves; a tool that has neither refuses by itself.
            arguments += [
                "-groups" if "groups" in self.options else "-curves",
                ":".join(offer.groups),
            ]
        # From 3.0 on the default is to turn away from servers without RFC 5746; the option that
        # 1.1.1 has by that name is refused (there it is a server's).
        if "legacy_server_connect" in self.options and not self.number.startswith("1."):
            arguments += ["-legacy_server_connect"]
        return arguments

    def _cipher_options(self, offer: Offer) -> list[str]:
        """The ciphers of an offer, or all there are; TLSv1.3's have an option of their own."""
        named = [name for name in offer.ciphers if name != FALLBACK_SCSV]
        new = [name for name in named if name.startswith("TLS_")]
        old = [name for name in named if name not in new]
        everything = [] if offer.ciphers else ["ALL:COMPLEMENTOFALL"]
        level = ["@SECLEVEL=0"] * self.has_security_levels
        arguments = ["-cipher", ":".join([*everything, *old, *level])] if everything or old else []
        if "ciphersuites" in self.options and (new or not offer.ciphers):
            arguments += ["-ciphersuites", ":".join(new) or SUITES]
        # A value among the ciphers on the wire (RFC 7507), an option of its own here.
        arguments += ["-fallback_scsv"] * (FALLBACK_SCSV in offer.ciphers)
        return arguments

    def note_negotiated(self, output: str, trace: Trace) -> None:
        """Put what s_client says was negotiated into the trace.

        The version is that of the session: "New, TLSv1.0, Cipher is" names the cipher's class.
        Only TLSv1.3 may come without a session, and there the class is exact.
        """
        protocol = re.search(r"^ *Protocol *: (\S+)", output, re.M)
        cipher = re.search(r"^(?:New|Reused), (\S+), Cipher is (\S+)", output, re.M)
        group = re.search(r"^(?:Server|Peer) Temp Key: (.+)", output, re.M)
        named = re.search(r"^Negotiated TLS1\.3 group: (\S+)", output, re.M)
        if cipher is None or cipher[2] == "(NONE)":
            return
        trace.protocol = _find_version(protocol[1] if protocol else cipher[1])
        trace.cipher = cipher[2]
        trace.bits = self.bits.get(cipher[2])
        if named or group:
            trace.group = named[1] if named else _find_group(group[1] if group else "")


def is_reused(output: str) -> bool:
    """Whether s_client says that it took up the session that it was given."""
    return re.search(r"^Reused, \S+, Cipher is ", output, re.M) is not None


def find_certificate(output: str) -> str | None:
    """The server's own certificate, which s_client prints; None: it got none."""
    match = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", output, re.S)
    return match.group() if match else None


def _find_version(text: str) -> str:
    return "TLSv1" if text == "TLSv1.0" else text


def _find_group(text: str) -> str:
    """``P-256`` of ``ECDH, P-256, 256 bits``, ``X25519`` of ``X25519, 253 bits``; DH as it is."""
    kind, *rest = text.split(", ")
    if kind == "ECDH" and rest:
        return rest[0]
    return text if kind == "DH" else kind


def extract_errors(errors: str) -> str:
    """The library's own errors; where it has none, what the tool says, without its usage."""
    lines = [line.strip() for line in errors.partition("\nusage:")[0].splitlines() if line.strip()]
    messages = [line for line in lines if "error:" in line or "errno=" in line]
    return "\n".join((messages or lines)[:6])


def judge_ended(wire: Wire, speaker: Speaker, errors: str) -> Ending:
    """What an ended s_client comes to. Where the wire alone decides, its errors are left out."""
    return judge_program(wire, speaker, extract_errors(errors))
