"""Add what `postconf -d` of the built images prints to the list of all parameters' names.

``python scripts/setting_names.py`` rewrites tests/unit/data/postconf-d.txt, and builds nothing. A
name that is new then needs an entry in harness/adaptation/settings.toml, which the unit tests ask
for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import docker
from docker.models.images import Image

from harness.adaptation.setting_kinds import deciding_name
from harness.catalog.versions import Version
from harness.conformance.image_checks import BUILD_KIND
from harness.docker_engine.session import connect
from harness.images import labels

LIST = Path(__file__).parents[1] / "tests/unit/data/postconf-d.txt"


@dataclass(frozen=True, slots=True)
class Span:
    """The releases that print a name: from ``first`` to ``last``; "" where the newest one does."""

    first: str
    last: str = ""

    def is_in(self, release: str) -> bool:
        """Whether a release has the name."""
        version = Version.parse(release)
        ended = bool(self.last) and Version.parse(self.last) < version
        return Version.parse(self.first) <= version and not ended


@dataclass(frozen=True, slots=True)
class NameList:
    """The list: its comment lines, the newest release that was read, and each name's releases."""

    comment: tuple[str, ...]
    newest: str
    spans: dict[str, Span]

    def __str__(self) -> str:
        names = (f"{n} {s.first} {s.last}".rstrip() for n, s in sorted(self.spans.items()))
        return "\n".join((*self.comment, f"newest {self.newest}", *names)) + "\n"


def read_list(text: str) -> NameList:
    """The list that :class:`NameList` writes."""
    lines = text.splitlines()
    comment = tuple(line for line in lines if line.startswith("#"))
    (_, newest), *rows = (line.split(" ", 1) for line in lines if not line.startswith("#"))
    return NameList(comment, newest, {name: Span(*span.split()) for name, span in rows})


def add_release(known: NameList, release: str, printed: Iterable[str]) -> NameList:
    """The list with the names that a release prints, without the limits of single transports."""
    names = {name for name in printed if deciding_name(name) in {name, None}}
    spans = {name: _widen_span(known, name, release, name in names) for name in known.spans}
    for name in names - spans.keys():
        spans[name] = Span(release, "" if _is_newest(known, release) else release)
    newest = release if _is_newest(known, release) else known.newest
    return replace(known, newest=newest, spans=spans)


def printed_names(text: str) -> list[str]:
    """The names in postconf(1)'s output; continuation lines of a value are indented."""
    return [line.split(" =")[0] for line in text.splitlines() if " =" in line and line[0] != " "]


def ask_image(client: docker.DockerClient, image: Image) -> str:
    """The output of `postconf -d` in an image."""
    output = client.containers.run(
        image, ["-d"], entrypoint="postconf", network_mode="none", remove=True
    )
    assert isinstance(output, bytes)
    return output.decode()


def _is_newest(known: NameList, release: str) -> bool:
    return Version.parse(release) >= Version.parse(known.newest)


def _widen_span(known: NameList, name: str, release: str, printed: bool) -> Span:
    span = known.spans[name]
    if not printed:
        ends = _is_newest(known, release) and not span.last and release != known.newest
        return replace(span, last=known.newest) if ends else span
    first = min(span.first, release, key=Version.parse)
    last = span.last and max(span.last, release, key=Version.parse)
    return Span(first, "" if _is_newest(known, release) else last)


def main() -> int:
    """Read the names of each built image; prints how many each adds."""
    client = connect()
    known = read_list(LIST.read_text("utf-8"))
    for image in client.images.list(filters={"label": f"{labels.KIND}={BUILD_KIND}"}):
        release = str(image.labels[labels.POSTFIX])
        grown = add_release(known, release, printed_names(ask_image(client, image)))
        added = len(grown.spans) - len(known.spans)
        print(f"{image.labels[labels.BUILD]}: {added} new names of Postfix {release}")
        known = grown
    LIST.write_text(str(known), "utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except docker.errors.DockerException as error:
        sys.exit(f"setting_names: {error}; is a Docker engine running, and are builds made?")
