"""A distribution's Postfix on another OpenSSL than the distribution's, on a real engine."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

import docker
import pytest

from harness.catalog.builds import Build, base_suite, find_openssl
from harness.cli.main import run_cli
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.containers import run_container
from harness.errors import ExitCode
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.recipes import build_recipe, openssl_recipe, toolchain_recipe
from harness.paths import images_dir
from tests.docker.conftest import run_cli as run_matrix

# Compiling OpenSSL 1.0.2h on Ubuntu 16.04 takes minutes from nothing.
pytestmark = [pytest.mark.docker, pytest.mark.nightly]

QUESTION = "ubuntu-16.04+openssl-1.0.2h"
FOLDER = images_dir() / "distro-openssl"


@pytest.fixture(scope="module")
def question(builder: ImageBuilder) -> Image:
    """The asker's pair."""
    return builder.build(Build.parse(QUESTION))


def _run_in(engine: docker.DockerClient, image: Image, script: str) -> str:
    command = ["/bin/sh", "-c", script]
    with run_container(engine, image.reference, command, labels={}, cancel=Cancel()) as done:
        assert done.code == 0, done.err
        return done.out + done.err


def test_the_packages_postfix_loads_the_other_openssl(
    engine: docker.DockerClient, question: Image
) -> None:
    """Library, openssl(1) and openssl.cnf are those that an upgraded library brings."""
    assert question.versions is not None
    assert question.versions.openssl_compiled.startswith("1.0.2")
    assert question.versions.openssl_loaded == "1.0.2h"
    assert question.versions.openssl_cli == "1.0.2h"
    assert re.search(
        r"postfix 3\.1\.0-\S+; OpenSSL 1\.0\.2h in the place of .*libssl1\.0\.0 1\.0\.2g",
        question.versions.packages,
    )
    output = _run_in(
        engine, question, "openssl version -d; ls -L $(openssl version -d | cut -d'\"' -f2)"
    )
    assert "/usr/lib/ssl" in output
    assert "openssl.cnf" in output


def test_the_library_has_the_symbol_versions_of_the_packages(
    engine: docker.DockerClient, question: Image
) -> None:
    """Without them ld.so complains at each start of each program."""
    script = "for f in $(find /usr/lib/postfix /usr/sbin/post* -type f); do ldd -r $f 2>&1; done"
    output = _run_in(engine, question, script)
    assert "libssl.so.1.0.0" in output
    assert "no version information" not in output
    assert not re.search(r"undefined symbol: (SSL|EVP|X509|BIO)", output)


def test_it_keeps_the_image_contract(question: Image) -> None:
    """It can be tested as any other build."""
    assert run_cli(["images", "check", question.reference]) == ExitCode.OK


def test_the_line_of_the_askers_log_comes_from_his_own_pair(tmp_path: Path) -> None:
    """What started the project: TLSv1 with the cipher of his log, in Postfix's own words."""
    result = run_matrix(
        tmp_path,
        *("-b", QUESTION, "-s", "asker-submission", "-S", "submission", "-c", "openssl-1.0.2h"),
        *("-o", "TLSv1+ciphers=DHE-RSA-CAMELLIA256-SHA"),
    )
    (cell,) = (o for o in result.data.observations if o.scenario == "asker-submission")
    assert cell.evidence is not None
    evidence = (result.data.folder / cell.evidence).read_text("utf-8")
    assert re.search(
        r"submission/smtpd\[\d+\]: Anonymous TLS connection established from "
        r"\S+: TLSv1 with cipher DHE-RSA-CAMELLIA256-SHA \(256/256 bits\)",
        evidence,
    )


def test_an_openssl_without_a_needed_symbol_is_refused_by_the_symbol(
    engine: docker.DockerClient, builder: ImageBuilder
) -> None:
    """Debian 13's Postfix is linked with OpenSSL 3.5; under 3.0.20 it would die at its start."""
    debian = builder.ensure(build_recipe(Build.parse("debian-13")))
    library = builder.ensure(openssl_recipe(find_openssl("3.0.20")))
    tools = builder.ensure(toolchain_recipe(base_suite()))
    image, _ = engine.images.build(
        fileobj=_make_context(
            f"FROM {debian.reference} AS package\nCOPY package-libraries.sh /\n"
            "RUN sh /package-libraries.sh /package\n"
            f"FROM {library.reference} AS openssl\nFROM {tools.reference}\n"
            "COPY --from=openssl / /\nCOPY --from=package /package /package\n"
            "COPY missing-symbols.sh /\n"
        ),
        custom_context=True,
        rm=True,
        forcerm=True,
    )
    try:
        command = ["bash", "/missing-symbols.sh", "/package", "/opt/openssl-3.0.20"]
        with run_container(engine, str(image.id), command, labels={}, cancel=Cancel()) as done:
            output, error, code = done.out, done.err, done.code
    finally:
        image.remove(force=True)
    assert code == 1
    assert re.search(r"^libpostfix-tls\.so\S* \w+@OPENSSL_3\.[1-9]", output, re.MULTILINE)
    assert re.search(
        r"^does not build: Postfix's \S+ needs \w+@OPENSSL_3\S+, which openssl-3\.0\.20 does not",
        error,
        re.MULTILINE,
    )


def _make_context(dockerfile: str) -> io.BytesIO:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        scripts = {path.name: path.read_bytes() for path in FOLDER.glob("*.sh")}
        for name, content in ({"Dockerfile": dockerfile.encode()} | scripts).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    context.seek(0)
    return context
