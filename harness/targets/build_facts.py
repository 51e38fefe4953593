"""What a build's container says of its Postfix and OpenSSL, read when the first one starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.catalog.versions import Version
from harness.errors import InfrastructureError
from harness.postfix_config.protocol_lists import MANDATORY, OPPORTUNISTIC
from harness.postfix_config.tls_parameters import PARAMETERS
from harness.targets.shell import LastingShell

#: Parameters whose default values are facts of the image; every release has them.
_PARAMETERS = ("mail_version", "mail_owner", "setgid_group", "daemon_directory", "config_directory")
#: The release that has smtpd_client_port_logging (postconf(5)).
_LOGS_PORTS_SINCE = Version.parse("2.5")
#: Stands before the output of each command of the one script that reads all facts.
_MARK = "== postfix-matrix: next fact =="


@dataclass(frozen=True, slots=True)
class Facts:
    """The defaults of the image's Postfix (postconf -d), and its OpenSSL.

    ``protocol_lists`` are the defaults of smtpd's two lists, ``openssl`` the output of ``openssl
    version`` (docs/image-contract.md: the one that Postfix loads), ``table_types`` that of
    ``postconf -m``. ``tls_defaults`` are those of the parameters that can refuse a client, as far
    as the release has them (postfix_config.tls_parameters).
    """

    mail_version: str
    mail_owner: str
    setgid_group: str
    daemon_directory: str
    config_directory: str
    master_cf: str
    protocol_lists: Mapping[str, str]
    openssl: str
    table_types: frozenset[str]
    tls_defaults: Mapping[str, str] = field(default_factory=dict)

    @property
    def logs_ports(self) -> bool:
        """Whether smtpd can log its clients' ports (smtpd_client_port_logging)."""
        return Version.parse(self.mail_version) >= _LOGS_PORTS_SINCE


def read_facts(shell: LastingShell, name: str) -> Facts:
    """Read the facts of the build ``name`` in one script: each command waits for a shell's turn.

    Raises:
        InfrastructureError: postconf has no default for a parameter that every release has.
    """
    commands = [f"postconf -d -h {parameter}" for parameter in _PARAMETERS]
    commands += [
        # A release warns of each parameter that it does not have, on standard error.
        f"postconf -d {' '.join(PARAMETERS)} 2>/dev/null",
        "openssl version",
        "postconf -m 2>/dev/null",
        'cat "$(postconf -d -h config_directory)/master.cf"',
    ]
    script = "\n".join(f"echo '{_MARK}'\n{command} || :" for command in commands)
    _, *outputs = f"\n{shell.run(script).output}\n".split(f"\n{_MARK}\n")
    if len(outputs) != len(commands):
        raise InfrastructureError(
            f"{name}: its facts cannot be read: {outputs}",
            cause="the image does not keep the image contract",
            next_step="see docs/image-contract.md",
        )
    defaults = dict(zip(_PARAMETERS, map(str.strip, outputs), strict=False))
    for parameter, value in defaults.items():
        if not value or value.startswith("postconf:"):
            raise InfrastructureError(
                f"{name}: 'postconf -d -h {parameter}' failed: {value}",
                cause="the image does not keep the image contract",
                next_step="see docs/image-contract.md",
            )
    tls, openssl, table_types, master_cf = outputs[len(_PARAMETERS) :]
    settings = (line.partition(" =") for line in tls.splitlines() if " =" in line)
    tls_defaults = {key.strip(): value.strip() for key, _, value in settings}
    return Facts(
        **defaults,
        master_cf=master_cf.removesuffix("\n"),
        protocol_lists={
            name: tls_defaults[name] for name in (OPPORTUNISTIC, MANDATORY) if name in tls_defaults
        },
        openssl=openssl.strip(),
        table_types=frozenset(table_types.split()),
        tls_defaults=tls_defaults,
    )
