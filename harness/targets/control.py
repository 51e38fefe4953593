"""A control: a TLS front (stunnel) before a plain Postfix in the same container.

It is checked itself before it may judge a client, with the ``openssl`` of its image: a permissive
control must accept every version that it has by the catalog, and a forbidding one must refuse all
handshakes without the pre-shared key, and accept those with it.
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

#: The ports of the plain Postfix, on every address; the front uses the registered ports.
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
#: The forbidding control's pre-shared key, which no client has: it shows that the front works.
PSK = "postfix-matrix:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
_TLS_MODES = {Service.SMTP: "STARTTLS", Service.SUBMISSIONS: "implicit TLS"}
_THREAD = re.compile(r"LOG\d\[(?P<thread>\d+)\]: (?P<text>.*)")


@dataclass(frozen=True, slots=True)
class ControlServer:
    """A control that runs and was checked."""

    control: Control
    target: PostfixTarget


def start_control(lab: Lab, control: Control, target: PostfixTarget, sasl: str) -> ControlServer:
    """Start a control in its running container, and check it. Blocks.

    Raises:
        InfrastructureError: it does not start, or does not accept what it must.
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
        raise InfrastructureError(f"{control.name}: its Postfix does not start: {instance.output}")
    front = target.run(f"stunnel /etc/postfix-matrix/{_front_name(control)}.conf")
    if front:
        raise InfrastructureError(f"{control.name}: its stunnel does not start: {front}")
    if control.forbids:
        check_refused_versions(target, control)
    else:
        check_accepted_versions(target, control)
    return ControlServer(control, target)


def check_accepted_versions(target: PostfixTarget, control: Control) -> None:
    """Check that each version is accepted, by STARTTLS and implicit TLS, with its own openssl.

    Raises:
        InfrastructureError: it names each version and service that failed.
    """
    tries = [(p, service) for p in accepted_versions(control) for service in _TLS_MODES]
    accepted = _try_handshakes(target, [handshake_command(*attempt) for attempt in tries])
    failed = [
        attempt for attempt, is_accepted in zip(tries, accepted, strict=True) if not is_accepted
    ]
    if failed:
        raise InfrastructureError(
            f"{control.name} does not grant {_describe_attempts(failed)}, so it can prove nothing",
            cause="its stunnel or OpenSSL was built without them",
        )


def check_refused_versions(target: PostfixTarget, control: Control) -> None:
    """Check that every handshake without the key is refused, and accepted with the key.

    Raises:
        InfrastructureError: it names each version and service that was accepted without the key,
            or refused with it.
    """
    versions = [p for p in Protocol if p.rank >= Protocol.TLSv1.rank]
    tries = [(p, service) for p in versions for service in _TLS_MODES]
    with_key = [(Protocol.TLSv1_2, service) for service in _TLS_MODES]
    key = PSK.partition(":")[2]
    commands = [handshake_command(*attempt) for attempt in tries]
    commands += [
        f"{handshake_command(*attempt)} -psk {key} -psk_identity postfix-matrix"
        for attempt in with_key
    ]
    accepted = _try_handshakes(target, commands)
    expected = [False] * len(tries) + [True] * len(with_key)
    results = zip([*tries, *with_key], accepted, expected, strict=True)
    wrong = [attempt for attempt, is_accepted, must_be in results if is_accepted != must_be]
    if wrong:
        raise InfrastructureError(
            f"{control.name} grants what it must refuse, or refuses its own key: "
            f"{_describe_attempts(wrong)}",
            cause="its stunnel ignores the ciphers of its configuration",
        )


def _try_handshakes(target: PostfixTarget, handshakes: list[str]) -> list[bool]:
    """Whether each handshake is accepted. All run at once: each waits more than it computes."""
    # Handshakes of other cells may be tried at the same time.
    folder = "/tmp/prove." + hashlib.sha256("\n".join(handshakes).encode()).hexdigest()[:12]
    script = "".join(
        f"( {command} ) >{folder}/{number} 2>&1 &\n" for number, command in enumerate(handshakes)
    )
    target.run(f"mkdir -p {folder}\n{script}wait")
    return [is_accepted(target.run(f"cat {folder}/{n}")) for n, _ in enumerate(handshakes)]


def _describe_attempts(tries: list[tuple[Protocol, Service]]) -> str:
    return ", ".join(f"{protocol} by {_TLS_MODES[service]}" for protocol, service in tries)


def _front_name(control: Control) -> str:
    return "forbidding" if control.forbids else "stunnel"


def accepted_versions(control: Control) -> list[Protocol]:
    """The versions that a control accepts, by the catalog."""
    return [p for p in Protocol if control.lowest.rank <= p.rank <= control.highest.rank]


def front_lines(lines: Iterable[LogLine], peer: str) -> list[LogLine]:
    """The log lines of stunnel for the last connection from ``address:port``."""
    connection_lines: list[LogLine] = []
    thread = None
    for line in lines:
        match = _THREAD.match(line.text)
        if match is None:
            continue
        if match["text"].endswith(f"accepted connection from {peer}"):
            thread, connection_lines = match["thread"], []
        if thread is not None and match["thread"] == thread:
            connection_lines.append(line)
    return connection_lines


def backend_peer(lines: Iterable[LogLine]) -> str | None:
    """The address from which stunnel connected to its Postfix, ``address:port``."""
    for line in lines:
        match = re.search(r"connected remote server from (\S+)$", line.text)
        if match is not None:
            return match[1]
    return None


def is_front_closed(lines: Iterable[LogLine]) -> bool:
    """Whether stunnel has logged the end of a connection."""
    return any(re.search(r"Connection (?:closed|reset)", line.text) for line in lines)


def find_unsupported_suites(
    target: PostfixTarget, offer: Offer, service: Service
) -> tuple[str, ...]:
    """The suites of an offer that a control does not accept from its own openssl. Blocks.

    A refusal of these says nothing about a client: the control may not support the suite.
    """
    if offer.highest is None or not offer.ciphers:
        return ()
    commands = [handshake_command(offer.highest, service, name) for name in offer.ciphers]
    results = zip(offer.ciphers, _try_handshakes(target, commands), strict=True)
    return tuple(
        name for name, is_accepted in results if not is_accepted and not name.endswith("_SCSV")
    )


def handshake_command(
    protocol: Protocol, service: Service, cipher: str = "ALL:COMPLEMENTOFALL"
) -> str:
    """The command that offers one version to a server of this container, with its own openssl.

    ``cipher`` is a single suite, or a list of suites for versions before TLSv1.3.
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


def is_accepted(output: str) -> bool:
    """Whether s_client printed a session with a cipher; its exit status does not show that."""
    cipher = re.search(r"^ *Cipher *: *(\S+)", output, re.MULTILINE)
    new = re.search(r"^New, .*Cipher is (\S+)", output, re.MULTILINE)
    return any(m is not None and m[1] not in ("0000", "(NONE)") for m in (cipher, new))
