"""The address of a server to scan: a host and a port, in the forms that people write."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from harness.errors import UsageError

_FORM = "write HOST:PORT, such as mail.example.org:25 or [2001:db8::1]:465"
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
#: Ports of the schemes that people paste, for the next step.
_PORTS = {"smtp": 25, "smtps": 465, "submission": 587, "submissions": 465}
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
#: RFC 1035, 2.3.4: characters of a name.
_LONGEST = 253
_MOST_PORTS = 1 << 16


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """``host`` is a name in ASCII or an address, without brackets; ``port`` from 1 to 65535."""

    host: str
    port: int


def is_address(text: str) -> bool:
    """Whether a text is meant as an address, and not as the name of a build."""
    return any(mark in text for mark in ":/@") or text.startswith("[") or _is_host(text)


def _is_host(text: str) -> bool:
    """Whether it is an address in numbers, or a name with a domain: no build has these."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return bool(re.fullmatch(r"(?:[^\s.]+\.)+[^\W\d_]{2,}\.?", text))
    return True


def parse_address(text: str) -> ServerAddress:
    """Read ``HOST:PORT``; an IPv6 address is in brackets, a name may have letters of any script.

    Raises:
        UsageError: it is no such text; the message has the right form.
    """
    if scheme := _SCHEME.fullmatch(text):
        raise _refuse_scheme(text, scheme["scheme"].lower(), scheme["rest"])
    if "@" in text:
        raise _refuse_address(
            text, "it names a user", f"name the server alone: {text.rpartition('@')[2]}"
        )
    if "/" in text:
        raise _refuse_address(text, "it has a path", _FORM)
    host, port = _split_port(text)
    return ServerAddress(_check_host(text, host), _check_port(text, port))


def _refuse_address(text: str, cause: str, next_step: str = _FORM) -> UsageError:
    return UsageError(f"{text!r} is no HOST:PORT", cause=cause, next_step=next_step)


def _refuse_scheme(text: str, scheme: str, rest: str) -> UsageError:
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    port = "" if re.search(r":\d+$", host) else f":{_PORTS.get(scheme, 25)}"
    hint = " (with --implicit)" if scheme in ("smtps", "submissions") else ""
    next_step = f"write {host}{port}{hint}" if host else _FORM
    return _refuse_address(
        text, f"it is a URL of {scheme}; a mail server has a host and a port", next_step
    )


def _split_port(text: str) -> tuple[str, str]:
    """The host without brackets, and the port as it is written."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise _refuse_address(text, "the bracket is not closed")
        if ":" not in host:
            raise _refuse_address(text, "only an IPv6 address is in brackets")
        if not rest.startswith(":"):
            raise _refuse_address(text, "it has no port", f"add the port: [{host}]:25")
        return host, rest[1:]
    host, colon, port = text.rpartition(":")
    if not colon:
        raise _refuse_address(text, "it has no port", f"add the port: {text}:25")
    if ":" in host:
        raise _refuse_colons(text)
    return host, port


def _refuse_colons(text: str) -> UsageError:
    """An IPv6 address without brackets, or several ports."""
    try:
        ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        return _refuse_address(
            text, "it has more than one port, or an IPv6 address without brackets"
        )
    return _refuse_address(text, "an IPv6 address is in brackets", f"write [{text}]:25")


def _check_host(text: str, host: str) -> str:
    """The host as it is looked up: an address, or a name in ASCII (RFC 5890)."""
    if not host:
        raise _refuse_address(text, "it has no host")
    if ":" in host or host.replace(".", "").isdigit():
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            raise _refuse_address(text, f"{host!r} is no IP address") from None
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise _refuse_address(text, f"{host!r} is no host name: {error}") from None
    labels = name.removesuffix(".").split(".")
    if len(name) > _LONGEST or any(len(x) > 63 or not _LABEL.fullmatch(x) for x in labels):
        raise _refuse_address(text, f"{host!r} is no host name")
    return name


def _check_port(text: str, port: str) -> int:
    is_number = port.isascii() and port.isdigit() and len(port) < 10
    if not is_number or not 0 < int(port) < _MOST_PORTS:
        raise _refuse_address(
            text, f"{port!r} is not a port", "name a port from 1 to 65535, such as 25"
        )
    return int(port)
