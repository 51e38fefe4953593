"""The way from workers to the controller: real sockets and processes, answers made up."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FileError, FileLocation, InfrastructureError, UsageError
from harness.pytest_plugin.engine_requests import (
    EngineRequest,
    ErrorAnswer,
    NoEngineError,
    PrepareBuild,
    ReleaseServer,
)
from harness.pytest_plugin.engine_socket import EngineSocket, SocketConnection

#: Seconds that something in another thread may take.
PATIENCE = 20.0


class Answers:
    """What a host would answer, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[EngineRequest, str]] = []
        self.ended: list[str] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def answer(self, request: EngineRequest, owner: str) -> Any:
        """Raise for a build, wait for a server 0, and repeat the number of another."""
        self.asked.append((request, owner))
        if isinstance(request, PrepareBuild):
            raise FileError(FileLocation(Path("main.cf"), 3), f"{request.build} is wrong")
        assert isinstance(request, ReleaseServer)
        if request.server == 0:
            self.entered.set()
            assert self.go_on.wait(PATIENCE)
        return request.server


@pytest.fixture
def answers() -> Answers:
    """A host's answers."""
    return Answers()


@pytest.fixture
def engine_socket(answers: Answers) -> Iterator[EngineSocket]:
    """The controller's end."""
    made = EngineSocket(answers.answer, answers.ended.append)
    yield made
    made.close()


def await_that(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_requests_of_many_threads_get_their_own_answers(
    answers: Answers, engine_socket: EngineSocket
) -> None:
    """Protects tests with threads: no answer reaches another request."""
    connection = SocketConnection(engine_socket.path, engine_socket.key, "gw0")
    got: dict[int, int] = {}

    def ask(number: int) -> None:
        got[number] = connection.ask(ReleaseServer(number))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert got == {number: number for number in range(1, 30)}
    assert {owner for _, owner in answers.asked} == {"gw0"}
    connection.close()
    await_that(lambda: answers.ended == ["gw0"])


def test_errors_arrive_as_errors(engine_socket: EngineSocket) -> None:
    """Protects the reason: an error that pickle cannot carry keeps its text and its kind."""
    connection = SocketConnection(engine_socket.path, engine_socket.key, "gw0")
    with pytest.raises(UsageError, match=r"main\.cf:3: debian-12 is wrong"):
        connection.ask(PrepareBuild("debian-12"))
    assert connection.ask(ReleaseServer(7)) == 7
    connection.close()


def test_the_kinds_of_errors_that_matter_are_kept() -> None:
    """Protects the one sentence without an engine, and the difference of bad input."""
    kinds = [NoEngineError("x"), UsageError("x"), InfrastructureError("x")]
    assert [type(ErrorAnswer.of(e).to_error()) for e in kinds] == [type(e) for e in kinds]
    unforeseen = ErrorAnswer.of(ValueError("x")).to_error()
    assert "ValueError('x')" in str(unforeseen)


def test_only_the_user_can_reach_it(engine_socket: EngineSocket) -> None:
    """Protects other users of the machine: what arrives is unpickled."""
    folder = Path(engine_socket.path).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(InfrastructureError):
        SocketConnection(engine_socket.path, "a wrong key", "gw0")
    connection = SocketConnection(engine_socket.path, engine_socket.key, "gw0")
    assert connection.ask(ReleaseServer(1)) == 1
    connection.close()


def test_the_end_of_a_process_is_noticed_while_it_waits(
    answers: Answers, engine_socket: EngineSocket
) -> None:
    """Protects instances from outliving a killed worker, also one that waits for an answer."""
    code = (
        "import sys; from harness.pytest_plugin.engine_requests import ReleaseServer\n"
        "from harness.pytest_plugin.engine_socket import SocketConnection\n"
        "SocketConnection(*sys.argv[1:]).ask(ReleaseServer(0))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, engine_socket.path, engine_socket.key, "gw5"]
    )
    assert answers.entered.wait(PATIENCE)
    process.kill()
    process.wait()
    await_that(lambda: answers.ended == ["gw5"])
    answers.go_on.set()


def test_a_dead_controller_is_an_error_and_no_hang(
    answers: Answers, engine_socket: EngineSocket
) -> None:
    """Protects workers: without the controller a request fails at once."""
    connection = SocketConnection(engine_socket.path, engine_socket.key, "gw0")
    connection.ask(ReleaseServer(1))
    engine_socket.close()
    assert not Path(engine_socket.path).exists()
    with pytest.raises(InfrastructureError, match="does not answer"):
        SocketConnection(engine_socket.path, engine_socket.key, "gw1")
    connection.close()
    await_that(lambda: "gw0" in answers.ended)


def test_a_socket_at_which_nothing_answers_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects workers whose controller died while a process that it forked has its socket."""
    assert tmp_path.is_dir()
    monkeypatch.setattr("harness.pytest_plugin.engine_socket.ACCEPT_LIMIT", 0.3)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as stale:
        path = f"{folder}/engine"
        stale.bind(path)
        with pytest.raises(InfrastructureError, match="does not answer"):
            SocketConnection(path, "key", "gw0")
        stale.listen(0)
        for _ in range(3):
            with pytest.raises(InfrastructureError, match="does not answer"):
                SocketConnection(path, "key", "gw0")


def test_a_process_that_says_nothing_keeps_no_other_waiting(engine_socket: EngineSocket) -> None:
    """Protects the other workers from one that was stopped while it connected."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(engine_socket.path)
        connection = SocketConnection(engine_socket.path, engine_socket.key, "gw0")
        assert connection.ask(ReleaseServer(5)) == 5
        connection.close()


FULL_CONTROLLER = """
import os, resource, sys
from harness.pytest_plugin.engine_socket import EngineSocket

def answer(request, owner):
    return request.server

resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
made = EngineSocket(answer, lambda owner: None)
taken = []
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
print(made.path, made.key, flush=True)
sys.stdin.readline()
for number in taken:
    os.close(number)
print("free", flush=True)
sys.stdin.readline()
"""


def test_a_controller_without_a_free_file_says_so() -> None:
    """Protects from a hang: a worker gets the reason, and is served once files are free."""
    with subprocess.Popen(
        [sys.executable, "-c", FULL_CONTROLLER], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        path, key = process.stdout.readline().split()
        for _ in range(3):
            with pytest.raises(InfrastructureError, match="Too many open files in pytest-xdist"):
                SocketConnection(path, key, "gw0")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "free\n"
        connection = SocketConnection(path, key, "gw0")
        assert connection.ask(ReleaseServer(5)) == 5
        connection.close()
        process.kill()


def test_a_process_without_a_free_file_says_so(engine_socket: EngineSocket) -> None:
    """Protects from a wrong reason: it is this process that has too many files open."""
    code = (
        "import os, resource, sys\n"
        "from harness.errors import HarnessError\n"
        "from harness.pytest_plugin.engine_socket import EngineSocket, SocketConnection\n"
        "import tempfile; tempfile.gettempdir()\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))\n"
        "try:\n    while True: os.open(os.devnull, os.O_RDONLY)\nexcept OSError: pass\n"
        "for make in (lambda: SocketConnection(*sys.argv[1:]),\n"
        "             lambda: EngineSocket(print, print)):\n"
        "    try: make()\n    except HarnessError as error: print(error.what)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, engine_socket.path, engine_socket.key, "gw0"],
        capture_output=True, text=True, check=False, timeout=PATIENCE * 3,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert "cannot be reached: Too many open files in this process" in first
    assert "cannot be made: Too many open files" in second


def test_closing_never_waits_for_an_answer(answers: Answers) -> None:
    """Protects the end of a session: the thread may stop accepting before it is woken."""
    for _ in range(50):
        made = EngineSocket(answers.answer, answers.ended.append)
        connection = SocketConnection(made.path, made.key, "gw0")
        closing = threading.Thread(target=made.close, daemon=True)
        closing.start()
        closing.join(PATIENCE)
        assert not closing.is_alive()
        connection.close()


def test_a_fork_does_not_use_what_it_inherits(
    answers: Answers, engine_socket: EngineSocket
) -> None:
    """Protects a test that forks: the fork gets a sentence, and hides no end of its parent."""
    connection = SocketConnection(engine_socket.path, engine_socket.key, "gw0")
    connection.ask(ReleaseServer(1))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            connection.ask(ReleaseServer(2))
            os.write(writer, b"an answer")
        except UsageError as error:
            os.write(writer, str(error).encode())
        finally:
            os.close(writer)
            time.sleep(3)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert "a forked process cannot measure" in pipe.read()
    assert connection.ask(ReleaseServer(3)) == 3
    connection.close()
    await_that(lambda: answers.ended == ["gw0"])
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.waitpid(child, 0)


def test_what_a_dead_controller_left_is_removed(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects /tmp: folders of processes that are no more go, those of others stay."""
    # pytest's own folder is too long for a socket.
    folder = tempfile.TemporaryDirectory(dir="/tmp")
    monkeypatch.setattr("tempfile.tempdir", folder.name)
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                             capture_output=True, text=True, check=True)  # fmt: skip
    dead = Path(folder.name) / f"postfix-matrix-pytest-{process.stdout.strip()}-abc"
    alive = Path(folder.name) / f"postfix-matrix-pytest-{os.getpid()}-abc"
    dead.mkdir()
    alive.mkdir()
    EngineSocket(answers.answer, answers.ended.append).close()
    with folder:
        assert (dead.exists(), alive.exists()) == (False, True)
