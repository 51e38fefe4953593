"""The version of the code that measures and decides: a digest of its files.

Results of two versions are not mixed: what an observation says depends on how an instance is put
together, how a dialogue is had, and how its evidence is judged. What only chooses, shows or keeps
results does not count, nor do the images' files: these are in the images' ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from harness.paths import PACKAGE

#: Folders and files below ``harness/``; of a folder its modules, and tables beside them.
_MEASURING = (
    "adaptation",
    "catalog/cells.py",
    "catalog/ciphers.py",
    "catalog/client_hello.py",
    "catalog/clients.py",
    "catalog/data/clients.toml",
    "catalog/data/peers.toml",
    "catalog/data/recordings.tsv",
    "catalog/key_shares.py",
    "catalog/peers.py",
    "catalog/recordings.py",
    "catalog/versions.py",
    "clients",
    "config_input",
    "observations/certificates.py",
    "observations/decide.py",
    "observations/groups.py",
    "observations/obstacles.py",
    "observations/outbound_log.py",
    "observations/reasons.py",
    "observations/spellings.toml",
    "observations/tls_line.py",
    "observations/within_offer.py",
    "outcomes.py",
    "postfix_config",
    "run/cell_measurer.py",
    "run/container_pool.py",
    "run/control_checks.py",
    "run/control_endpoint.py",
    "run/endpoints.py",
    "run/instance_faults.py",
    "run/instances.py",
    "run/measure.py",
    "run/outbound.py",
    "run/permissive_checks.py",
    "run/resources.py",
    "run/run_resources.py",
    "scan/certificates.py",
    "scan/result.py",
    "scan/suites.py",
    "scenarios/configuration_files.py",
    "scenarios/instance.py",
    "scenarios/lab_names.py",
    "scenarios/peer_servers.py",
    "scenarios/permissive_copy.py",
    "scenarios/placeholders.py",
    "scenarios/scenario.py",
    "targets",
    "tls.py",
)


@cache
def measuring_version() -> str:
    """``sha256:`` over the names and contents of these files; the same on every machine."""
    digest = hashlib.sha256()
    for path in measuring_files():
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{digest.hexdigest()}"


def measuring_files() -> Iterator[Path]:
    """The files that count, in order."""
    for name in _MEASURING:
        path = PACKAGE / name
        if path.is_dir():
            yield from sorted(known for known in path.iterdir() if known.suffix in (".py", ".toml"))
        else:
            yield path
