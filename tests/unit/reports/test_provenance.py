"""Where an image is from: nothing that is known is left out, and nothing is made to look better."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.images import labels as names
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import ImageInfo, ReadBack
from harness.reports.html import render_html
from harness.reports.markdown import render_markdown
from harness.reports.provenance import (
    build_provenances,
    describe_source,
    image_provenance,
    other_provenances,
)
from harness.reports.versions import openssl_version, postfix_version
from tests.unit import sample_images, sample_run

HEX = "ab" * 32
LABELS = sorted({value for key, value in vars(names).items()
                 if key.isupper() and value.startswith(("org.", names.PREFIX))})  # fmt: skip
versions = st.sampled_from(["", "3.0.20", "3.0.22", "1.1.1w"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A synthetic run with builds of every kind."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return load_run(sample_run.write_sample_run(folder, marked=True))


@given(st.dictionaries(st.sampled_from([*LABELS, "other"]), st.text("xyz 1", min_size=1)))
def test_no_label_is_left_out(labels: dict[str, str]) -> None:
    """Every label of the image is shown, as text or unchanged."""
    facts = image_provenance("b", ImageInfo("build", labels=labels)).facts
    text = "\n".join(fact.value for fact in facts)
    assert all(value in text for value in labels.values())
    assert all(fact.value for fact in facts)


@given(versions, versions, versions, versions)
def test_label_and_running_image_are_never_mixed_up(
    label: str, loaded: str, compiled: str, cli: str
) -> None:
    """What was read back counts; each version that differs from it is named; a lie is a doubt."""
    read = ReadBack(openssl_loaded=loaded, openssl_compiled=compiled, openssl_cli=cli)
    version = openssl_version(ImageInfo("build", openssl=label or None, read_back=read))
    assert version.number == (loaded or label)
    for other in {label, compiled, cli} - {"", version.number}:
        assert other in version.known
        assert other in version.brief
    assert ("by its label" in version.brief) == bool(label and not loaded)
    lies = bool(loaded and label and label != loaded)
    assert version.doubtful == (lies or cli not in ("", version.number))


@pytest.mark.parametrize(
    ("image", "known"),
    [
        (ImageInfo("build", postfix="3.7.11"), "by its label"),
        (ImageInfo("build", postfix="3.7.11", read_back=ReadBack("3.7.11")), "read back"),
        (ImageInfo("build", read_back=ReadBack("3.7.11")), "read back"),
        (ImageInfo("build", postfix="3.7.10", read_back=ReadBack("3.7.11")),
         "read back, its label says 3.7.10"),
    ],
)  # fmt: skip
def test_how_a_version_is_known_is_said(image: ImageInfo, known: str) -> None:
    """An older run folder's version is not passed off as read back."""
    version = postfix_version(image)
    assert (version.number, version.known) == ("3.7.11", known)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (f"postfix-3.7.11 sha256:{HEX} corroborated:4",
         f"postfix-3.7.11, sha256:{HEX}, 4 places"),
        (f"postfix-3.10.13 sha256:{HEX} corroborated:1",
         f"postfix-3.10.13, sha256:{HEX}, uncorroborated (1 place)"),
        (f"openssl-1.0.1e sha256:{HEX} corroborated:0, npm package nodegit@0.20.3",
         f"openssl-1.0.1e, sha256:{HEX}, computed here, published nowhere, "
         "npm package nodegit@0.20.3"),
        (f"postfix-3.1.0 sha256:{HEX} unverified, /home/me/src",
         f"postfix-3.1.0, sha256:{HEX}, unverified, /home/me/src"),
        ("openssl 4.0.3-1 of Debian sid", "openssl 4.0.3-1 of Debian sid"),
    ],
)  # fmt: skip
def test_a_source_is_told_with_its_hash_and_who_vouches(label: str, text: str) -> None:
    """The number of places that publish a hash is reported; so is a place that is not upstream."""
    assert describe_source(label) == text


def test_a_foreign_images_labels_are_only_claims() -> None:
    """Anybody can write a label, or inherit ours; what was read back from the image is a fact."""
    labels = {names.SOURCE: f"postfix-3.7.11 sha256:{HEX} corroborated:9",
              names.HOW: "from source", names.FRONT: "stunnel", names.RECIPE: HEX}  # fmt: skip
    read = ReadBack(postfix="3.7.11", packages="postfix 3.7.11-1")
    image = image_provenance("b", ImageInfo("build", labels=labels, foreign=True, read_back=read))
    assert image.origin == (
        "a user's image",
        "by its label: postfix-3.7.11, 9 places",
        "by its label: stunnel",
    )
    facts = {fact.title: fact.value for fact in image.facts}
    for title in ("source", "how it was made", "front", "recipe's hash"):
        assert facts[title].startswith("by its label: "), title
    assert facts["packages"] == "postfix 3.7.11-1"
    ours = image_provenance("b", ImageInfo("build", labels=labels, read_back=read))
    assert "by its label: " not in "\n".join(fact.value for fact in ours.facts)


def test_an_unverified_source_is_said_even_where_no_label_names_it() -> None:
    """A forged label cannot make a user's source look like the catalog's."""
    label = {names.SOURCE: f"postfix-3.1.0 sha256:{HEX} corroborated:4"}
    image = image_provenance("b", ImageInfo("build", labels=label, unverified=True))
    assert "a user's source, without a checksum of the catalog" in image.origin


def test_builds_come_in_the_tables_order_and_all_others_after(data: RunData) -> None:
    """Every image of the run is listed once."""
    builds, others = build_provenances(data.run), other_provenances(data.run)
    assert [build.name for build in builds] == [*sample_run.VERSIONS, *sample_images.MARKED]
    assert [other.name for other in others] == [*sample_run.CLIENTS, *sample_run.CONTROLS]
    assert {image.name for image in (*builds, *others)} == set(data.run.images)


def test_page_and_markdown_tell_where_each_image_is_from(data: RunData) -> None:
    """Versions, source with hash, base, packages, log and id: in the page all, in short in both."""
    page, text = unescape(render_html(data)), render_markdown(data)
    for image in (*build_provenances(data.run), *other_provenances(data.run)):
        assert all(line in page for fact in image.facts for line in fact.value.splitlines())
        for value in (
            image.image.reference,
            image.image.id,
            image.postfix.number,
            *image.origin,
        ):
            assert value in page
            assert value in text.replace("\\", "")
    assert sample_images.LOG_NAME in page
    assert "base-bookworm:ba5e00000000, sha256:" + "ba" * 32 in text


def test_hostile_provenance_is_only_text(data: RunData) -> None:
    """Labels and a client's description come from images that anyone may have made."""
    bad = "<img src=x onerror=alert(1)> | `x`"
    labels = {names.HOW: bad, names.ORIGIN: bad, "x": bad}
    image = replace(data.run.images["mine"], labels=labels, describe={"version": bad, "client": 7})
    hostile = replace(data, run=replace(data.run, images={"mine": image}))
    assert "<img" not in render_html(hostile)
    table = render_markdown(hostile).split("## Images")[1]
    assert "<img" not in table
    rows = [line for line in table.splitlines() if line.startswith("| mine ")]
    assert [row.replace("\\|", "").count("|") for row in rows] == [8]


def test_an_older_runs_images_are_listed(tmp_path: Path) -> None:
    """A run folder that knows nothing of read-back or sources is shown with what it has."""
    data = load_run(sample_run.write_sample_run(tmp_path / "run"))
    old = {name: ImageInfo(image.kind, image.reference, image.id, image.postfix, image.openssl)
           for name, image in data.run.images.items()}  # fmt: skip
    text = render_markdown(replace(data, run=replace(data.run, images=old)))
    assert "| debian-12 | 3.7.11 (by its label) | 3.0.17 (by its label) |" in text


def test_an_image_that_was_pulled_says_so() -> None:
    """Another machine built it: the reader sees the day, and the digest in the registry."""
    pulled = f"ghcr.io/example/postfix-matrix@sha256:{HEX}"
    labels = {names.OCI_CREATED: "2026-11-29T01:02:03+00:00", names.HOW: "packages"}
    shown = image_provenance("debian-12", ImageInfo("build", labels=labels, pulled=pulled))
    assert shown.origin == ("packages", "pulled, built elsewhere on 2026-11-29")
    assert ("pulled from", pulled) in [(fact.title, fact.value) for fact in shown.facts]
    built = image_provenance("debian-12", ImageInfo("build", labels=labels))
    assert built.origin == ("packages",)
    assert "pulled from" not in [fact.title for fact in built.facts]
