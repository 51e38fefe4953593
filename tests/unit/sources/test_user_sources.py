"""A user's sources: the same tree has the same hash, and its version is checked."""

from __future__ import annotations

import hashlib
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.catalog.releases import Source, SourceKind
from harness.docker_engine.cancel import Cancel
from harness.errors import ExitCode, InfrastructureError, SourceError, UsageError
from harness.sources.user_sources import parse_user_source
from tests.unit.sources_server import quiet, store

VERSION_FILE = "src/global/mail_version.h"


def _make_tree(folder: Path, version: str = "3.1.0") -> Path:
    """A small tree that states a Postfix version."""
    files = {
        VERSION_FILE: f'#define MAIL_VERSION_NUMBER "{version}"\n',
        "src/smtpd/smtpd.c": "int main(void) { return 0; }\n",
        "makedefs": "#!/bin/sh\n",
        "conf/main.cf": "# nothing\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "makedefs").chmod(0o755)
    (folder / "README_FILES").symlink_to("conf")
    (folder / "lib").mkdir()
    return folder


def _parse_source(value: str, cache: Path) -> Source:
    (source,) = parse_user_source(value, cache).sources
    return source


def _pack_folder(path: Path, mode: str, folder: Path, top: str) -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]  # the mode is a variable
        tar.add(folder, top)
    return path


def _read_members(source: Source) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(source.path) as tar:
        return {member.name: member for member in tar}


def test_a_tree_becomes_a_release(tmp_path: Path) -> None:
    """Builds from it are distinguished from the catalog's, and the origin names its path."""
    tree = _make_tree(tmp_path / "postfix")
    release = parse_user_source(f"postfix-3.1.0={tree}", tmp_path / "cache")
    assert (release.id, release.date, release.unverified) == ("postfix-3.1.0", None, True)
    (source,) = release.sources
    assert (source.kind, source.corroborated) == (SourceKind.LOCAL, 0)
    assert str(source) == f"the local tree {tree}"
    archive = store(tmp_path / "cache").fetch(release, Cancel(), quiet)
    assert archive.path == tmp_path / "cache" / "sources" / source.sha256 / "source.tar"
    assert hashlib.sha256(archive.path.read_bytes()).hexdigest() == source.sha256
    with tarfile.open(archive.path) as tar:
        file = tar.extractfile(f"{source.subdir}/src/smtpd/smtpd.c")
        assert file is not None
        assert file.read() == b"int main(void) { return 0; }\n"


def test_what_is_packed_is_what_matters(tmp_path: Path) -> None:
    """Links stay links, empty folders stay, and of modes only that something may be executed."""
    tree = _make_tree(tmp_path / "postfix")
    (tree / "makedefs").chmod(0o700)
    names = _read_members(_parse_source(f"postfix-3.1.0={tree}", tmp_path / "cache"))
    top = "postfix-3.1.0"
    assert list(names)[:4] == [top, f"{top}/README_FILES", f"{top}/conf", f"{top}/conf/main.cf"]
    assert names[f"{top}/README_FILES"].linkname == "conf"
    assert names[f"{top}/lib"].isdir()
    assert names[f"{top}/makedefs"].mode == 0o755
    assert names[f"{top}/conf/main.cf"].mode == 0o644
    assert {(m.mtime, m.uid, m.gid, m.uname) for m in names.values()} == {(0, 0, 0, "")}


def _touch_all(tree: Path) -> None:
    for path in tree.rglob("*"):
        os.utime(path, (time.time() + 1000, 1e9), follow_symlinks=False)


def _change_mode(tree: Path) -> None:
    (tree / VERSION_FILE).chmod(0o600)


def _add_objects(tree: Path) -> None:
    for name in ("src/smtpd/smtpd.o", "lib/libutil.a", "conf/makedefs.out", "src/a.d", "libx.so.1"):
        (tree / name).write_bytes(b"made")


def _add_editor_files(tree: Path) -> None:
    (tree / ".git").mkdir()
    (tree / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tree / "src" / ".git").write_text("gitdir: ../.git/modules/x\n")
    (tree / "src" / "smtpd" / ".smtpd.c.swp").write_bytes(b"editor")
    (tree / "src" / "smtpd" / "smtpd.c~").write_bytes(b"editor")


@pytest.mark.parametrize(
    "change",
    [_touch_all, _change_mode, _add_objects, _add_editor_files],
    ids=lambda change: change.__name__,
)
def test_the_same_sources_have_the_same_hash(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Another checkout, objects or an open editor must not cost a build of minutes."""
    tree, other = _make_tree(tmp_path / "one"), _make_tree(tmp_path / "other")
    change(other)
    first = _parse_source(f"postfix-3.1.0={tree}", tmp_path / "cache")
    second = _parse_source(f"postfix-3.1.0={other}", tmp_path / "cache")
    assert first.sha256 == second.sha256
    assert first.path == second.path


def _edit_file(tree: Path) -> None:
    (tree / "src/smtpd/smtpd.c").write_text("int main(void) { return 1; }\n")


def _add_backup(tree: Path) -> None:
    (tree / "src/smtpd/smtpd.c.orig").write_text("int main(void) { return 0; }\n")


def _make_executable(tree: Path) -> None:
    (tree / "conf/main.cf").chmod(0o755)


def _change_link(tree: Path) -> None:
    (tree / "README_FILES").unlink()
    (tree / "README_FILES").symlink_to("src")


def _rename_folder(tree: Path) -> None:
    (tree / "lib").rename(tree / "libs")


@pytest.mark.parametrize(
    "change",
    [_edit_file, _add_backup, _make_executable, _change_link, _rename_folder],
    ids=lambda change: change.__name__,
)
def test_other_sources_have_another_hash(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """A build that was made from other sources must never be taken for this one's."""
    tree, other = _make_tree(tmp_path / "one"), _make_tree(tmp_path / "other")
    change(other)
    first = _parse_source(f"postfix-3.1.0={tree}", tmp_path / "cache")
    assert first.sha256 != _parse_source(f"postfix-3.1.0={other}", tmp_path / "cache").sha256


def test_a_damaged_pack_is_made_again(tmp_path: Path) -> None:
    """What is in the cache from before counts only as long as it has its hash."""
    tree = _make_tree(tmp_path / "postfix")
    source = _parse_source(f"postfix-3.1.0={tree}", tmp_path / "cache")
    Path(source.path).write_bytes(b"damaged")
    again = parse_user_source(f"postfix-3.1.0={tree}", tmp_path / "cache")
    archive = store(tmp_path / "cache").fetch(again, Cancel(), quiet)
    assert hashlib.sha256(archive.path.read_bytes()).hexdigest() == source.sha256


def test_a_pack_that_changed_since_is_refused(tmp_path: Path) -> None:
    """Both hashes are named: that of the packed archive, and the current one."""
    release = parse_user_source(
        f"postfix-3.1.0={_make_tree(tmp_path / 'postfix')}", tmp_path / "cache"
    )
    path = Path(release.sources[0].path)
    packed = bytearray(path.read_bytes())
    packed[1000] ^= 1
    path.write_bytes(packed)
    with pytest.raises(SourceError, match=r"the local tree .* changed since") as caught:
        store(tmp_path / "cache").fetch(release, Cancel(), quiet)
    sha256 = hashlib.sha256(packed).hexdigest()
    assert f"SHA-256 {sha256} instead of {release.sources[0].sha256}" in str(caught.value)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("top", ["postfix-3.1.0", "./postfix", "Postfix.fork_1"])
def test_a_tarball_is_taken_as_it_is(tmp_path: Path, mode: str, top: str) -> None:
    """Any tool may have packed it, and its folder may have any name."""
    path = _pack_folder(tmp_path / "some.tar", mode, _make_tree(tmp_path / "tree"), top)
    source = _parse_source(f"postfix-3.1.0={path}", tmp_path / "cache")
    assert (source.path, source.subdir) == (str(path), top)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(source) == f"the local archive {path}"
    assert not (tmp_path / "cache").exists()


def test_a_tarball_with_several_folders_is_refused(tmp_path: Path) -> None:
    """Which of them would be built is not for us to guess."""
    path = tmp_path / "two.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("one", "other"):
            tar.add(_make_tree(tmp_path / name), name)
    with pytest.raises(UsageError, match=r"at its top the archive has one, other"):
        parse_user_source(f"postfix-3.1.0={path}", tmp_path)


def test_a_tarball_without_a_folder_is_refused(tmp_path: Path) -> None:
    """An archive of loose files, or of nothing, would be unpacked over what else is there."""
    path, tree = tmp_path / "loose.tar", _make_tree(tmp_path / "tree")
    with tarfile.open(path, "w") as tar:
        tar.add(tree / "makedefs", "makedefs")
    with pytest.raises(UsageError, match="at its top the archive has makedefs"):
        parse_user_source(f"postfix-3.1.0={path}", tmp_path)
    with tarfile.open(path, "w"):
        pass
    with pytest.raises(UsageError, match="at its top the archive has nothing"):
        parse_user_source(f"postfix-3.1.0={path}", tmp_path)


@pytest.mark.parametrize("cut", [0.5, 0.0], ids=["cut", "empty"])
def test_half_a_tarball_is_refused(tmp_path: Path, cut: float) -> None:
    """An interrupted download must not be noticed only minutes later, by a missing file."""
    path = _pack_folder(
        tmp_path / "some.tar.gz", "w:gz", _make_tree(tmp_path / "tree"), "postfix-3.1.0"
    )
    packed = path.read_bytes()
    path.write_bytes(packed[: int(len(packed) * cut)])
    with pytest.raises(UsageError, match=f"--source postfix-3.1.0={path}: "):
        parse_user_source(f"postfix-3.1.0={path}", tmp_path)


@pytest.mark.parametrize("packed", [False, True], ids=["tree", "tarball"])
def test_the_source_has_the_last_word_on_its_version(tmp_path: Path, packed: bool) -> None:
    """Results of 3.1.1 must never stand in a table under 3.1.0; both are named."""
    path = _make_tree(tmp_path / "tree", "3.1.1")
    if packed:
        path = _pack_folder(tmp_path / "some.tar", "w", path, "postfix-3.1.0")
    with pytest.raises(UsageError, match=r"says that it is postfix 3\.1\.1, not 3\.1\.0") as caught:
        parse_user_source(f"postfix-3.1.0={path}", tmp_path / "cache")
    assert caught.value.exit_code is ExitCode.USAGE
    assert not (tmp_path / "cache").exists()


def test_a_tree_of_openssl(tmp_path: Path) -> None:
    """The other product, by its own file."""
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "VERSION.dat").write_text("MAJOR=3\nMINOR=0\nPATCH=20\n")
    source = _parse_source(f"openssl-3.0.20={tmp_path / 'o'}", tmp_path / "cache")
    assert source.subdir == "openssl-3.0.20"
    with pytest.raises(UsageError, match=r"does not say which postfix it is: it has no src/global"):
        parse_user_source(f"postfix-3.1.0={tmp_path / 'o'}", tmp_path / "cache")


def test_a_home_folder_may_be_written_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell leaves the ~ behind a = as it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    _make_tree(tmp_path / "postfix")
    source = _parse_source("postfix-3.1.0=~/postfix", tmp_path / "cache")
    assert str(source) == f"the local tree {tmp_path / 'postfix'}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("postfix-3.1.0", "RELEASE=PATH"),
        ("postfix-3.1.0=", "RELEASE=PATH"),
        ("=/tmp", "RELEASE=PATH"),
        ("postfix=/tmp", "RELEASE=PATH"),
        ("stunnel-5.68=/tmp", "postfix or openssl"),
        ("postfix-new=/tmp", "'new' is not a version"),
        ("openssl-1.0.2h-legacy=/tmp", "'1.0.2h-legacy' is not a version"),
        ("postfix-3.1.0=/nowhere/at/all", "/nowhere/at/all cannot be read: No such file"),
    ],
)
def test_a_malformed_value_is_named(tmp_path: Path, value: str, expected: str) -> None:
    """Which option is wrong, and in what, before anything is built."""
    with pytest.raises(UsageError, match=f"^--source {value}: ") as caught:
        parse_user_source(value, tmp_path)
    assert expected in str(caught.value)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Not a traceback; a link that leads nowhere but to itself cannot be read even by root."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="loop cannot be read: Too many levels"):
        parse_user_source(f"postfix-3.1.0={tmp_path / 'loop'}", tmp_path)


def test_a_cache_that_cannot_be_written_is_not_the_trees_fault(tmp_path: Path) -> None:
    """A full or read-only disk under the cache is another problem, with another way out."""
    (tmp_path / "cache").write_text("a file where a folder should be\n")
    with pytest.raises(InfrastructureError, match="cannot be written") as caught:
        parse_user_source(f"postfix-3.1.0={_make_tree(tmp_path / 'postfix')}", tmp_path / "cache")
    assert str(tmp_path / "cache") in caught.value.what
