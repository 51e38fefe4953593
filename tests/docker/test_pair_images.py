"""What is in a pair's image, and what it shares with other pairs, on a real engine."""

from __future__ import annotations

import io
import re
import tarfile

import docker
import pytest

from harness.catalog.builds import Build
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.containers import run_container
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.recipes import build_recipe

pytestmark = pytest.mark.docker

PAIR = "postfix-3.10.13+openssl-4.0.3-debian"
OTHER_PAIR = "postfix-3.10.13+openssl-3.6.5-debian"
LIBRARIES = "/opt/openssl-4.0.3/lib"
SHARE = "/usr/share/postfix-matrix"

# Each library of an OpenSSL that the processes have mapped that serve a client. Processes that have
# changed their user may be looked into with CAP_SYS_PTRACE only.
_LOADED = r"""
postfix start && echo QUIT | busybox nc -w 5 127.0.0.1 25
for process in smtpd tlsmgr; do
    for id in $(busybox pidof $process); do
        sed -n "s,.* \(/.*/lib\(ssl\|crypto\)\.so.*\),$process \1,p" /proc/$id/maps
    done
done | sort -u
"""


@pytest.fixture(scope="module")
def pair(builder: ImageBuilder) -> Image:
    """A Postfix from source with an OpenSSL of Debian's packages."""
    return builder.build(Build.parse(PAIR))


def _say(engine: docker.DockerClient, image: Image, script: str) -> str:
    """What a shell in the image says."""
    command = ["/bin/sh", "-c", script]
    with run_container(engine, image.reference, command, labels={}, cancel=Cancel()) as done:
        assert done.code == 0, done.err
        return done.out


def _read(engine: docker.DockerClient, image: Image, path: str) -> str:
    """A file of an image that has nothing to run."""
    container = engine.containers.create(image.reference, ["none"])
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            file = tar.extractfile(tar.getmembers()[0])
            assert file is not None
            return file.read().decode(errors="replace")
    finally:
        container.remove(force=True)


def _compiled(log: str) -> set[str]:
    """The sources that a build's log has a compiler's line for."""
    return set(re.findall(r"^gcc .* -c (\S+\.c)$", log, re.MULTILINE))


def test_running_daemons_have_the_pairs_openssl(engine: docker.DockerClient, pair: Image) -> None:
    """What answers a client has this OpenSSL mapped, though the system has one of its own."""
    said = engine.containers.run(
        pair.reference,
        ["/bin/sh", "-c", _LOADED],
        cap_add=["SYS_PTRACE"],
        network_mode="none",
        remove=True,
    ).decode()
    loaded = set(re.findall(r"^(smtpd|tlsmgr) (\S+)$", said, re.MULTILINE))
    assert {
        ("smtpd", f"{LIBRARIES}/libssl.so.4"),
        ("smtpd", f"{LIBRARIES}/libcrypto.so.4"),
    } <= loaded
    assert {path.rpartition("/")[0] for _, path in loaded} == {LIBRARIES}


def test_debians_openssl_reads_debians_configuration(
    engine: docker.DockerClient, pair: Image
) -> None:
    """Its openssl.cnf is part of what it does, and a provider of another version would not load."""
    said = _say(
        engine,
        pair,
        "ls -L /usr/lib/ssl/openssl.cnf && openssl version -d"
        " && openssl list -providers -provider legacy -provider default",
    )
    assert 'OPENSSLDIR: "/usr/lib/ssl"' in said
    assert re.findall(r"^    version: (\S+)$", said, re.MULTILINE) == ["4.0.3", "4.0.3"]


def test_a_pair_keeps_its_log_its_flags_and_its_times(
    engine: docker.DockerClient, pair: Image
) -> None:
    """A doubter finds in the image itself how it was built, and what each step of it took."""
    assert "-DUSE_TLS" in _say(engine, pair, f"cat {SHARE}/makedefs.out")
    steps = _say(engine, pair, f"cat {SHARE}/steps").splitlines()
    assert all(re.fullmatch(r"\S+ \d+\.\d\d \d+\.\d\d", line) for line in steps)
    names = [line.split()[0] for line in steps]
    assert names == ["unpack", "makefiles", "objects", "compile", "install"]


def test_what_does_not_depend_on_openssl_is_compiled_once(
    engine: docker.DockerClient, builder: ImageBuilder, pair: Image
) -> None:
    """Postfix's own library is compiled for all pairs, and what speaks TLS for each of them."""
    recipe, other = (
        build_recipe(Build.parse(one)).parents["OBJECTS"] for one in (PAIR, OTHER_PAIR)
    )
    assert builder.reference(recipe) == builder.reference(other)
    shared = _compiled(_read(engine, builder.ensure(recipe), f"{SHARE}/build.log"))
    own = _compiled(_say(engine, pair, f"cat {SHARE}/build.log"))
    assert "vstring.c" in shared - own
    assert {"tls_client.c", "smtpd.c"} <= own - shared
    assert len(shared) > len(own)
