"""The scripts of action.yml with a real engine, and the run folders that a CI has to keep."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.ci_steps import Step, check_artifact_paths
from tests.docker.conftest import Finished

pytestmark = pytest.mark.docker
#: The third line excludes TLSv1 from nothing that a service of level "may" uses.
CANDIDATE = """\
smtpd_tls_security_level = may
smtpd_tls_chain_files = /etc/postfix/key.pem, /etc/postfix/cert.pem
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_protocols = >=TLSv1
tls_config_file = none
smtpd_tls_ciphers = low
tls_low_cipherlist = ALL:@SECLEVEL=0
"""
SELECTION = {
    "INPUT_BUILDS": "debian-12",
    "INPUT_CLIENTS": "openssl-1.0.2h",
    "INPUT_SERVICES": "smtp",
}
IMAGE = "postfix-matrix-test/ci-cache:1"


@pytest.fixture
def step(tmp_path: Path) -> Step:
    """A user's checkout with a configuration in it, and the engine."""
    (tmp_path / "temp").mkdir()
    (tmp_path / "main.cf").write_text(CANDIDATE)
    address = str(docker.from_env().api.base_url)
    is_socket = address.startswith("http+docker")
    return Step(tmp_path, engine="unix:///var/run/docker.sock" if is_socket else address)


def test_a_policy_that_is_not_met_is_shown_on_its_line(step: Step) -> None:
    """The whole step: measured, annotated on the line, summarised, kept, and failed."""
    done = step.run(
        "measure.sh", INPUT_CANDIDATE="main.cf", INPUT_POLICIES="tls12-or-newer", **SELECTION
    )
    assert done.returncode == 1, done.stderr
    (command,) = (line for line in done.stdout.splitlines() if line.startswith("::error"))
    assert "file=main.cf,line=4::" in command
    assert "negotiated TLSv1" in command
    assert "## postfix-matrix verify: tls12-or-newer: fails" in (
        step.folder / "summary.md"
    ).read_text("utf-8")
    outputs = step.outputs
    assert outputs["exit-code"] == "1"
    run = Path(outputs["run"])
    assert (run / "junit.xml").is_file()
    assert check_artifact_paths(run).returncode == 0


def test_scenarios_are_measured_and_judged(step: Step) -> None:
    """Without a candidate the step runs scenarios; offers with ciphers are kept too."""
    offers = "TLSv1.2,TLSv1.2+ciphers=ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA"
    done = step.run("measure.sh", INPUT_SCENARIOS="defaults", INPUT_OFFERS=offers, **SELECTION)
    assert done.returncode == 0, done.stderr
    assert "::error" not in done.stdout
    assert "## defaults" in (step.folder / "summary.md").read_text("utf-8")
    checked = check_artifact_paths(Path(step.outputs["run"]))
    assert checked.returncode == 0, checked.stderr


def test_github_takes_a_run_folder_of_the_default_matrix(matrix: Finished) -> None:
    """@actions/artifact's own check of paths: one name that it refuses loses the whole folder."""
    done = check_artifact_paths(matrix.folder.resolve())
    assert done.returncode == 0, done.stderr


@pytest.fixture
def tiny_image() -> Iterator[str]:
    """An image of a few bytes, which is removed again."""
    client = docker.from_env()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    repository, _, tag = IMAGE.partition(":")
    client.api.import_image_from_data(archive.getvalue(), repository=repository, tag=tag)
    yield IMAGE
    client.images.remove(IMAGE, force=True)


def test_saved_images_are_loaded_again(step: Step, tiny_image: str) -> None:
    """The cache's way: what exists is saved, and is there again on a runner that has nothing."""
    client = docker.from_env()
    image_id = client.images.get(tiny_image).id
    references, archive = step.folder / "references", step.folder / "images.tar"
    references.write_text(f"{tiny_image}\npostfix-matrix-test/none:1\n")
    saved = step.run("save_images.sh", ARCHIVE=str(archive), REFERENCES=str(references))
    assert saved.returncode == 0, saved.stderr
    assert step.outputs == {"saved": "true"}
    client.images.remove(tiny_image, force=True)
    loaded = step.run("load_images.sh", ARCHIVE=str(archive))
    assert loaded.returncode == 0, loaded.stderr
    assert client.images.get(tiny_image).id == image_id
