"""Whether the places answer that images are made from: a HEAD request each, with a time limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from harness.catalog.builds import Build
from harness.catalog.pools import find_pool
from harness.catalog.releases import Release, Source, SourceKind
from harness.diagnosis.machine_finding import MachineFinding, MachineStanding
from harness.sources.place_checks import check_place

_NPM, _PYPI, _IMAGES = (
    ("npm's registry", "https://registry.npmjs.org/", "packages of clients on Node.js"),
    ("PyPI", "https://pypi.org/simple/pip/", "packages of clients on Python"),
    ("Docker Hub", "https://registry-1.docker.io/v2/", "base images; mmdebstrap can make them too"),
)


@dataclass(frozen=True, slots=True)
class NeededPlace:
    """A place by its name, a URL there, and what comes from it."""

    name: str
    url: str
    gives: str


def list_places(builds: Iterable[Build]) -> tuple[NeededPlace, ...]:
    """The package archives and registries, and the hosts of the sources of these builds."""
    places = [
        NeededPlace("Debian's archive", find_pool("debian").folders[0] + "/", "packages, sources"),
        NeededPlace("Ubuntu's archive", find_pool("ubuntu").folders[0] + "/", "packages, sources"),
        NeededPlace(*_IMAGES),
        NeededPlace(*_NPM),
        NeededPlace(*_PYPI),
    ]
    for build in builds:
        linked = build.openssl.of if build.openssl is not None else None
        for release in (build.postfix, linked):
            sources = release.sources if isinstance(release, Release) else ()
            places += [_place_of(source) for source in sources if _is_on_the_web(source)]
    return tuple({place.name: place for place in reversed(places)}.values())[::-1]


def _is_on_the_web(source: Source) -> bool:
    return source.kind is SourceKind.URL and source.url.startswith("http")


def _place_of(source: Source) -> NeededPlace:
    host = source.url.split("/")[2]
    return NeededPlace(host, source.url, "releases of Postfix or OpenSSL")


def check_places(places: Iterable[NeededPlace], *, is_needed: bool) -> Iterator[MachineFinding]:
    """One finding for the places that answer, and one for each reason why others do not.

    ``is_needed``: there are images to be made, so that a place that does not answer is missed.
    """
    every = tuple(places)
    with ThreadPoolExecutor(max(1, len(every))) as pool:
        answers = list(pool.map(lambda place: check_place(place.url), every))
    reached = [place.name for place, why in zip(every, answers, strict=True) if not why]
    if reached:
        yield MachineFinding("network", MachineStanding.OK, f"reached: {', '.join(reached)}")
    by_reason: dict[str, list[NeededPlace]] = {}
    for place, why in zip(every, answers, strict=True):
        if why:
            by_reason.setdefault(why, []).append(place)
    for why, lost in by_reason.items():
        by_kind: dict[str, list[str]] = {}
        for place in lost:
            by_kind.setdefault(place.gives, []).append(place.name)
        names = "; ".join(f"{', '.join(hosts)} ({gives})" for gives, hosts in by_kind.items())
        text = f"not reached, {why}: {names}"
        if is_needed:
            standing = MachineStanding.WARNING if reached else MachineStanding.FAILED
            step = (
                "'postfix-matrix images list --reachable' shows which releases this affects; "
                "--mirror URL or --registry NAME stands in for a place"
            )
            yield MachineFinding("network", standing, text, step)
        else:
            yield MachineFinding(
                "network", MachineStanding.OK, f"{text}; no image of a default run needs it"
            )
