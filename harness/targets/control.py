"""A control: a permissive TLS front (stunnel) before a plain Postfix of the same container.

It proves itself before it may judge a client: the ``openssl`` of its own image must get through on
every version that the catalog says the control speaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.catalog.clients import Control
from harness.config.overlay import Overlay
from harness.config.scenario import Scenario
from harness.errors import InfrastructureError
from harness.targets.lab import PKI_DIR, FileSpec, Lab, put_files
from harness.targets.maillog import LogLine
from harness.targets.postfix import PostfixTarget
from harness.tls import Protocol, Service

#: Where the plain Postfix listens, on every address; the front is on the registered ports.
BACKEND_PORTS = {Service.SMTP: 10025, Service.SUBMISSION: 10587, Service.SUBMISSIONS: 10465}
FRONT_PORTS = {service: service.port for service in Service}

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
            f"{PKI_DIR}/server.pem": FileSpec(lab.pki.pair("RSA").certificate),
            f"{PKI_DIR}/ca.pem": FileSpec(lab.pki.ca),
            f"{PKI_DIR}/server.key": FileSpec(lab.pki.pair("RSA").key, mode=0o600),
        },
    )
    instance = target.start_instance(PERMISSIVE, BACKEND_PORTS, sasl)
    if not instance.started:
        raise InfrastructureError(f"{control.name}: its Postfix does not start: {instance.words}")
    front = target.run("stunnel /etc/postfix-matrix/stunnel.conf")
    if front:
        raise InfrastructureError(f"{control.name}: its stunnel does not start: {front}")
    prove(target, control)
    return ControlServer(control, target)


def prove(target: PostfixTarget, control: Control) -> None:
    """Have the control's own openssl get through on each version, by STARTTLS and implicit TLS.

    Raises:
        InfrastructureError: naming each version and way that failed.
    """
    tries = [(p, service) for p in spoken(control) for service in _WAYS]
    # All at once: each waits for the other side more than it computes.
    script = "".join(
        f"( {_handshake(*one)} ) >/tmp/prove.{number} 2>&1 &\n" for number, one in enumerate(tries)
    )
    target.run(f"{script}wait")
    failed = [
        f"{protocol} by {_WAYS[service]}"
        for number, (protocol, service) in enumerate(tries)
        if not _granted(target.run(f"cat /tmp/prove.{number}"))
    ]
    if failed:
        raise InfrastructureError(
            f"{control.name} does not grant {', '.join(failed)}, so it can prove nothing",
            cause="its stunnel or OpenSSL was built without them",
        )


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


def _handshake(protocol: Protocol, service: Service) -> str:
    starttls = "" if service.implicit_tls else "-starttls smtp"
    # OpenSSL 3 and later offer the old versions at security level 0 only; 1.0.2 has no levels.
    return (
        "case $(openssl version) in 'OpenSSL 0.'*|'OpenSSL 1.0.'*) level=;; "
        "*) level=:@SECLEVEL=0;; esac; "
        f"openssl s_client -connect 127.0.0.1:{service.port} {starttls} "
        f"{_S_CLIENT[protocol]} -cipher ALL:COMPLEMENTOFALL$level -CAfile {PKI_DIR}/ca.pem"
    )


def _granted(output: str) -> bool:
    """Whether s_client printed a session with a cipher; its exit status says something else."""
    cipher = re.search(r"^ *Cipher *: *(\S+)", output, re.MULTILINE)
    new = re.search(r"^New, .*Cipher is (\S+)", output, re.MULTILINE)
    return any(m is not None and m[1] not in ("0000", "(NONE)") for m in (cipher, new))
