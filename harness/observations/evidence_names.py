"""The names of the evidence files in a run folder; every place that writes or reads one asks here.

A run folder is stored as a CI's artifact, copied and unpacked on other systems. So a file's or
folder's name has only letters, digits and ``._+-`` (GitHub refuses an artifact with ``:`` in a
path, NTFS also ``"*<>?|``), at most 100 bytes, and two names never differ in letter case only
(NTFS, APFS). The name that says what the file is stays as it is where it keeps these rules.
"""

from __future__ import annotations

import hashlib
import re

#: A name without its ending, in bytes: with ``.json`` and, while it is written, ``.tmp`` after it,
#: it has at most 100.
LONGEST_NAME = 91
_DIGEST_LENGTH = 12
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9._+-]+")
#: Where an offer names a protocol (``smtp.openssl-1.0.2h.TLSv1..TLSv1.2``), in lower case. There,
#: and nowhere else, a name without a digest has capitals.
_PROTOCOL = re.compile(r"(?<=\.)(?:tls|ssl)(?=v[0-9])")
#: Names of devices on Windows, also with an ending ("Naming Files, Paths, and Namespaces").
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)")


def evidence_path(cell_id: str) -> str:
    """Where a cell's evidence is written, relative to the run folder.

    An observation names its file, so that the files of earlier versions are still read.
    """
    build, scenario, service, client, offer = cell_id.split("/")
    joined = f"{service}.{client}.{offer}"
    # A client's name may have dots; a service's with one (127.0.0.1:25) would join ambiguously.
    plain = "." not in service and _fits_everywhere(joined)
    file = joined if plain else _add_digest(joined, f"{service}/{client}/{offer}")
    return f"evidence/{make_file_name(build)}/{make_file_name(scenario)}/{file}.json"


def again_path(earlier: str) -> str:
    """Where a cell's evidence is written that has a file, ``earlier``: evidence-2/…, and so on."""
    folder, _, file = earlier.partition("/")
    number = folder.partition("-")[2]
    return f"evidence-{int(number) + 1 if number.isdigit() else 2}/{file}"


def instance_path(build: str, scenario: str) -> str:
    """Where an instance's evidence is written, relative to the run folder."""
    return f"instances/{make_file_name(build)}/{make_file_name(scenario)}.json"


def earlier_instance_path(build: str, scenario: str) -> str:
    """Where version 0.1 wrote an instance's evidence: under the names as they are."""
    return f"instances/{build}/{scenario}.json"


def make_file_name(name: str) -> str:
    """The name where every system can have it beside any other; else a part of it, and a digest."""
    return name if _fits_everywhere(name) else _add_digest(name, name)


def _add_digest(name: str, identity: str) -> str:
    """The readable part of a name, and a digest of what it stands for."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST_LENGTH]
    readable = _NOT_ALLOWED.sub("-", name)[: LONGEST_NAME - _DIGEST_LENGTH - 2].strip(".-")
    if _DEVICE.match(readable.lower()):
        readable = f"_{readable}"
    return f"{readable}-{digest}" if readable else digest


def _fits_everywhere(name: str) -> bool:
    """Whether a name is allowed as it is, and differs from every other such name in any case."""
    return (
        0 < len(name) <= LONGEST_NAME
        and not _NOT_ALLOWED.search(name)
        and not name.startswith(".")
        and not name.endswith(".")
        and not _DEVICE.match(name.lower())
        and name == _PROTOCOL.sub(lambda match: match[0].upper(), name.lower())
    )
