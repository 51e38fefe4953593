"""Where each image is from, as a doubter asks it: versions, source, base, the image's bytes. Pure.

What a label says and what was read back from the running image are told apart, and a hash that
nobody else vouches for is never passed off as one that others do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.catalog.corroboration import corroboration
from harness.images import labels as names
from harness.observations.run_folder import (
    ImageInfo,
    ReadBack,
    RunRecord,
)
from harness.reports.labels import build_notes
from harness.reports.versions import ImageVersion, openssl_version, postfix_version

_SUITE = names.PREFIX + "suite"
# What harness.images.stamping writes: "postfix-3.7.11 sha256:HEX corroborated:1", with ", PLACE"
# behind it where the source was a part of something else; for a source of the user's it ends in
# "unverified, PATH" instead.
_SOURCE = re.compile(r"(?P<release>\S+) sha256:(?P<hash>[0-9a-f]{64}) (?P<vouched>.+)")
_CORROBORATED = re.compile(r"corroborated:(?P<places>\d+)(?P<place>, .+)?")
#: Labels that the facts spell out in words of their own, and those whose value they have.
_SPELT = frozenset({names.SOURCE, names.OPENSSL_SOURCE})
_SHOWN = frozenset({
    names.HOW, names.PACKAGES, names.ORIGIN, _SUITE, names.RECIPE, names.FRONT, names.FLAVOUR,
    names.POSTFIX, names.OPENSSL, names.OCI_CREATED, names.OCI_BASE_NAME, names.OCI_BASE_DIGEST,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of an image's provenance; ``literal``: to be shown letter by letter."""

    title: str
    value: str
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Provenance:
    """One image. ``whence`` says in a line or two what it is made from; ``facts`` have it all."""

    name: str
    image: ImageInfo
    postfix: ImageVersion
    openssl: ImageVersion
    whence: tuple[str, ...]
    facts: tuple[Fact, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known beside its name."""
        return build_notes(self.image)


def builds(run: RunRecord) -> tuple[Provenance, ...]:
    """The builds under test, in the order of the run's tables."""
    found = {name: image for name, image in run.images.items() if image.kind == "build"}
    ordered = {name: found[name] for name in run.axes.builds if name in found} | found
    return tuple(provenance(name, image) for name, image in ordered.items())


def others(run: RunRecord) -> tuple[Provenance, ...]:
    """Clients, controls and what else helped, clients in the order of the run's axis."""
    found = {name: image for name, image in run.images.items() if image.kind != "build"}
    clients = {name: found[name] for name in run.axes.clients if name in found}
    rest = dict(sorted(found.items(), key=lambda item: (item[1].kind, item[0])))
    return tuple(provenance(name, image) for name, image in (clients | rest).items())


def provenance(name: str, image: ImageInfo) -> Provenance:
    """What is known of one image."""
    return Provenance(
        name,
        image,
        postfix_version(image),
        openssl_version(image),
        tuple(_whence(image)),
        _facts(image),
    )


def source_words(label: str) -> str:
    """A source's label in words, with its whole hash; a label of another form as it is."""
    match = _SOURCE.fullmatch(label)
    if match is None:
        return label
    return f"{match['release']}, sha256:{match['hash']}, {_vouched(match['vouched'])}"


def _whence(image: ImageInfo) -> Iterator[str]:
    labels = image.labels
    if image.foreign:
        yield "an image of the user's own"
    sources = [labels[key] for key in (names.SOURCE, names.OPENSSL_SOURCE) if key in labels]
    for label in sources:
        match = _SOURCE.fullmatch(label)
        words = f"{match['release']}, {_vouched(match['vouched'])}" if match else label
        yield _claimed(image, words)
    if image.unverified and not any(" unverified" in label for label in sources):
        yield "a source of the user's own, which nothing vouches for"
    if names.FRONT in labels:
        yield _claimed(image, labels[names.FRONT])
    if image.kind == "sasl":
        yield "Dovecot, which checks the clients' logins"
    if said := ", ".join(fact.value for fact in _described(image) if fact.value):
        yield said
    if not (sources or image.foreign or image.unverified) and labels.get(names.HOW):
        yield f"{labels[names.HOW]}{_of_suite(labels)}"


def _claimed(image: ImageInfo, words: str) -> str:
    """A label's words. Anybody can write a foreign image's labels, or inherit ours."""
    return f"by its label: {words}" if image.foreign and words else words


def _of_suite(labels: Mapping[str, str]) -> str:
    return f" ({labels[_SUITE]})" if _SUITE in labels else ""


def _vouched(words: str) -> str:
    match = _CORROBORATED.fullmatch(words)
    if match is None:
        return words
    return f"{corroboration(int(match['places']))}{match['place'] or ''}"


def _facts(image: ImageInfo) -> tuple[Fact, ...]:
    """All that there is, without what nothing says; labels that nothing else tells come last."""
    facts = [fact for fact in _told(image) if fact.value]
    rest = "\n".join(
        f"{key}={value}"
        for key, value in sorted(image.labels.items())
        if key not in _SPELT and not (key in _SHOWN and any(value in fact.value for fact in facts))
    )
    return (*facts, Fact("other labels", rest, literal=True)) if rest else tuple(facts)


def _told(image: ImageInfo) -> Iterator[Fact]:
    read = image.read_back or ReadBack()

    def said(key: str) -> str:
        value = image.labels.get(key, "")
        return _claimed(image, source_words(value) if key in _SPELT else value)

    yield Fact("how it was made", said(names.HOW))
    yield Fact("OpenSSL's flavour", image.flavour or said(names.FLAVOUR))
    yield Fact("versions by its label", _versions(image))
    yield Fact("versions read back", _read_back(read))
    yield Fact("source", said(names.SOURCE), literal=True)
    yield Fact("OpenSSL's source", said(names.OPENSSL_SOURCE), literal=True)
    yield Fact("front", said(names.FRONT))
    yield Fact("packages", read.packages or said(names.PACKAGES))
    yield Fact("base image", said(names.OCI_BASE_NAME), literal=True)
    yield Fact("base image's digest", said(names.OCI_BASE_DIGEST), literal=True)
    yield Fact("base system from", f"{said(names.ORIGIN)}{_of_suite(image.labels)}".strip())
    yield Fact("created", said(names.OCI_CREATED))
    yield from _described(image)
    yield Fact("image", image.reference, literal=True)
    yield Fact("image's id", image.id, literal=True)
    yield Fact("recipe's hash", said(names.RECIPE), literal=True)
    yield Fact("build log", _build_log(image), literal=True)


def _versions(image: ImageInfo) -> str:
    said = {
        "Postfix": image.labels.get(names.POSTFIX) or image.postfix,
        "OpenSSL": image.labels.get(names.OPENSSL) or image.openssl,
    }
    return ", ".join(f"{product} {version}" for product, version in said.items() if version)


def _read_back(read: ReadBack) -> str:
    said = {
        "Postfix": read.postfix,
        "compiled with OpenSSL": read.openssl_compiled,
        "loads OpenSSL": read.openssl_loaded,
        "openssl(1) is": read.openssl_cli,
    }
    return ", ".join(f"{words} {version}" for words, version in said.items() if version)


def _described(image: ImageInfo) -> Iterator[Fact]:
    """What a client's driver says of itself; an outsider's words, so only text is taken."""
    said = image.describe or {}
    client, version = (str(said.get(key) or "") for key in ("client", "version"))
    yield Fact("client", client if version in client else f"{client} {version}".strip())
    yield Fact("TLS library", str(said.get("tls_version") or ""))


def _build_log(image: ImageInfo) -> str:
    if not image.build_log:
        return ""
    return f"{image.build_log} (on the machine that built it)"
