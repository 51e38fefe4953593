"""The data of the run's name server, so that restrictions on names work as for a real client.

smtpd looks up the client's address, its name in HELO, and the sender's domain (postconf(5):
reject_unknown_client_hostname, reject_unknown_helo_hostname, reject_unknown_sender_domain). Block
lists have no entry for any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.adaptation.harness_settings import (
    SENDER_DOMAIN,
    SINK_DOMAIN,
)
from harness.scenarios.scenario import Scenario

#: The domain of the names that clients give in EHLO (images/clients/common/contract.py).
CLIENT_DOMAIN = "client.test"
#: An address for names that are looked up, but to which nothing connects (RFC 5737).
_ADDRESS = "192.0.2.1"
#: Settings that look names up.
_LOOKS_UP = re.compile(
    r"reject_(?:unknown|rbl|rhsbl|unverified)|_rbl_client|dnsbl|dnswl|_(?:mx|ns)_access|"
    r"postscreen|smtpd_peername_lookup\s*=\s*yes"
)


def needs_names(scenario: Scenario) -> bool:
    """Whether a candidate may behave differently where no name can be looked up."""
    if scenario.as_is:
        return False
    return scenario.whole or bool(_LOOKS_UP.search(scenario.main_cf + scenario.master_cf))


def name_server_data(addresses: Iterable[str]) -> str:
    """Unbound's local data (unbound.conf(5)): the test domains, and a name for each address."""
    lines = []
    for domain in (CLIENT_DOMAIN, SINK_DOMAIN):
        lines += [
            f'local-zone: "{domain}." redirect',
            f'local-data: "{domain}. IN A {_ADDRESS}"',
            f'local-data: "{domain}. IN MX 10 mail.{domain}."',
        ]
    lines += [
        f'local-zone: "{SENDER_DOMAIN}." static',
        f'local-data: "{SENDER_DOMAIN}. IN A {_ADDRESS}"',
        f'local-data: "{SENDER_DOMAIN}. IN MX 10 {SENDER_DOMAIN}."',
    ]
    for address in addresses:
        host = f"host-{address.replace('.', '-')}.{SENDER_DOMAIN}"
        lines.append(f'local-data: "{host}. IN A {address}"')
        lines.append(f'local-data-ptr: "{address} {host}"')
    return "".join(f"    {line}\n" for line in lines)
