"""The image contract's conformance test on real images: a good one, and one for every fault."""

from __future__ import annotations

import io
import re
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import platformdirs
import pytest
from docker.errors import DockerException

from harness.catalog.builds import Build, base_suite
from harness.catalog.releases import find_release
from harness.conformance.image_checks import (
    REQUIREMENTS,
    CheckVerdict,
    ImageReport,
)
from harness.conformance.image_examination import (
    examine_image,
    examine_image_once,
)
from harness.docker_engine.cancel import (
    Cancel,
    Cancelled,
)
from harness.docker_engine.session import (
    LABEL_RUN,
    DockerSession,
)
from harness.errors import ContractError, HarnessError, InfrastructureError
from harness.images import labels as names
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.provenance import read_versions
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import SOURCE_FILE, base_recipe, build_recipe, toolchain_recipe
from harness.paths import images_dir
from harness.targets.lab import Lab
from tests.docker.conformance_faults import BARE, FAULTS, ONLY_LISTED, PREPARED, Fault

pytestmark = pytest.mark.docker

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "image-contract.md"
#: On every image that a test makes, so that all of them can be removed again.
TEST_LABEL = "org.postfix-matrix.test"
DEBIAN_12 = build_recipe(Build.parse("debian-12"))


class Workshop:
    """Images that stand on others, and a laboratory to examine them in."""

    def __init__(
        self, client: docker.DockerClient, session: DockerSession, lab: Lab, mark: str
    ) -> None:
        self.client, self.session, self.lab = client, session, lab
        self._mark = mark

    def derive(self, base: str, lines: str) -> str:
        """The id of an image that these lines make on another one."""
        return self.build(f"FROM {base}\n{lines}\n")

    def build(self, dockerfile: str, **args: str) -> str:
        """The id of an image that needs no file but its Dockerfile."""
        image, _ = self.client.images.build(
            fileobj=io.BytesIO(dockerfile.encode()),
            buildargs=args,
            labels={TEST_LABEL: self._mark},
            rm=True,
            forcerm=True,
        )
        return str(image.id)

    def leftovers(self) -> list[Any]:
        """The session's containers."""
        return self.client.containers.list(
            all=True, filters={"label": f"{LABEL_RUN}={self.session.id}"}, ignore_removed=True
        )


@pytest.fixture(scope="module")
def shop(engine: docker.DockerClient) -> ImageBuilder:
    """The harness's own images."""
    cache = Path(platformdirs.user_cache_dir("postfix-matrix"))
    return ImageBuilder(engine, images_dir=images_dir(), cache_dir=cache, on_step=lambda *_: None)


@pytest.fixture(scope="module")
def good(shop: ImageBuilder) -> Image:
    """The debian-12 build."""
    return shop.ensure(DEBIAN_12)


@pytest.fixture(scope="module")
def workshop(
    engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    """A laboratory; the images that are made here are removed in the end."""
    mark = secrets.token_hex(8)
    state = tmp_path_factory.mktemp("sessions")
    with DockerSession(engine, state_dir=state) as session, Lab(session) as lab:
        yield Workshop(engine, session, lab, mark)
    for image in engine.images.list(all=True, filters={"label": f"{TEST_LABEL}={mark}"}):
        with suppress(DockerException):
            engine.images.remove(str(image.id), force=True)


@pytest.fixture(scope="module")
def prepared(workshop: Workshop, good: Image) -> str:
    """The id of the image that faults are put into."""
    return workshop.derive(good.id, PREPARED)


@pytest.fixture(scope="module")
def reports(workshop: Workshop, prepared: str) -> dict[str, ImageReport]:
    """What each fault's image came to, several at a time, since some have to wait for a log."""

    def one(fault: Fault) -> ImageReport:
        return examine_image(workshop.lab, workshop.derive(prepared, fault.lines))

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(FAULTS, pool.map(one, FAULTS.values()), strict=True))


@pytest.fixture(scope="module")
def bare(shop: ImageBuilder, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Debian's Postfix with postconf and smtpd of a build without TLS and SASL, in /bare.

    Compiled once: the shop has it after that.
    """
    folder = tmp_path_factory.mktemp("bare")
    (folder / "Dockerfile").write_text(BARE)
    toolchain, postfix = toolchain_recipe(base_suite()), find_release("postfix", "3.7.11")
    return shop.ensure(
        Recipe(
            "test-bare-postfix",
            RecipeKind.PART,
            str(folder),
            parents={"TOOLCHAIN": toolchain, "POSTFIX": DEBIAN_12},
            sources={SOURCE_FILE: postfix},
        )
    )


def failed(report: ImageReport) -> list[str]:
    """Names of the checks that failed."""
    return [check.name for check in report.failures]


def found(report: ImageReport, name: str) -> str:
    """What was found for a check."""
    return next(check.found for check in report.checks if check.name == name)


def test_our_own_image_passes_every_check(workshop: Workshop, good: Image) -> None:
    """The contract is one that a real image can keep, and the good one's versions are told."""
    report = examine_image(workshop.lab, good.reference)
    assert failed(report) == []
    assert report.ok
    assert report.id == good.id
    assert report.versions is not None
    assert report.versions.postfix == good.labels[names.POSTFIX]
    assert workshop.leftovers() == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused_with_its_reason_and_no_other(
    reports: dict[str, ImageReport], name: str
) -> None:
    """What is wrong is named, exactly; what follows from it is not held against the image."""
    report, fault = reports[name], FAULTS[name]
    assert failed(report) == list(fault.reasons)
    for check, reason in fault.reasons.items():
        assert re.search(reason, found(report, check), re.DOTALL), found(report, check)
    assert all(check.advice for check in report.failures)
    with pytest.raises(ContractError):
        report.raise_if_failed()


def test_what_follows_from_a_fault_says_from_which(reports: dict[str, ImageReport]) -> None:
    """The reader of a report without syslog, or without postconf, sees one cause."""
    for name, cause in (("no-syslog", "syslog"), ("no-postconf", "postconf"), ("exits", "command")):
        rest = [one for one in reports[name].checks if one.verdict is CheckVerdict.NOT_CHECKED]
        assert rest, name
        assert {one.found for one in rest} == {f"needs {cause}"}


def test_nothing_that_was_started_stays(
    workshop: Workshop, reports: dict[str, ImageReport]
) -> None:
    """Also of images whose command does not start, dies or never logs, no container is left."""
    assert len(reports) == len(FAULTS)
    assert workshop.leftovers() == []


def test_a_postfix_without_tls_and_sasl_is_refused(workshop: Workshop, bare: Image) -> None:
    """A Postfix that was built without TLS has nothing that could be measured."""
    lines = "RUN mv /bare/postconf /usr/sbin/ && mv /bare/smtpd /usr/lib/postfix/sbin/"
    report = examine_image(workshop.lab, workshop.derive(bare.id, f"{lines}\n{_labels(bare)}"))
    assert failed(report) == ["sasl", "tls"]
    assert found(report, "tls").startswith("smtpd has no TLS")
    assert found(report, "sasl") == "postconf -a lists nothing"
    assert found(report, "starttls") == "needs tls"


def test_an_smtpd_without_tls_is_not_hidden_by_its_postconf(
    workshop: Workshop, bare: Image
) -> None:
    """postconf speaks for another program: a smtpd of another build is found out by talking."""
    lines = "RUN mv /bare/smtpd /usr/lib/postfix/sbin/"
    report = examine_image(workshop.lab, workshop.derive(bare.id, f"{lines}\n{_labels(bare)}"))
    assert failed(report) == ["starttls"]
    assert "TLS support is not compiled in" in found(report, "starttls")


def test_every_check_has_been_seen_to_fail() -> None:
    """A check that nothing fails proves nothing; the two of a bare Postfix are above."""
    seen = {name for fault in FAULTS.values() for name in fault.reasons} | {"sasl", "tls"}
    assert seen == {one.name for one in REQUIREMENTS}


def test_the_listed_tools_suffice_and_busyboxs_will_do(workshop: Workshop, prepared: str) -> None:
    """With no other program on PATH an image passes, so the contract's list of them is whole."""
    report = examine_image(workshop.lab, workshop.derive(prepared, ONLY_LISTED))
    assert failed(report) == []
    assert report.ok


def test_the_documents_dockerfile_makes_an_image_that_passes(
    workshop: Workshop, shop: ImageBuilder
) -> None:
    """Who follows the document gets an image that can be tested, once its labels are true."""
    text = DOCUMENT.read_text("utf-8").partition("```dockerfile\n")[2].partition("```")[0]
    first, _, rest = text.partition("\n")
    assert first == f"FROM debian:{base_suite()}-slim"
    base = shop.ensure(base_recipe(base_suite())).reference
    dockerfile = f"FROM {base}\n{rest}"
    # The packages may be newer than the document; what they are is read back, and claimed.
    image = workshop.build(dockerfile)
    real = read_versions(workshop.client, image, labels=workshop.session.labels)
    true = workshop.build(dockerfile, POSTFIX=real.postfix, OPENSSL=real.openssl_loaded)
    report = examine_image(workshop.lab, true)
    assert failed(report) == []
    assert report.ok


def test_an_image_that_is_not_there_is_told_with_what_to_do(workshop: Workshop) -> None:
    """A mistyped reference is no verdict on an image."""
    with pytest.raises(InfrastructureError, match="there is no image") as caught:
        examine_image(workshop.lab, "localhost:1/postfix-matrix-test:none")
    assert caught.value.next_step


def test_an_image_that_passed_is_believed_and_one_that_failed_is_not(
    workshop: Workshop, good: Image, tmp_path: Path
) -> None:
    """An image is examined once for all runs, but whoever repairs one is not told old news."""
    report = examine_image_once(workshop.lab, good.reference, tmp_path)
    (record,) = (tmp_path / "checked").iterdir()
    assert examine_image_once(workshop.lab, good.reference, tmp_path) == report
    # The second time nothing was asked but the record.
    record.write_text(record.read_text().replace("all there", "as before"))
    assert found(examine_image_once(workshop.lab, good.id, tmp_path), "tools") == "as before"
    # A record that was cut off counts for nothing.
    record.write_text(record.read_text()[:-20])
    again = examine_image_once(workshop.lab, good.reference, tmp_path)
    assert again.ok
    assert found(again, "tools") == "all there"
    spoilt = workshop.derive(good.id, FAULTS["no-postconf"].lines)
    assert failed(examine_image_once(workshop.lab, spoilt, tmp_path)) == ["postconf"]
    assert [one.name for one in (tmp_path / "checked").iterdir()] == [record.name]


def test_an_examination_can_be_broken_off(workshop: Workshop, good: Image) -> None:
    """Ctrl-C while a log line is being waited for ends it soon, and nothing is left."""
    silent = workshop.derive(good.id, FAULTS["no-syslog"].lines)
    cancel, errors = Cancel(), list[HarnessError]()

    def run() -> None:
        try:
            examine_image(workshop.lab, silent, cancel=cancel)
        except HarnessError as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert _until(lambda: any("check-" in str(one.name) for one in workshop.leftovers()))
    cancel.set()
    thread.join(10)
    assert not thread.is_alive()
    assert [type(error) for error in errors] == [Cancelled]
    assert workshop.leftovers() == []


def _labels(image: Image) -> str:
    """LABEL lines by which an image of parts claims to be the debian-12 build again."""
    return f"LABEL {names.KIND}=build {names.CONTRACT}={image.labels[names.CONTRACT]}"


def _until(condition: Any, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
