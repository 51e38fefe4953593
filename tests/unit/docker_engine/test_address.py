"""Which engine is meant, and what a user reads where none answers: real sockets, real contexts."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.docker_engine import session, trouble
from harness.docker_engine.address import find_engine, use_engine
from harness.errors import HarnessError, InfrastructureError, UsageError

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without contexts and variables; no socket of this machine is tried."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("harness.docker_engine.address.SYSTEM_SOCKET", tmp_path / "system.sock")
    return tmp_path


def write_context(home: Path, name: str, host: str, *, tls: bool = False) -> None:
    """A context as 'docker context create' writes it."""
    number = hashlib.sha256(name.encode()).hexdigest()
    folder = home / ".docker/contexts/meta" / number
    folder.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False}
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
    (folder / "meta.json").write_text(json.dumps(meta))
    (home / ".docker/config.json").write_text("{}")
    if tls:
        files = home / ".docker/contexts/tls" / number / "docker"
        files.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            (files / file).write_text("")


@contextmanager
def listen(path: Path, answer: bytes | None) -> Iterator[str]:
    """A unix socket whose server gives one answer to each connection; None: none at all."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                kept.append(connection)
                # The first connection is a trial, and sends nothing.
                if answer is not None and connection.recv(4096):
                    connection.sendall(answer)
                if answer is not None:
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"unix://{path}"
        server.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


@pytest.mark.parametrize("host", ["tcp://[::1]:2375", "tcp://192.0.2.1:2376", "unix:///a/b.sock"])
def test_docker_host_comes_first(host: str, home: Path) -> None:
    """Protects users with contexts: the variable decides, IPv6 in brackets included."""
    write_context(home, "colima", "unix:///colima.sock")
    address = find_engine({"DOCKER_HOST": host, "DOCKER_CONTEXT": "colima"})
    assert (address.url, address.origin) == (host, "by DOCKER_HOST")


def test_a_context_is_used_as_docker_uses_it(home: Path) -> None:
    """Protects users of Desktop, colima and rootless Docker: the context names the engine."""
    write_context(home, "colima", "unix:///colima.sock")
    write_context(home, "far", "tcp://192.0.2.1:2376", tls=True)
    (home / ".docker/config.json").write_text('{"currentContext": "colima"}')
    assert find_engine({}).url == "unix:///colima.sock"
    address = find_engine({"DOCKER_CONTEXT": "far"})
    environment: dict[str, str] = {}
    use_engine(address, environment)
    assert environment["DOCKER_HOST"] == "tcp://192.0.2.1:2376"
    assert Path(environment["DOCKER_CERT_PATH"], "key.pem").is_file()
    assert find_engine({"DOCKER_CONTEXT": "default"}).socket == home / "system.sock"


def test_an_unknown_context_is_no_other_engine(home: Path) -> None:
    """Protects users from measuring on another engine than they named."""
    write_context(home, "colima", "unix:///colima.sock")
    with pytest.raises(UsageError, match=r"'colma' \(by DOCKER_CONTEXT\): did you mean colima\?"):
        find_engine({"DOCKER_CONTEXT": "colma"})
    next((home / ".docker/contexts/meta").rglob("meta.json")).write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        find_engine({"DOCKER_CONTEXT": "colima"})


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("runtime/docker.sock", "rootless Docker"),
        (".docker/desktop/docker.sock", "Docker Desktop"),
        (".colima/default/docker.sock", "colima"),
    ],
)
def test_an_engine_of_the_user_is_found(path: str, origin: str, home: Path) -> None:
    """Protects users without the system's engine, who made no context either."""
    (home / path).parent.mkdir(parents=True)
    with listen(home / path, None) as url:
        address = find_engine({"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "runtime")})
    assert (address.url, address.origin) == (url, origin)


@pytest.mark.parametrize(
    "host",
    ["tcp://h:abc", "tcp://h:99999", "tcp://::1:2375", "tcp://h", "bogus://h", "/run/docker.sock"],
)
def test_a_wrong_address_is_the_users_error(host: str) -> None:
    """Protects users from a traceback of the library: which variable, and what forms there are."""
    with pytest.raises(UsageError, match="by DOCKER_HOST") as caught:
        find_engine({"DOCKER_HOST": host})
    assert "tcp://host:2375" in caught.value.next_step


def test_ssh_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects users of ssh://: the library's own message names no way to install it."""
    monkeypatch.setattr("harness.docker_engine.address.find_spec", lambda _: None)
    with pytest.raises(InfrastructureError, match="paramiko") as caught:
        find_engine({"DOCKER_HOST": "ssh://ada@build.example"})
    assert "docker[ssh]" in caught.value.next_step


def connect_to(host: str, monkeypatch: pytest.MonkeyPatch) -> HarnessError:
    """The error of a connection that cannot be made."""
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(HarnessError) as caught:
        session.connect(1.0)
    return caught.value


def test_each_silence_has_its_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects who must mend it: absent, refused and garbage are different errors."""
    assert "the socket is not there" in connect_to(f"unix://{home}/no.sock", monkeypatch).what
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(home / "closed.sock"))
    assert "nothing listens" in connect_to(f"unix://{home}/closed.sock", monkeypatch).what
    for number, answer in enumerate((b"220 mx.test ESMTP\r\n", b"HTTP/1.1 200 OK\r\n\r\n<html>")):
        with listen(home / f"{number}.sock", answer) as url:
            assert "is no Docker engine" in connect_to(url, monkeypatch).cause


def test_an_engine_that_never_answers_is_given_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects users from a command that hangs: the limit is stated."""
    monkeypatch.setattr(session, "ANSWER_LIMIT", 1)
    monkeypatch.setattr(trouble, "ANSWER_LIMIT", 1)
    with listen(home / "silent.sock", None) as url:
        assert "no answer in 1 s" in connect_to(url, monkeypatch).what


def test_a_user_without_permission_is_told_about_the_group() -> None:
    """Protects a user who is not in the group docker: 'make setup' cannot help there.

    The command runs as another user than root, against a real socket that is for root alone.
    """
    code = (
        "import os\nfrom harness.docker_engine.session import connect\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: connect(5.0)\n"
        "except Exception as error: print(error)"
    )
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    with listen(folder / "locked.sock", None) as url:
        (folder / "locked.sock").chmod(0)
        environment = {"DOCKER_HOST": url, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
    assert "may not talk to the Docker engine" in done.stdout
    assert "usermod -aG " in done.stdout
    assert "newgrp " in done.stdout
    assert "make setup" not in done.stdout
