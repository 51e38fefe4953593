"""Distributions' own pairs on a real engine, old and new, and where their packages come from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import platformdirs
import pytest
from docker.models.containers import Container

from harness.catalog.builds import Build
from harness.catalog.versions import Version
from harness.images import labels as names
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.provenance import Versions
from harness.images.recipes import base_recipe
from harness.paths import images_dir
from harness.targets.mail_log import LogLine

pytestmark = pytest.mark.docker

#: The oldest and the newest that is not archived; the oldest is the machine of the question.
OLDEST, NEWEST = "ubuntu-16.04", "debian-forky"


@pytest.fixture(scope="module")
def shop(engine: docker.DockerClient) -> ImageBuilder:
    """A shop with the user's own cache, where all of these images may be already."""
    cache = Path(platformdirs.user_cache_dir("postfix-matrix"))
    return ImageBuilder(
        engine, images_dir=images_dir(), cache_dir=cache, on_step=lambda _, __: None
    )


def _made(shop: ImageBuilder, build: str) -> tuple[Image, Versions]:
    image = shop.build(Build.parse(build))
    assert image.versions is not None
    return image, image.versions


@contextmanager
def _running(engine: docker.DockerClient, image: Image) -> Iterator[Container]:
    """The image's own command, in a container that is removed in the end."""
    container = engine.containers.run(image.reference, detach=True, network_mode="none")
    try:
        yield container
    finally:
        container.remove(force=True)


def _logged(container: Container, count: int) -> list[LogLine]:
    """The log's lines once there are that many."""
    deadline = time.monotonic() + 15
    lines: list[LogLine | None] = []
    while len(lines) < count and time.monotonic() < deadline:
        out = container.logs(stdout=True, stderr=False).decode()
        lines = [LogLine.parse(line) for line in out.splitlines()]
        time.sleep(0.05)
    return [line for line in lines if line is not None]


def _sh(container: Container, script: str) -> str:
    code, out = container.exec_run(["/bin/sh", "-c", script])
    assert isinstance(out, bytes)
    assert code == 0, out.decode()
    return out.decode()


def test_testing_brings_what_it_has_today(shop: ImageBuilder) -> None:
    """Debian's next release can be tried before it is one; how old its packages are is told."""
    image, found = _made(shop, NEWEST)
    assert Version.parse(found.postfix) >= Version.parse("3.11")
    assert Version.parse(found.openssl_loaded) >= Version.parse("3.6")
    assert image.labels[names.POSTFIX] == found.postfix
    assert image.labels["org.postfix-matrix.suite"] == "forky"
    base = shop.find(base_recipe("forky"))
    assert base is not None
    if names.OCI_BASE_DIGEST in base.labels:
        assert base.labels[names.OCI_BASE_NAME] == "debian:forky-slim"
    elif "bootstrapped" in base.labels[names.ORIGIN]:
        assert "from forky, packages of 20" in base.labels[names.ORIGIN]
    else:
        assert base.labels[names.ORIGIN].startswith("local debian:forky-slim ")


def test_the_machine_of_the_question_can_be_had(shop: ImageBuilder) -> None:
    """Ubuntu 16.04's Postfix 3.1.0 and OpenSSL 1.0.2g, from its packages of then."""
    image, found = _made(shop, OLDEST)
    assert (found.postfix, found.openssl_loaded, found.openssl_cli) == ("3.1.0", "1.0.2g", "1.0.2g")
    assert "postfix 3.1.0-3" in image.labels[names.PACKAGES]
    assert image.labels["org.postfix-matrix.suite"] == "xenial"


@pytest.mark.parametrize("build", [OLDEST, NEWEST])
def test_the_log_is_whole_whatever_the_suite(
    engine: docker.DockerClient, shop: ImageBuilder, build: str
) -> None:
    """Each message is one line that can be read, however long it is and however many there are."""
    image, _ = _made(shop, build)
    long, many = "x" * 1900, 2000
    with _running(engine, image) as container:
        _sh(container, f"postlog -t postfix/smtpd 'line {long}'")
        _sh(
            container,
            "perl -e 'use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; "
            "connect(S, sockaddr_un(q(/dev/log))) or die; "
            f"send(S, qq(<20>Nov  2 01:02:03 postfix/a[7]: $_\\n), 0) or die for 1..{many}'",
        )
        lines = _logged(container, many + 1)
        first = container.logs(stdout=True).decode().splitlines()[1]
    assert lines[0].text.endswith(long)
    assert [line.text for line in lines[1:]] == [str(number + 1) for number in range(many)]
    assert str(lines[1]) == "Nov  2 01:02:03 postfix/a[7]: 1"
    assert " mail.warn postfix/a[7]: 1" in first


def test_the_log_daemon_is_a_good_first_process(
    engine: docker.DockerClient, shop: ImageBuilder
) -> None:
    """It ends when told to, and the dead whom nobody waits for do not pile up on it."""
    image, _ = _made(shop, OLDEST)
    with _running(engine, image) as container:
        _sh(container, "postlog -t here 'it listens'")
        _sh(container, "for _ in 1 2 3 4 5; do (sleep 0 &); done; sleep 0.5")
        assert "Z" not in _sh(container, "cut -d' ' -f3 /proc/[0-9]*/stat 2>/dev/null || true")
        container.kill("SIGTERM")
        assert container.wait(timeout=15)["StatusCode"] == 0


@pytest.mark.parametrize("build", [OLDEST, NEWEST])
def test_the_three_services_can_be_named(
    engine: docker.DockerClient, shop: ImageBuilder, build: str
) -> None:
    """A master.cf that names a port means the same on old systems as on new ones."""
    image, _ = _made(shop, build)
    with _running(engine, image) as container:
        ports = _sh(container, "grep -hwE '^(smtp|submissions?)' /etc/services")
    assert {tuple(line.split()[:2]) for line in ports.splitlines()} >= {
        ("smtp", "25/tcp"),
        ("submission", "587/tcp"),
        ("submissions", "465/tcp"),
    }


# A mirror of nothing, and an archive of one package, unsigned and long past its date, both in the
# container itself. $1: the suite that lists.sh believes it has.
_ARCHIVE = r"""
set -eu
(apt-get update && apt-get install busybox-static) >&2
arch=$(dpkg --print-architecture)
dist=/srv/debian/dists/old list=main/binary-$arch/Packages
mkdir -p "$dist/main/binary-$arch" /srv/debian/pool
cd /srv/debian
(cd pool && apt-get -o APT::Sandbox::User=root download netbase >&2)
deb=$(echo pool/netbase_*.deb)
sum() { sha256sum <"$1" | cut -d' ' -f1; }
{ dpkg-deb -f "$deb"
  echo "Filename: $deb"; echo "Size: $(wc -c <"$deb")"; echo "SHA256: $(sum "$deb")"
} >"$dist/$list"
{ echo Codename: old; echo "Architectures: $arch"; echo Components: main
  echo 'Date: Sat, 06 Jun 2015 11:09:34 UTC'; echo 'Valid-Until: Sat, 13 Jun 2015 11:09:34 UTC'
  echo SHA256:; echo " $(sum "$dist/$list") $(wc -c <"$dist/$list") $list"
} >"$dist/Release"
mkdir /nothing
busybox httpd -p 127.0.0.1:80 -h /nothing
busybox httpd -p 127.0.0.2:80 -h /srv
rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/*
echo 'deb http://deb.debian.test/debian old main' >/etc/apt/sources.list
sh /usr/share/postfix-matrix/base/lists.sh "$1" >&2 && echo usable || echo refused
cat /etc/apt/sources.list
"""


@pytest.mark.parametrize("base", ["xenial", "forky"])
@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        ("jessie", ["usable", "deb [trusted=yes] http://archive.debian.test/debian old main"]),
        ("bookworm", ["refused", "deb http://archive.debian.test/debian old main"]),
    ],
)
def test_what_has_left_the_mirrors_is_found_in_the_archive(
    engine: docker.DockerClient, shop: ImageBuilder, base: str, suite: str, expected: list[str]
) -> None:
    """By apt old and new; what nobody vouches for is taken for suites whose keys expired, only."""
    image = shop.ensure(base_recipe(base))
    out = engine.containers.run(
        image.reference,
        ["sh", "-c", _ARCHIVE, "archive", suite],
        extra_hosts={"deb.debian.test": "127.0.0.1", "archive.debian.test": "127.0.0.2"},
        remove=True,
    )
    assert out.decode().splitlines() == expected
