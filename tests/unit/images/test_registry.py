"""Which registry, which tags, and the lock file that pins digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FileError, UsageError
from harness.images.registry import (
    ImageRegistry,
    merge_locks,
    parse_registry,
    read_lock,
    read_prior_lock,
    write_lock,
)

REPOSITORY = "ghcr.io/example/postfix-matrix"
REFERENCE = "postfix-matrix/debian-12:0123456789ab"
DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    "repository",
    [
        REPOSITORY,
        "127.0.0.1:5000/images",
        "[::1]:5000/images",
        "localhost/images",
        "registry:5000/a/b",
        "docker.io/example/postfix_matrix",
    ],
)
def test_a_repository_of_a_registry_is_accepted(repository: str) -> None:
    """The forms that the engine takes for a registry of that name."""
    registry = parse_registry(repository)
    assert registry is not None
    assert registry.find_source(REFERENCE) == f"{repository}:debian-12-0123456789ab"


@pytest.mark.parametrize(
    "repository",
    [
        "example/images",
        "ghcr.io",
        "https://ghcr.io/example/x",
        "ghcr.io/Example/x",
        "ghcr.io/example/x:latest",
        f"ghcr.io/example/x@{DIGEST}",
        "ghcr.io/example/x/",
        "/x",
    ],
)
def test_anything_else_is_refused_before_anything_runs(repository: str) -> None:
    """The engine would take "example/images" for Docker Hub's, and fail late with the others."""
    with pytest.raises(UsageError, match="is not a repository of a registry") as caught:
        parse_registry(repository)
    assert "ghcr.io/example/postfix-matrix" in caught.value.next_step


@pytest.mark.parametrize("repository", [None, ""])
def test_no_registry_is_none(repository: str | None) -> None:
    """An empty variable names no registry."""
    assert parse_registry(repository) is None


def test_a_lock_without_a_registry_is_refused(tmp_path: Path) -> None:
    """Pins that pin nothing would give false safety."""
    with pytest.raises(UsageError, match="none is named"):
        parse_registry(None, tmp_path / "images.lock")


def test_a_lock_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    """What one machine pushes, another pulls by its digest, and nothing else."""
    lock = tmp_path / "images.lock"
    write_lock(lock, REPOSITORY, {"debian-12-0123456789ab": DIGEST})
    registry = parse_registry(REPOSITORY, lock)
    assert registry == ImageRegistry(REPOSITORY, {"debian-12-0123456789ab": DIGEST})
    assert registry is not None
    assert registry.find_source(REFERENCE) == f"{REPOSITORY}@{DIGEST}"
    assert registry.find_source("postfix-matrix/debian-12:ba9876543210") == ""


def test_a_push_keeps_what_was_pushed_before(tmp_path: Path) -> None:
    """Protects the lock file of a push of some images: the others' pins stay, once each."""
    lock, other = tmp_path / "images.lock", DIGEST.replace("a", "b")
    assert read_prior_lock(lock, REPOSITORY) == {}
    before = {"debian-12-0123456789ab": DIGEST, "postfix-3.7.11-0123456789ab": DIGEST}
    write_lock(lock, REPOSITORY, before)
    merged = merge_locks(read_prior_lock(lock, REPOSITORY), {"debian-12-ba9876543210": other})
    assert merged == {"debian-12-ba9876543210": other, "postfix-3.7.11-0123456789ab": DIGEST}
    lock.write_text(lock.read_text().partition("\n")[2])
    assert read_prior_lock(lock, "localhost:5000/other") == before


def test_the_lock_file_of_another_repository_is_refused(tmp_path: Path) -> None:
    """Protects from pins of two registries in one file: only one of them has each image."""
    lock = tmp_path / "images.lock"
    write_lock(lock, REPOSITORY, {"debian-12-0123456789ab": DIGEST})
    with pytest.raises(UsageError, match="of another repository than localhost:5000/other"):
        read_prior_lock(lock, "localhost:5000/other")


@pytest.mark.parametrize(
    "line", ["debian-12-0123456789ab", f"debian-12 {DIGEST[:-1]}", f"{DIGEST} debian-12"]
)
def test_a_wrong_line_of_a_lock_file_is_named(tmp_path: Path, line: str) -> None:
    """A pin that is not understood must not be passed over."""
    lock = tmp_path / "images.lock"
    lock.write_text(f"# comment\n\n{line}\n")
    with pytest.raises(FileError, match=r"images\.lock:3: no pinned image"):
        read_lock(lock)


def test_a_lock_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Not a registry without pins."""
    with pytest.raises(FileError, match="there is no such file") as caught:
        read_lock(tmp_path / "images.lock")
    assert "images push --lock" in caught.value.next_step


def test_a_lock_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The digests are lost otherwise."""
    with pytest.raises(UsageError, match="cannot be written"):
        write_lock(tmp_path / "nowhere" / "images.lock", REPOSITORY, {})
