"""--registry and --registry-lock: read, and refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from harness.cli.main import run_cli
from harness.cli.registry_options import registry_options
from harness.errors import ExitCode
from harness.images.registry import LOCK_VARIABLE, VARIABLE, ImageRegistry

REPOSITORY = "127.0.0.1:5000/images"


@click.command()
@registry_options
@click.pass_context
def probe(context: click.Context, registry: ImageRegistry | None) -> None:
    """A command that shows what it was given."""
    context.obj.append(registry)


def _read_options(*arguments: str) -> ImageRegistry | None:
    given: list[Any] = []
    probe.main([*arguments], obj=given, standalone_mode=False)
    (registry,) = given
    assert registry is None or isinstance(registry, ImageRegistry)
    return registry


def test_an_option_goes_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for mirrors: the variable is for a machine, the option for one command."""
    assert _read_options() is None
    monkeypatch.setenv(VARIABLE, "ghcr.io/example/images")
    assert _read_options() == ImageRegistry("ghcr.io/example/images")
    lock = tmp_path / "images.lock"
    lock.write_text(f"dns-0123456789ab sha256:{'a' * 64}\n")
    monkeypatch.setenv(LOCK_VARIABLE, str(lock))
    pinned = ImageRegistry(REPOSITORY, {"dns-0123456789ab": f"sha256:{'a' * 64}"})
    assert _read_options("--registry", REPOSITORY) == pinned


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["verify", "x", "-p", "tls12-or-newer"],
        ["explain", "defaults"],
        ["scan", "debian-12"],
        ["since", "defaults", "--bisect"],
        ["clients", "check", "openssl-1.0.2h"],
        ["images", "build"],
        ["images", "push"],
    ],
    ids=" ".join,
)
def test_each_command_that_makes_images_refuses_a_wrong_registry(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A typing error must not end as an hour of building."""
    assert run_cli([*command, "--registry", "https://ghcr.io/x"]) == ExitCode.USAGE
    assert "is not a repository of a registry" in capsys.readouterr().err


def test_a_push_needs_a_registry(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no default: nothing is published by accident."""
    monkeypatch.delenv(VARIABLE, raising=False)
    assert run_cli(["images", "push"]) == ExitCode.USAGE
    assert "--registry" in capsys.readouterr().err
