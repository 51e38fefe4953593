"""Folders, tars and standard input: what is taken, what is passed over, and that nothing hangs."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.candidate import config_candidate, named_candidate
from harness.cli.main import run_cli
from harness.errors import UsageError
from harness.scenarios.configuration_files import (
    FileFound,
    FilePassedOver,
    collect_files,
    named_paths,
)
from harness.scenarios.configuration_source import read_source
from harness.scenarios.scenario import Scenario

MAIN_CF = """\
myhostname = mail.corp.net
mydestination = /etc/postfix/vhosts, localhost
virtual_alias_maps = hash:/etc/postfix/virtual, pcre:$config_directory/x.pcre
alias_maps = hash:/etc/aliases
smtpd_tls_key_file = /etc/postfix/key.pem
smtpd_tls_CAfile = ${config_directory}/ca.pem
"""
FILES = {
    "main.cf": MAIN_CF,
    "vhosts": "corp.net\n",
    "virtual": "a@corp.net b\n",
    "x.pcre": "/^x/ OK\n",
    "key.pem": "-----BEGIN PRIVATE KEY-----\nsecret\n",
    "ca.pem": "-----BEGIN CERTIFICATE-----\n",
    "not-named": "never taken\n",
}
TAKEN = {
    "/etc/postfix/vhosts": "corp.net\n",
    "/etc/postfix/virtual": "a@corp.net b\n",
    "config_directory/x.pcre": "/^x/ OK\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as /etc/postfix is one, under another name."""
    made = tmp_path / "my server"
    made.mkdir()
    for name, text in FILES.items():
        (made / name).write_text(text)
    return made


def candidate(*names: Path | str) -> Scenario:
    """The candidate that a command line makes of these names."""
    return config_candidate(tuple(map(str, names)), None)


def has_note(scenario: Scenario, *texts: str) -> bool:
    """Whether a note has all of these words."""
    return any(all(word in note for word in texts) for note in scenario.reading)


def test_a_folder_gives_the_files_that_it_names(folder: Path) -> None:
    """Protects tables that were given: at the path that it names; no key, no certificate."""
    read = candidate(folder)
    assert dict(read.files) == TAKEN
    assert (read.main_cf, read.whole) == (MAIN_CF, True)
    assert has_note(read, "keys and certificates are not used", "/etc/postfix/key.pem", "ca.pem")
    assert "secret" not in repr(read)


@pytest.mark.parametrize(
    "prefix", ["", "./", "etc/postfix/", "./etc/postfix/", "/etc/postfix/", "backup/etc/postfix/"]
)
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_is_read_wherever_its_main_cf_lies(
    folder: Path, tmp_path: Path, prefix: str, mode: str
) -> None:
    """Protects tars of all makes, of /etc too: nothing is unpacked to the disk."""
    (folder / "link").symlink_to("virtual")
    ending = {"w": ".tar", "w:gz": ".tgz", "w:xz": ".tar.xz"}[mode]
    path = tmp_path / f"postfix{ending}"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for file in sorted(folder.iterdir()):
            archive.add(file, f"{prefix}{file.name}")
        if prefix.endswith("etc/postfix/"):
            aliases = tarfile.TarInfo(prefix.removesuffix("postfix/") + "aliases")
            aliases.size = 5
            archive.addfile(aliases, io.BytesIO(b"a: b\n"))
    read = candidate(path)
    further = {"/etc/aliases": "a: b\n"} if prefix.endswith("etc/postfix/") else {}
    assert dict(read.files) == TAKEN | further
    assert (read.main_cf, read.whole) == (MAIN_CF, True)


def test_a_tar_may_come_on_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects "tar -C /etc -cz postfix | postfix-matrix verify -": by its first bytes."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        archive.add(folder, "postfix")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data.getvalue())))
    assert dict(candidate("-").files) == TAKEN


def test_links_in_a_tar_lead_within_it(tmp_path: Path) -> None:
    """Protects links: followed inside the tar only; dangling ones are reported."""
    path = tmp_path / "x.tar"
    main_cf = b"a_maps = hash:/etc/postfix/a hash:/etc/postfix/b hash:/etc/postfix/c\n"
    with tarfile.open(path, "w") as archive:
        for name, content, target in (
            ("etc/postfix/main.cf", main_cf, ""),
            ("etc/tables/a", b"1 2\n", ""),
            ("etc/postfix/a", b"", "../tables/a"),
            ("etc/postfix/b", b"", "/etc/passwd"),
            ("etc/postfix/c", b"", "c"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if target:
                member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member, io.BytesIO(content))
    read = candidate(path)
    assert dict(read.files) == {"/etc/postfix/a": "1 2\n"}
    assert has_note(read, "/etc/postfix/b", "a dangling link")
    assert has_note(read, "/etc/postfix/c", "in a circle")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: os.mkfifo(path), "a named pipe"),
        (lambda path: path.symlink_to("nowhere"), "a dangling link"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: path.write_bytes(b"a\0"), "not a text"),
        (lambda path: path.write_bytes(b"a" * ((1 << 20) + 1)), "more than 1 MiB"),
        (lambda path: path.with_name("virtual.db").write_bytes(b"\0"), "its compiled table"),
    ],
)
def test_what_is_no_file_is_told_and_never_waited_for(
    folder: Path, make: Callable[[Path], object], message: str
) -> None:
    """Protects from a hang, and from silence: one note for each file that is passed over."""
    (folder / "virtual").unlink()
    make(folder / "virtual")
    read = candidate(folder)
    assert "/etc/postfix/virtual" not in read.files
    assert has_note(read, "/etc/postfix/virtual", message)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: os.mkfifo(path), "is a named pipe"),
        (lambda path: path.symlink_to("nowhere"), "a dangling link"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_text("# nothing\n"), "sets nothing"),
        (lambda path: path.write_bytes(b"a\0"), "NUL"),
    ],
)
def test_a_main_cf_that_is_none_is_refused(
    folder: Path, make: Callable[[Path], object], message: str
) -> None:
    """Protects "bad input": refused by its path, with exit code 4, and not waited for."""
    (folder / "main.cf").unlink()
    make(folder / "main.cf")
    with pytest.raises(UsageError, match=message) as caught:
        candidate(folder)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("name", ["x.tar", "x.tgz", "x.tar.xz"])
def test_a_broken_tar_is_refused_in_a_sentence(folder: Path, tmp_path: Path, name: str) -> None:
    """Protects from tracebacks of tarfile, zlib and lzma."""
    path = tmp_path / name
    mode = {"x.tar": "w", "x.tgz": "w:gz", "x.tar.xz": "w:xz"}[name]
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.add(folder, "postfix")
    whole = path.read_bytes()
    for data in (b"", b"no tar", whole[: len(whole) // 3], whole[:100] + b"\xff" * 200):
        path.write_bytes(data)
        with pytest.raises(UsageError):
            candidate(path)


def test_a_tar_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    """Protects the memory: a header that promises 10 GiB is not believed, nor read."""
    path = tmp_path / "x.tar"
    member = tarfile.TarInfo("main.cf")
    member.size = 10 << 30
    path.write_bytes(member.tobuf() + b"\0" * 1024)
    with pytest.raises(UsageError, match="more than a configuration can be"):
        candidate(path)


def test_what_a_shell_opened_is_read_as_standard_input(tmp_path: Path) -> None:
    """Protects "verify <(postconf -n)": a pipe under /dev/fd is read, and by what is in it."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        file.write("smtpd_use_tls = yes\n")
    try:
        source = read_source([f"/dev/fd/{reading}"])
    finally:
        os.close(reading)
    assert list(source.texts.values()) == ["smtpd_use_tls = yes\n"]
    with pytest.raises(UsageError, match="neither a file nor a scenario"):
        read_source([str(tmp_path / "none")])


def test_a_scenarios_folder_may_be_named(tmp_path: Path) -> None:
    """Protects a folder with a scenario.toml: it is that scenario, with all that it says."""
    made = tmp_path / "my-advice"
    made.mkdir()
    (made / "scenario.toml").write_text('title = "T"\nsource = "S"\nclaim = "C"\n')
    (made / "main.cf").write_text("smtpd_use_tls = yes\n")
    scenario = named_candidate((str(made),), {}, None)
    assert (scenario.id, scenario.title, scenario.whole) == ("my-advice", "T", False)


def test_paths_are_found_as_postfix_names_them() -> None:
    """Protects what counts as a file: tables of all kinds, lists, references; no socket, no URL."""
    main_cf = (
        "config_directory = /opt/postfix/conf\nmaps = ${config_directory}/sql\n"
        "a_maps = proxy:mysql:/opt/postfix/conf/a.cf, mysql:$maps/b.cf\n"
        "b_maps = unionmap:{hash:/etc/b, texthash:/etc/c}\nc_maps = ldap://server/x\n"
        "virtual_transport = lmtp:unix:/var/run/lmtp\nsmtpd_milters = unix:/run/m.sock\n"
        "queue_directory = /var/spool/postfix\ntls_random_source = dev:/dev/urandom\n"
        "d_maps = hash:/etc/$undefined/d\n"
    )
    master_cf = "smtp inet n - n - - smtpd\n -o { header_checks = pcre:/etc/postfix/h }\n"
    assert named_paths(main_cf, master_cf) == {
        "config_directory/sql": "/opt/postfix/conf/sql",
        "/opt/postfix/conf/a.cf": "/opt/postfix/conf/a.cf",
        "config_directory/sql/b.cf": "/opt/postfix/conf/sql/b.cf",
        "/etc/b": "/etc/b",
        "/etc/c": "/etc/c",
        "/etc/postfix/h": "/etc/postfix/h",
    }


def test_the_tls_librarys_own_file_comes_along_and_no_other_of_the_environment() -> None:
    """It can set MinProtocol, so without it the answer was another; a keytab is a secret."""
    main = "import_environment = TZ OPENSSL_CONF=/etc/postfix/tls.cnf KRB5_KTNAME=/etc/k.keytab\n"
    assert set(named_paths(main, "")) == {"/etc/postfix/tls.cnf"}


def test_values_that_grow_without_end_are_left() -> None:
    """Protects from references that double themselves ten times over."""
    lines = ["a0 = /x"] + [f"a{n} = {f'$a{n - 1} ' * 50}" for n in range(1, 12)]
    assert "/x" in named_paths("\n".join(lines), "")


class OneTree:
    """A tree that has the same at every path."""

    def __init__(self, result: FileFound | FilePassedOver) -> None:
        self.result = result

    def read(self, path: str) -> FileFound | FilePassedOver | None:
        """What there is."""
        return self.result if path else None


def test_nothing_is_put_where_the_builds_own_files_lie() -> None:
    """Protects a build's own programs and files, which are what is measured."""
    further = collect_files("a_maps = hash:/usr/share/x\n", "", [OneTree(FileFound(b"a b\n"))])
    assert further.files == {}
    assert further.notes == ["/usr/share/x: was skipped: the build's files are there"]


@pytest.mark.parametrize(
    "kind",
    [
        *("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
        *("CERTIFICATE", "TRUSTED CERTIFICATE"),
    ],
)
def test_no_key_and_no_certificate_is_taken(kind: str) -> None:
    """Protects secrets: whatever the file is called, and wherever in it the key is."""
    data = f"comment\n-----BEGIN {kind}-----\nabc\n".encode()
    further = collect_files("a = /etc/postfix/innocent.txt\n", "", [OneTree(FileFound(data))])
    assert further.files == {}
    parameters = b"-----BEGIN DH PARAMETERS-----\nabc\n"
    further = collect_files("a = /etc/postfix/dh.pem\n", "", [OneTree(FileFound(parameters))])
    assert list(further.files) == ["/etc/postfix/dh.pem"]


def test_nothing_is_changed_where_it_is_read(folder: Path) -> None:
    """Protects the user's folder: the same files, with the same times and modes."""

    def state() -> dict[str, tuple[int, int, int]]:
        return {
            path.name: (status.st_mtime_ns, status.st_size, stat.S_IMODE(status.st_mode))
            for path in folder.iterdir()
            for status in [path.stat()]
        }

    before = state()
    candidate(folder)
    assert state() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "--whole", "--lines", "-p", "tls12-or-newer"], "exclude each other"),
        (["verify", "--container", "x", "main.cf", "-p", "tls12-or-newer"], "both name"),
        (["scan", "127.0.0.1:25", "--container", "x"], "--container cannot be used with"),
        (["scan", "debian-12", "--container", "x", "-s", "defaults"], "--container and --scenario"),
    ],
)
def test_options_that_contradict_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects from reading something else than was meant."""
    assert run_cli(arguments) == 4
    assert message in capsys.readouterr().err


def test_what_is_named_for_a_key_is_never_taken(tmp_path: Path) -> None:
    """A repository has placeholders where the server has keys; test files lie there instead."""
    (tmp_path / "main.cf").write_text(
        "myhostname = a.test\nmydestination = /etc/postfix/list\n"
        "smtpd_tls_cert_file = /etc/postfix/cert.pem\nsmtpd_tls_dh1024_param_file = $d/dh.pem\n"
    )
    for name in ("cert.pem", "list"):
        (tmp_path / name).write_text("put yours here\n")
    candidate = named_candidate((str(tmp_path),), {}, None)
    assert set(candidate.files) == {"/etc/postfix/list"}
    assert any("/etc/postfix/cert.pem" in note for note in candidate.reading)
