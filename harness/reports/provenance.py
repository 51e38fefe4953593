"""Where each image is from: its versions, its source, its base, and the image's bytes.

What a label says is kept apart from what the running image reported, and a hash that only the user
knows is never shown as one that independent places publish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.catalog.checksum_trust import describe_corroboration
from harness.images import labels as names
from harness.observations.licence import citation
from harness.observations.project_url import project_url
from harness.observations.run_json import ImageInfo, ReadBack, RunRecord
from harness.reports.labels import build_notes
from harness.reports.versions import ImageVersion, openssl_version, postfix_version

_SUITE = names.PREFIX + "suite"
# What harness.images.stamping writes: "postfix-3.7.11 sha256:HEX corroborated:1", followed by
# ", PLACE" where the source was a part of an archive; for a user's source it ends in
# "unverified, PATH" instead.
_SOURCE = re.compile(r"(?P<release>\S+) sha256:(?P<hash>[0-9a-f]{64}) (?P<vouched>.+)")
_CORROBORATED = re.compile(r"corroborated:(?P<places>\d+)(?P<place>, .+)?")
#: Labels that the facts describe in other words, and those whose value they contain.
_DESCRIBED = frozenset({names.SOURCE, names.OPENSSL_SOURCE})
_CONTAINED = frozenset({
    names.HOW, names.PACKAGES, names.ORIGIN, _SUITE, names.RECIPE, names.FRONT, names.FLAVOUR,
    names.POSTFIX, names.OPENSSL, names.OCI_CREATED, names.OCI_BASE_NAME, names.OCI_BASE_DIGEST,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of an image's provenance; ``literal``: to be shown verbatim."""

    title: str
    value: str
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Provenance:
    """One image. ``origin`` says in a line or two what it is made from; ``facts`` have it all."""

    name: str
    image: ImageInfo
    postfix: ImageVersion
    openssl: ImageVersion
    origin: tuple[str, ...]
    facts: tuple[Fact, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes to show beside its name."""
        return build_notes(self.image)


def build_provenances(run: RunRecord) -> tuple[Provenance, ...]:
    """The builds under test, in the order of the run's tables."""
    images = {name: image for name, image in run.images.items() if image.kind == "build"}
    ordered = {name: images[name] for name in run.axes.builds if name in images} | images
    return tuple(image_provenance(name, image) for name, image in ordered.items())


def other_provenances(run: RunRecord) -> tuple[Provenance, ...]:
    """Clients, controls and other helpers; clients in the order of the run's axis."""
    images = {name: image for name, image in run.images.items() if image.kind != "build"}
    clients = {name: images[name] for name in run.axes.clients if name in images}
    ordered = dict(sorted(images.items(), key=lambda item: (item[1].kind, item[0])))
    return tuple(image_provenance(name, image) for name, image in (clients | ordered).items())


def image_provenance(name: str, image: ImageInfo) -> Provenance:
    """What is known of one image."""
    return Provenance(
        name,
        image,
        postfix_version(image),
        openssl_version(image),
        tuple(_origin_lines(image)),
        _collect_facts(image),
    )


def describe_source(label: str) -> str:
    """A source's label as text, with its full hash; a label of another form unchanged."""
    match = _SOURCE.fullmatch(label)
    if match is None:
        return label
    return (
        f"{match['release']}, sha256:{match['hash']}, {_describe_corroboration(match['vouched'])}"
    )


def _origin_lines(image: ImageInfo) -> Iterator[str]:
    labels = image.labels
    if image.foreign:
        yield "a user's image"
    sources = [labels[key] for key in (names.SOURCE, names.OPENSSL_SOURCE) if key in labels]
    if names.REPLACES in labels:
        yield _mark_label(image, f"the distribution's own packages{_suite_text(labels)}")
    for label in sources:
        match = _SOURCE.fullmatch(label)
        text = (
            f"{match['release']}, {_describe_corroboration(match['vouched'])}" if match else label
        )
        yield _mark_label(image, text)
    if image.unverified and not any(" unverified" in label for label in sources):
        yield "a user's source, without a checksum of the catalog"
    if names.FRONT in labels:
        yield _mark_label(image, labels[names.FRONT])
    if image.kind == "sasl":
        yield "Dovecot, which checks the clients' logins"
    if description := ", ".join(fact.value for fact in _driver_facts(image) if fact.value):
        yield description
    if not (sources or image.foreign or image.unverified) and labels.get(names.HOW):
        yield f"{labels[names.HOW]}{_suite_text(labels)}"
    if image.pulled:
        created = labels.get(names.OCI_CREATED, "")[:10]
        yield f"pulled, built elsewhere on {created or 'an unknown day'}"


def _mark_label(image: ImageInfo, text: str) -> str:
    """A label's text. Anyone can write the labels of a user's image, or inherit ours."""
    return f"by its label: {text}" if image.foreign and text else text


def _suite_text(labels: Mapping[str, str]) -> str:
    return f" ({labels[_SUITE]})" if _SUITE in labels else ""


def _describe_corroboration(text: str) -> str:
    match = _CORROBORATED.fullmatch(text)
    if match is None:
        return text
    return f"{describe_corroboration(int(match['places']))}{match['place'] or ''}"


def _collect_facts(image: ImageInfo) -> tuple[Fact, ...]:
    """All facts that have a value; labels that no fact contains come last."""
    facts = [fact for fact in _every_fact(image) if fact.value]
    others = "\n".join(
        f"{key}={value}"
        for key, value in sorted(image.labels.items())
        if key not in _DESCRIBED
        and not (key in _CONTAINED and any(value in fact.value for fact in facts))
    )
    return (*facts, Fact("other labels", others, literal=True)) if others else tuple(facts)


def _every_fact(image: ImageInfo) -> Iterator[Fact]:
    read = image.read_back or ReadBack()

    def label(key: str) -> str:
        value = image.labels.get(key, "")
        return _mark_label(image, describe_source(value) if key in _DESCRIBED else value)

    yield Fact("how it was made", label(names.HOW))
    yield Fact("OpenSSL's flavour", image.flavour or label(names.FLAVOUR))
    yield Fact("versions by its label", _versions_by_label(image))
    yield Fact("versions read back", _versions_read_back(read))
    yield Fact("source", label(names.SOURCE), literal=True)
    yield Fact("OpenSSL's source", label(names.OPENSSL_SOURCE), literal=True)
    yield Fact("front", label(names.FRONT))
    yield Fact("packages", read.packages or label(names.PACKAGES))
    yield Fact("system's OpenSSL policy", read.system_policy)
    yield Fact("base image", label(names.OCI_BASE_NAME), literal=True)
    yield Fact("base image's digest", label(names.OCI_BASE_DIGEST), literal=True)
    yield Fact("base system from", f"{label(names.ORIGIN)}{_suite_text(image.labels)}".strip())
    yield Fact("created", label(names.OCI_CREATED))
    yield from _driver_facts(image)
    yield Fact("pulled from", image.pulled or "", literal=True)
    yield Fact("image", image.reference, literal=True)
    yield Fact("image's id", image.id, literal=True)
    yield Fact("recipe's hash", label(names.RECIPE), literal=True)
    yield Fact("build log", _build_log_text(image), literal=True)


def _versions_by_label(image: ImageInfo) -> str:
    versions = {
        "Postfix": image.labels.get(names.POSTFIX) or image.postfix,
        "OpenSSL": image.labels.get(names.OPENSSL) or image.openssl,
    }
    return ", ".join(f"{product} {version}" for product, version in versions.items() if version)


def _versions_read_back(read: ReadBack) -> str:
    versions = {
        "Postfix": read.postfix,
        "compiled with OpenSSL": read.openssl_compiled,
        "loads OpenSSL": read.openssl_loaded,
        "openssl(1) is": read.openssl_cli,
    }
    return ", ".join(f"{title} {version}" for title, version in versions.items() if version)


def _driver_facts(image: ImageInfo) -> Iterator[Fact]:
    """What a client's driver reports; its content is not trusted, so only text is used."""
    description = image.describe or {}
    client, version = (str(description.get(key) or "") for key in ("client", "version"))
    yield Fact("client", client if version in client else f"{client} {version}".strip())
    yield Fact("TLS library", str(description.get("tls_version") or ""))


def _build_log_text(image: ImageInfo) -> str:
    if not image.build_log:
        return ""
    return f"{image.build_log} (in logs/ of the cache of the machine that built it)"


def how_to_cite(run: RunRecord) -> str:
    """The citation line, with the project's address where it has one.

    A run of an earlier version has no line of its own.
    """
    tool = f"{run.tool.name} {run.tool.version}".strip()
    text = run.citation or citation(tool, run.id, run.started, run.licence)
    url = project_url()
    return f"{text}. {url}" if url else text
