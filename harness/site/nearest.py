"""The nearest measured neighbours of what was not measured: by TLS library and versions.

They are other software than what was asked about, so every page names them as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.catalog.aliases import SoftwareName, software_names
from harness.catalog.versions import Version
from harness.errors import UsageError
from harness.site.site_index import SiteIndex
from harness.site.titles import client_versions, described_by
from harness.verdicts.verdict import image_versions

#: Neighbours of each kind that a page names.
MOST_NEIGHBOURS = 3
_NUMBER = re.compile(r"\d+(?:\.\d+)+[a-z]{0,2}")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A measured pair near an unmeasured one, and why it is near."""

    client: str
    build: str
    why: str


def nearest_pairs(index: SiteIndex, client: str, build: str) -> list[Neighbour]:
    """The same client with the nearest servers, then the nearest clients with the same server."""
    return [*_nearest_builds(index, client, build), *_nearest_clients(index, client, build)]


def software_near(index: SiteIndex, client: str) -> list[SoftwareName]:
    """The software that was not measured to which a client is one of the nearest."""
    return [name for name in software_names() if client in alias_neighbours(index, name)]


def alias_neighbours(index: SiteIndex, name: SoftwareName) -> list[str]:
    """The measured clients nearest to software that was not: those named, else by version."""
    measured = index.measured_clients
    named = [client for client in name.stand_ins if client in measured]
    if named:
        return named[:MOST_NEIGHBOURS]
    images = index.content.state
    same = [
        client
        for client in index.clients
        if client in measured and client_versions(images.image(client))[-1:] == (name.highest,)
    ]
    return same[:MOST_NEIGHBOURS]


def _nearest_builds(index: SiteIndex, client: str, build: str) -> Iterator[Neighbour]:
    state = index.content.state
    aim = image_versions(state.image(build))
    scored = []
    for other in index.measured_builds(client):
        versions = image_versions(state.image(other))
        scored.append(
            (_version_distance(aim[1], versions[1]), _version_distance(aim[0], versions[0]), other)
        )
    for openssl, postfix, other in sorted(scored)[:MOST_NEIGHBOURS]:
        why = "the same client; nearest OpenSSL" if openssl else "the same client and OpenSSL"
        if not postfix:
            why += ", the same Postfix"
        yield Neighbour(client, other, why)


def _nearest_clients(index: SiteIndex, client: str, build: str) -> Iterator[Neighbour]:
    state = index.content.state
    about, versions = _library_of(index, client)
    highest = client_versions(state.image(client))[-1:]
    scored = []
    for other in index.clients:
        if other == client or (other, build) not in index.pairs:
            continue
        library, number = _library_of(index, other)
        same_top = client_versions(state.image(other))[-1:] == highest
        scored.append((not same_top, library != about, _version_distance(versions, number), other))
    for other_top, other_library, _, other in sorted(scored)[:MOST_NEIGHBOURS]:
        if other_top and other_library:
            continue
        why = "the same server; "
        why += "the same newest TLS version" if not other_top else "another newest TLS version"
        why += ", another library" if other_library else ", the same library"
        yield Neighbour(other, build, why)


def _library_of(index: SiteIndex, client: str) -> tuple[str, Version | None]:
    described = described_by(index.content.state.image(client))
    match = _NUMBER.search(str(described.get("tls_version") or ""))
    return str(described.get("tls_library") or ""), _parse_version(match[0]) if match else None


def _parse_version(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except UsageError:
        return None


def _version_distance(first: Version | None, second: Version | None) -> int:
    """A number that is 0 for the same version, and larger the more significant the part is that
    differs; unknown versions are farthest."""
    if first is None or second is None:
        return 10**9
    left, right = (list(version.key[0]) + [0] * 4 for version in (first, second))
    weights = (1_000_000, 10_000, 100, 1)
    pairs = zip(left[:4], right[:4], weights, strict=True)
    numbers = sum(abs(a - b) * weight for a, b, weight in pairs)
    return 4 * numbers + (first != second)
