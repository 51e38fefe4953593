"""A control: a TLS front (stunnel) before a plain Postfix of the same container.

It proves itself before it may judge a client: with the ``openssl`` of its own image, a permissive
one must grant every version that the catalog says it speaks, and one that forbids must refuse all
that comes without the pre-shared key, and grant what comes with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.catalog.clients import Control
from harness.errors import InfrastructureError
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.scenario import Scenario
from harness.targets.lab import PKI_DIR, FileSpec, Lab, put_files
from harness.targets.mail_log import LogLine
from harness.targets.postfix import PostfixTarget
from harness.tls import INBOUND, Offer, Protocol, Service

#: Where the plain Postfix listens, on every address; the front is on the registered ports.
BACKEND_PORTS = {Service.SMTP: 10025, Service.SUBMISSION: 10587, Service.SUBMISSIONS: 10465}
FRONT_PORTS = {service: service.port for service in INBOUND}

_LOG_IN = """  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""
PERMISSIVE = Scenario(
    id="permissive",
    title="A permissive control server",
    source="postfix-matrix",
    claim="Whatever a client can offer is accepted.",
    main_cf="smtpd_tls_security_level = none\n",
    master_cf=f"submission inet n - n - - smtpd\n{_LOG_IN}"
    f"submissions inet n - n - - smtpd\n{_LOG_IN}",
    overlay=Overlay.REPLACE,
)
_S_CLIENT = {
    Protocol.SSLv2: "-ssl2",
    Protocol.SSLv3: "-ssl3",
    Protocol.TLSv1: "-tls1",
    Protocol.TLSv1_1: "-tls1_1",
    Protocol.TLSv1_2: "-tls1_2",
    Protocol.TLSv1_3: "-tls1_3",
}
#: The forbidding control's pre-shared key, which no client has: with it the front is seen to work.
PSK = "postfix-matrix:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
_WAYS = {Service.SMTP: "STARTTLS", Service.SUBMISSIONS: "implicit TLS"}
_THREAD = re.compile(r"LOG\d\[(?P<thread>\d+)\]: (?P<text>.*)")


@dataclass(frozen=True, slots=True)
class ControlServer:
    """A control that runs and has proved itself."""

    control: Control
    target: PostfixTarget


def start_control(lab: Lab, control: Control, target: PostfixTarget, sasl: str) -> ControlServer:
    """Start a control in its running container, and try it; blocking.

    Raises:
        InfrastructureError: it does not start, or does not grant what it is there to grant.
    """
    put_files(
        target.container,
        {
            f"{PKI_DIR}/ca.pem": FileSpec(lab.pki.ca),
            f"{PKI_DIR}/server.pem": FileSpec(lab.pki.pair("RSA").certificate),
            f"{PKI_DIR}/server.key": FileSpec(lab.pki.pair("RSA").key, mode=0o600),
            f"{PKI_DIR}/server-ec.pem": FileSpec(lab.pki.pair("EC").certificate),
            f"{PKI_DIR}/server-ec.key": FileSpec(lab.pki.pair("EC").key, mode=0o600),
            f"{PKI_DIR}/server-dsa.pem": FileSpec(lab.pki.pair("DSA").certificate),
            f"{PKI_DIR}/server-dsa.key": FileSpec(lab.pki.pair("DSA").key, mode=0o600),
            f"{PKI_DIR}/psk": FileSpec(f"{PSK}\n", mode=0o600),
        },
    )
    instance = target.start_instance(PERMISSIVE, sasl, BACKEND_PORTS)
    if not instance.started:
        raise InfrastructureError(f"{control.name}: its Postfix does not start: {instance.words}")
    front = target.run(f"stunnel /etc/postfix-matrix/{_front(control)}.conf")
    if front:
        raise InfrastructureError(f"{control.name}: its stunnel does not start: {front}")
    if control.forbids:
        prove_forbidding(target, control)
    else:
        prove(target, control)
    return ControlServer(control, target)


def prove(target: PostfixTarget, control: Control) -> None:
    """Have the control's own openssl get through on each version, by STARTTLS and implicit TLS.

    Raises:
        InfrastructureError: naming each version and way that failed.
    """
    tries = [(p, service) for p in spoken(control) for service in _WAYS]
    granted = _tried(target, [handshake(*one) for one in tries])
    failed = [one for one, got in zip(tries, granted, strict=True) if not got]
    if failed:
        raise InfrastructureError(
            f"{control.name} does not grant {_named(failed)}, so it can prove nothing",
            cause="its stunnel or OpenSSL was built without them",
        )


def prove_forbidding(target: PostfixTarget, control: Control) -> None:
    """Have the control's own openssl refused with whatever it offers, but not with the key.

    Raises:
        InfrastructureError: naming each version and way that got through, or did not with the key.
    """
    versions = [p for p in Protocol if p.rank >= Protocol.TLSv1.rank]
    tries = [(p, service) for p in versions for service in _WAYS]
    with_key = [(Protocol.TLSv1_2, service) for service in _WAYS]
    key = PSK.partition(":")[2]
    commands = [handshake(*one) for one in tries]
    commands += [f"{handshake(*one)} -psk {key} -psk_identity postfix-matrix" for one in with_key]
    granted = _tried(target, commands)
    wrong = [one for one, got in zip(tries, granted, strict=False) if got]
    wrong += [one for one, got in zip(with_key, granted[len(tries) :], strict=True) if not got]
    if wrong:
        raise InfrastructureError(
            f"{control.name} grants what it must refuse, or refuses its own key: {_named(wrong)}",
            cause="its stunnel does not keep to the ciphers it was given",
        )


def _tried(target: PostfixTarget, handshakes: list[str]) -> list[bool]:
    """Which of these handshakes are granted. All at once: each waits more than it computes."""
    # Other cells may have theirs tried at the same time.
    folder = "/tmp/prove." + hashlib.sha256("\n".join(handshakes).encode()).hexdigest()[:12]
    script = "".join(
        f"( {one} ) >{folder}/{number} 2>&1 &\n" for number, one in enumerate(handshakes)
    )
    target.run(f"mkdir -p {folder}\n{script}wait")
    return [granted(target.run(f"cat {folder}/{n}")) for n, _ in enumerate(handshakes)]


def _named(tries: list[tuple[Protocol, Service]]) -> str:
    return ", ".join(f"{protocol} by {_WAYS[service]}" for protocol, service in tries)


def _front(control: Control) -> str:
    return "forbidding" if control.forbids else "stunnel"


def spoken(control: Control) -> list[Protocol]:
    """The versions that a control grants, by the catalog."""
    return [p for p in Protocol if control.lowest.rank <= p.rank <= control.highest.rank]


def front_lines(lines: Iterable[LogLine], peer: str) -> list[LogLine]:
    """What stunnel logged of the connection of ``address:port``; the last such connection's."""
    found: list[LogLine] = []
    thread = None
    for line in lines:
        match = _THREAD.match(line.text)
        if match is None:
            continue
        if match["text"].endswith(f"accepted connection from {peer}"):
            thread, found = match["thread"], []
        if thread is not None and match["thread"] == thread:
            found.append(line)
    return found


def backend_peer(lines: Iterable[LogLine]) -> str | None:
    """The address from which stunnel connected on to its Postfix, ``address:port``."""
    for line in lines:
        match = re.search(r"connected remote server from (\S+)$", line.text)
        if match is not None:
            return match[1]
    return None


def front_closed(lines: Iterable[LogLine]) -> bool:
    """Whether stunnel has logged the end of a connection."""
    return any(re.search(r"Connection (?:closed|reset)", line.text) for line in lines)


def suites_lacking(target: PostfixTarget, offer: Offer, service: Service) -> tuple[str, ...]:
    """The suites of an offer that a control does not grant its own openssl; blocking.

    What a client is refused there says nothing of the client: it may be the control that lacks it.
    """
    if offer.highest is None or not offer.ciphers:
        return ()
    commands = [handshake(offer.highest, service, name) for name in offer.ciphers]
    tried = zip(offer.ciphers, _tried(target, commands), strict=True)
    return tuple(name for name, got in tried if not got and not name.endswith("_SCSV"))


def handshake(protocol: Protocol, service: Service, cipher: str = "ALL:COMPLEMENTOFALL") -> str:
    """A command that offers one version to a server of this container by its own openssl.

    ``cipher`` is one suite, or a list of those before TLSv1.3.
    """
    starttls = "" if service.implicit_tls else "-starttls smtp"
    ciphers = f"-cipher {cipher}$level"
    if protocol is Protocol.TLSv1_3 and cipher.startswith("TLS_"):
        ciphers = f"-ciphersuites {cipher}"
    # OpenSSL 3 and later offer the old versions at security level 0 only; 1.0.2 has no levels.
    return (
        "case $(openssl version) in 'OpenSSL 0.'*|'OpenSSL 1.0.'*) level=;; "
        "*) level=:@SECLEVEL=0;; esac; "
        f"openssl s_client -connect 127.0.0.1:{service.port} {starttls} "
        f"{_S_CLIENT[protocol]} {ciphers} -CAfile {PKI_DIR}/ca.pem"
    )


def granted(output: str) -> bool:
    """Whether s_client printed a session with a cipher; its exit status says something else."""
    cipher = re.search(r"^ *Cipher *: *(\S+)", output, re.MULTILINE)
    new = re.search(r"^New, .*Cipher is (\S+)", output, re.MULTILINE)
    return any(m is not None and m[1] not in ("0000", "(NONE)") for m in (cipher, new))
