"""Placeholders in scenarios for the fingerprints of a run's certificates.

Each run makes new certificates, so a scenario cannot contain their fingerprints. Instead,
``{{listed-client-certificate-sha256}}`` in main.cf, master.cf or a file of a scenario is replaced
by the fingerprint in Postfix's form (``AB:CD:…``; postconf(5), ``smtpd_tls_fingerprint_digest``).
Any other text in braces stays as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.scenarios.instance import (
    InstanceConfig,
    InstanceContext,
    assemble_instance,
)
from harness.scenarios.scenario import Scenario

DIGESTS = ("md5", "sha1", "sha256")
#: The owners of the certificates. ``{{WHOSE-certificate-DIGEST}}`` is a certificate's fingerprint,
#: ``{{WHOSE-key-DIGEST}}`` that of its public key (smtpd(8) compares with both).
WHOSE = ("listed-client", "peer", "self-signed-peer")
_PLACEHOLDER = re.compile(r"\{\{([a-z0-9-]+)\}\}")


def fingerprint_values(whose: str, certificate: str) -> dict[str, str]:
    """The values of a certificate's placeholders, by name; ``certificate`` is PEM."""
    read = x509.load_pem_x509_certificate(certificate.encode())
    key = read.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    parts = {"certificate": read.public_bytes(Encoding.DER), "key": key}
    return {
        f"{whose}-{part}-{digest}": _with_colons(hashlib.new(digest, data).hexdigest())
        for part, data in parts.items()
        for digest in DIGESTS
    }


def _with_colons(digits: str) -> str:
    pairs = (digits[at : at + 2] for at in range(0, len(digits), 2))
    return ":".join(pairs).upper()


def fill_text(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced by values; unknown ones stay."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def fill_scenario(scenario: Scenario, values: Mapping[str, str]) -> Scenario:
    """The scenario with the placeholders in all its texts replaced by values."""
    return replace(
        scenario,
        main_cf=fill_text(scenario.main_cf, values),
        master_cf=fill_text(scenario.master_cf, values),
        files={path: fill_text(text, values) for path, text in scenario.files.items()},
    )


def used_placeholders(scenario: Scenario) -> tuple[str, ...]:
    """The names of the known placeholders in a scenario's texts, in order, each once."""
    texts = "\n".join((scenario.main_cf, scenario.master_cf, *scenario.files.values()))
    known = {
        f"{whose}-{part}-{digest}"
        for whose in WHOSE
        for part in ("certificate", "key")
        for digest in DIGESTS
    }
    return tuple(dict.fromkeys(name for name in _PLACEHOLDER.findall(texts) if name in known))


def assemble_filled(
    scenario: Scenario, context: InstanceContext, values: Callable[[], Mapping[str, str]]
) -> InstanceConfig:
    """An instance's configuration with its placeholders, if it has any, replaced by ``values``.

    The digest is over the text with its placeholders, so it is the same in each run. Raises what
    :func:`assemble_instance` raises.
    """
    names = used_placeholders(scenario)
    if not names:
        return assemble_instance(scenario, context)
    known = values()
    config = assemble_instance(fill_scenario(scenario, known), context)
    replaced = tuple(f"{{{{{name}}}}} → {known[name]}" for name in names)
    return replace(config, digest=scenario.digest, added=(*config.added, *replaced))
