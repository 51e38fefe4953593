"""Where a suite's base image comes from, on a real engine: when it comes from nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import docker
import pytest

from harness.docker_engine.cancel import Cancel
from harness.errors import InfrastructureError
from harness.images.base import Origin, find_origin

pytestmark = pytest.mark.docker


def test_no_base_image_says_what_to_install(
    engine: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no registry and no mmdebstrap there is one clear error, with both reasons."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InfrastructureError) as caught:
        find_origin(engine, "no-such-suite", tmp_path, Cancel(), lambda _: None)
    assert "debian:no-such-suite-slim: no registry gave it" in caught.value.what
    assert re.search(r"\n +registry: .*\w", caught.value.what)
    assert "\n    bootstrap: mmdebstrap is not installed" in caught.value.what
    assert "apt-get install mmdebstrap" in caught.value.next_step


def test_a_failed_bootstrap_shows_its_words(
    engine: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the bootstrap said is in the error, and nothing of it stays on the disk."""
    program = tmp_path / "bin" / "mmdebstrap"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'E: apt-get update failed' >&2\nexit 25\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(InfrastructureError, match=r"failed \(25\)") as caught:
        find_origin(engine, "no-such-suite", work, Cancel(), lambda _: None)
    assert "E: apt-get update failed" in caught.value.what
    assert re.search(r"\n +registry: .*\w", caught.value.what)
    assert list(work.iterdir()) == []


def _tried(client: docker.DockerClient, suite: str, folder: Path) -> Origin | InfrastructureError:
    try:
        return find_origin(client, suite, folder, Cancel(), lambda _: None)
    except InfrastructureError as error:
        return error


def test_an_archived_suite_is_had_or_told_to_be_archived(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Only a registry has it. Without one the error has both reasons, and says how to bring it."""
    found = _tried(engine, "buster", tmp_path)
    if isinstance(found, Origin):
        assert "debian:buster-slim" in found.how
        assert "of the distribution's archive" in found.how
    else:
        first, *rest = found.what.splitlines()
        assert first.startswith("no base image debian:buster-slim: no registry gave it, and debian")
        assert first.endswith("debian-10 has left the ordinary mirrors")
        assert re.match(r" +registry: .*\w", rest[0])
        assert rest[1].startswith("    bootstrap: mmdebstrap ")
        assert "the distribution's archive" in found.cause
        assert "'docker load' it here" in found.next_step
    assert list(tmp_path.iterdir()) == []
