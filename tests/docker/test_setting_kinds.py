"""The table of kinds of settings against the builds themselves."""

from __future__ import annotations

from pathlib import Path

import docker
import platformdirs
import pytest

from harness.adaptation.setting_kinds import deciding_name
from harness.catalog.builds import Build
from harness.conformance.image_checks import BUILD_KIND
from harness.images import labels
from harness.images.image_builder import ImageBuilder
from harness.paths import images_dir
from scripts.setting_names import ask_image, printed_names

pytestmark = pytest.mark.docker

#: These are built if need be; every further build that is there is asked too.
ALWAYS = ("ubuntu-16.04", "debian-12", "debian-forky")


@pytest.fixture(scope="module")
def printed(engine: docker.DockerClient) -> dict[str, list[str]]:
    """What `postconf -d` of each build prints: the names, by build."""
    cache = Path(platformdirs.user_cache_dir("postfix-matrix"))
    shop = ImageBuilder(
        engine, images_dir=images_dir(), cache_dir=cache, on_step=lambda _, __: None
    )
    for name in ALWAYS:
        shop.build(Build.parse(name))
    there = engine.images.list(filters={"label": f"{labels.KIND}={BUILD_KIND}"})
    return {
        str(image.labels[labels.BUILD]): printed_names(ask_image(engine, image)) for image in there
    }


def test_every_parameter_of_every_build_has_an_entry(printed: dict[str, list[str]]) -> None:
    """Protects completeness on the builds that are used, patched ones of distributions too."""
    assert printed.keys() >= set(ALWAYS)
    unknown = {
        build: [name for name in names if deciding_name(name) is None]
        for build, names in printed.items()
    }
    assert {build: names for build, names in unknown.items() if names} == {}


def test_each_build_prints_hundreds_of_parameters(printed: dict[str, list[str]]) -> None:
    """Protects the test above: a build that printed nothing would have no unknown name either."""
    assert min(len(names) for names in printed.values()) > 300
    assert all("smtpd_tls_security_level" in names for names in printed.values())
