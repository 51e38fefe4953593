"""Where a suite's base image comes from, on a real engine: when it comes from nowhere."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from harness.errors import InfrastructureError
from harness.images.base import origin
from harness.images.cancel import Cancel

pytestmark = pytest.mark.docker


def test_no_base_image_says_what_to_install(
    engine: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no registry and no mmdebstrap there is one clear error, with both reasons."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InfrastructureError) as caught:
        origin(engine, "no-such-suite", tmp_path, Cancel(), lambda _: None)
    assert "the registry gave none (" in str(caught.value)
    assert "mmdebstrap is not installed" in str(caught.value)
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
        origin(engine, "no-such-suite", work, Cancel(), lambda _: None)
    assert "E: apt-get update failed" in str(caught.value)
    assert list(work.iterdir()) == []
