"""Distributions with RPM packages: their recipes on real package managers, without a registry."""

from __future__ import annotations

import re
from pathlib import Path

import docker
import pytest

from harness.catalog.builds import Build
from harness.conformance.image_examination import examine_image
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.session import DockerSession
from harness.errors import InfrastructureError
from harness.images import labels as names
from harness.images.base import Origin, find_origin
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import build_recipe
from harness.targets.lab import Lab
from tests.docker.conftest import run_process
from tests.docker.rpm_systems import POLICIES, dockerfile

pytestmark = pytest.mark.docker

PAIR = "postfix-3.7.11+openssl-1.1.1w"
SYSTEMS = [("dnf", "LEGACY"), ("zypper", "")]


def make_build(builder: ImageBuilder, folder: Path, manager: str, policy: str) -> Image:
    """The image that the recipe of RPM distributions makes on a system that is made here."""
    (folder / "Dockerfile").write_text(dockerfile(manager))
    system = Recipe(
        f"test-{manager}-system",
        RecipeKind.PART,
        str(folder),
        parents={"POSTFIX": build_recipe(Build.parse(PAIR))},
        # Its Postfix is in packages that are not installed: it is no build, as its parent is.
        labels={names.KIND: RecipeKind.PART},
    )
    real = build_recipe(Build.parse(f"rocky-8+policy-{policy}" if policy else "rocky-8"))
    return builder.ensure(
        Recipe(
            f"test-{manager}-{policy or 'default'}",
            real.kind,
            real.folder,
            args=real.args,
            parents={"BASE": system},
            extra=real.extra,
            labels={**real.labels, names.BUILD: f"test-{manager}"},
        )
    )


def try_origin(
    engine: docker.DockerClient, name: str, folder: Path
) -> Origin | InfrastructureError:
    """The origin of a base image, or the error that says why there is none."""
    try:
        return find_origin(engine, name, folder, Cancel(), lambda _: None)
    except InfrastructureError as error:
        return error


@pytest.mark.parametrize("name", ["rocky-9", "alpine-3.22"])
def test_without_a_registry_the_reason_and_the_next_step_are_told(
    engine: docker.DockerClient, tmp_path: Path, name: str
) -> None:
    """Only registries have these; the error names the image to load, and tries no bootstrap."""
    origin = try_origin(engine, name, tmp_path)
    if isinstance(origin, Origin):
        assert origin.how.startswith(("pulled", "local"))
        return
    first, *rest = origin.what.splitlines()
    assert re.fullmatch(
        rf"no base image \S+: no registry gave it, and {name} cannot be made without one", first
    )
    assert len(rest) == 1
    assert re.match(r" +registry: .*\w", rest[0])
    assert "'docker load' it here" in origin.next_step


@pytest.mark.nightly
@pytest.mark.parametrize(("manager", "policy"), SYSTEMS)
def test_the_recipe_makes_an_image_that_keeps_the_contract(
    engine: docker.DockerClient, builder: ImageBuilder, tmp_path: Path, manager: str, policy: str
) -> None:
    """With real package managers and a real rpm database, wherever Postfix's files are."""
    image = make_build(builder, tmp_path, manager, policy)
    assert image.versions is not None
    assert "postfix 3.7.11-1.test" in image.versions.packages
    assert "openssl 1.1.1w-1.test" in image.versions.packages
    assert image.labels[names.PACKAGES] == image.versions.packages
    with DockerSession(engine, state_dir=tmp_path / "sessions") as session, Lab(session) as lab:
        report = examine_image(lab, image.reference)
    assert [str(check) for check in report.failures] == []
    assert report.versions == image.versions


@pytest.mark.nightly
@pytest.mark.parametrize("policy", POLICIES)
def test_the_crypto_policy_is_read_back(builder: ImageBuilder, tmp_path: Path, policy: str) -> None:
    """The policy by name, and each of its lines that OpenSSL reads, are in the image's facts."""
    image = make_build(builder, tmp_path, "dnf", "" if policy == "DEFAULT" else policy)
    assert image.versions is not None
    expected = "; ".join([f"crypto policy {policy}", *POLICIES[policy]])
    assert image.versions.system_policy == expected


@pytest.mark.nightly
def test_what_a_crypto_policy_changes_in_postfix(builder: ImageBuilder, tmp_path: Path) -> None:
    """Postfix replaces the policy's lowest version and level, not its suites of TLS 1.3."""
    images = {
        policy: make_build(builder, tmp_path, "dnf", "" if policy == "DEFAULT" else policy)
        for policy in POLICIES
    }
    narrow = "TLSv1.3+ciphers=TLS_AES_128_GCM_SHA256"
    done = run_process(
        tmp_path,
        *(f"--image=policy-{policy}={image.reference}" for policy, image in images.items()),
        *("-s", "defaults", "-S", "smtp", "-c", "openssl-1.1.1w"),
        *("-o", f"TLSv1,TLSv1.3,{narrow}"),
    )
    outcomes = {
        (cell.build.removeprefix("policy-"), str(cell.offer)): str(cell.outcome)
        for cell in done.data.observations
        if cell.build.startswith("policy-")
    }
    assert outcomes == {
        (policy, offer): "refused" if (policy, offer) == ("FUTURE", narrow) else "accepted"
        for policy in POLICIES
        for offer in ("TLSv1", "TLSv1.3", narrow)
    }
    recorded = done.data.run.images["policy-FUTURE"].read_back
    assert recorded is not None
    assert recorded.system_policy.startswith("crypto policy FUTURE; ")
