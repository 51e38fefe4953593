"""Why package files were not fetched: the errors name each file, and both hashes."""

from __future__ import annotations

from pathlib import Path

from harness.catalog.package_files import PackageFile
from harness.sources.package_fetch import ChangedPackageError, cached_path, explain_missing

_CACHE = Path("/cache")
_FILES = [
    PackageFile(f"pool/main/p/p{number}/p{number}_1.0-{number}_amd64.deb", f"{number}" * 64)
    for number in range(9)
]
_404 = (
    "Err:1 http://mirror.example/ubuntu/pool/main/p/p1/p1_1.0-1_amd64.deb\n"
    "  404  Not Found [IP: 192.0.2.1 80]\n"
    "E: Failed to fetch http://mirror.example/ubuntu/pool/main/p/p1/p1_1.0-1_amd64.deb  "
    "404  Not Found [IP: 192.0.2.1 80]\n"
    "E: Download Failed\n"
)


def test_a_missing_file_is_named_with_its_hash_and_the_reason() -> None:
    """Protects the next step: the file can be found elsewhere, and put where the message says."""
    error = explain_missing(_FILES[1:2], "", _404, _CACHE)
    assert not isinstance(error, ChangedPackageError)
    first, second, third = error.what.splitlines()
    assert first == "the archive did not give p1_1.0-1_amd64.deb"
    assert second == (
        f"    {_FILES[1].path}: 404 Not Found [IP: 192.0.2.1 80]; expected SHA-256 {'1' * 64}"
    )
    assert third.strip() == f"belongs at /cache/sources/{'1' * 64}/p1_1.0-1_amd64.deb"
    assert "by hand" in error.next_step


def test_a_changed_file_is_named_with_both_hashes() -> None:
    """Protects integrity: other bytes are an error of their own, without any replacement."""
    error = explain_missing(_FILES[:2], f"{_FILES[0].path} {'f' * 64}\n", _404, _CACHE)
    assert isinstance(error, ChangedPackageError)
    assert f"{_FILES[0].path}: SHA-256 {'f' * 64} instead of {'0' * 64}" in error.what
    assert _FILES[1].path not in error.what


def test_with_many_files_the_first_are_listed() -> None:
    """Protects the reader: without a network all of a hundred files are missing for one reason."""
    lines = explain_missing(_FILES, "", "", _CACHE).what.splitlines()
    assert lines[0] == "the archive did not give 9 package files"
    assert lines[-1] == "    and 3 more"
    assert "apt gave no reason" in lines[1]


def test_the_cache_has_a_place_for_each_file() -> None:
    """The folder's name is the hash, as for releases, so two versions never share a place."""
    paths = {cached_path(_CACHE, file) for file in _FILES}
    assert len(paths) == len(_FILES)
    assert Path(f"/cache/sources/{'3' * 64}/p3_1.0-3_amd64.deb") in paths
