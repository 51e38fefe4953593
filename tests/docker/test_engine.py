"""The long-lived engine and its Python API: on demand, from any thread, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

from harness.docker_engine.session import LABEL_RUN
from harness.errors import InfrastructureError, UsageError
from harness.observations.run_folder import load_run
from harness.run.engine import EngineClosedError
from harness.run.events import Event, Step
from postfix_matrix.api import ConfiguredPostfix, MatrixEngine, Outcome, open_engine
from tests.docker.conftest import leftovers

pytestmark = pytest.mark.docker
BUILD, CLIENT = "debian-12", "openssl-1.0.2h"
ONLY_12 = {"smtpd_tls_protocols": "TLSv1.2"}


def containers_of(client: docker.DockerClient, engine: MatrixEngine) -> list[Any]:
    """The containers of an open engine."""
    return client.containers.list(filters={"label": [f"{LABEL_RUN}={engine.folder.name}"]})


def find_container(client: docker.DockerClient, engine: MatrixEngine, name: str) -> Any:
    """The container of an engine whose name ends so."""
    (container,) = [c for c in containers_of(client, engine) if str(c.name).endswith(f"-{name}")]
    return container


def test_what_is_asked_for_twice_is_started_once(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Protects the speed of a test suite: threads that ask for the same share containers."""
    steps: list[Event] = []
    with open_engine(runs=tmp_path, listener=steps.append) as matrix:

        def measure(offer: str) -> tuple[Outcome, str | None]:
            with matrix.instance(BUILD, ONLY_12) as postfix:
                cell = postfix.measure("smtp", client=CLIENT, offer=offer)
                return cell.outcome, cell.reason

        with ThreadPoolExecutor(4) as threads:
            results = list(threads.map(measure, ["TLSv1", "TLSv1.2", "TLSv1", "TLSv1.2"]))
        assert (
            results
            == [
                (Outcome.REFUSED, "protocol-version"),
                (Outcome.ACCEPTED, None),
            ]
            * 2
        )
        names = [step.name for step in steps if isinstance(step, Step) and "start" in step.text]
        assert names.count(BUILD) == names.count(CLIENT) == 1
    assert leftovers(engine, matrix.folder.name) == []
    data = load_run(matrix.folder)
    assert {cell.outcome for cell in data.observations if cell.build == BUILD} == {
        Outcome.REFUSED,
        Outcome.ACCEPTED,
    }
    assert data.run.finished
    assert (matrix.folder / "index.html").is_file()


def test_ports_and_directories_are_used_again(tmp_path: Path) -> None:
    """Protects long test suites: many instances after one another do not run out of ports."""
    with open_engine(runs=tmp_path) as matrix:
        addresses = set()
        for number in range(30):
            settings = {**ONLY_12, "smtpd_banner": f"test {number % 3}"}
            with matrix.instance(BUILD, settings) as postfix:
                assert postfix.started, postfix.startup_log
                addresses.add(
                    str(
                        postfix._held.endpoint.address(
                            postfix._held.endpoint.instance.config.listeners[0].service
                        )
                    )
                )
        assert len(addresses) == 1


def test_a_killed_container_is_replaced_for_the_next_who_asks(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Protects a long test suite: one container that dies fails what used it, and nothing later."""
    with open_engine(runs=tmp_path) as matrix:
        with matrix.instance(BUILD, ONLY_12) as postfix:
            assert postfix.measure(client=CLIENT, offer="TLSv1.2").outcome is Outcome.ACCEPTED
            find_container(engine, matrix, BUILD).kill()
            with pytest.raises(InfrastructureError, match=r"died|does not answer|not running"):
                postfix.measure(client=CLIENT, offer="TLSv1.1")
        with matrix.instance(BUILD, {**ONLY_12, "smtpd_banner": "another"}) as postfix:
            assert postfix.measure(client=CLIENT, offer="TLSv1.2").outcome is Outcome.ACCEPTED
        find_container(engine, matrix, f"client-{CLIENT}").kill()
        with matrix.instance(BUILD, {**ONLY_12, "smtpd_banner": "a third"}) as postfix:
            assert postfix.measure(client=CLIENT, offer="TLSv1.2").outcome is Outcome.ACCEPTED
    assert leftovers(engine, matrix.folder.name) == []


def test_closing_ends_what_another_thread_waits_for(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Protects against a hang: whoever closes the engine, all who wait get an error at once."""
    matrix = open_engine(runs=tmp_path)
    postfix = matrix.instance(BUILD, ONLY_12)
    errors: list[BaseException] = []
    began = threading.Event()

    def measure() -> None:
        began.set()
        try:
            postfix.measure(client=CLIENT, offer="TLSv1.2")
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=measure)
    thread.start()
    began.wait()
    matrix.close()
    thread.join(60)
    assert not thread.is_alive()
    assert all(isinstance(error, EngineClosedError) for error in errors)
    assert leftovers(engine, matrix.folder.name) == []
    matrix.close()
    postfix.release()
    with pytest.raises(EngineClosedError):
        matrix.instance(BUILD, ONLY_12)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda matrix: matrix.instance("debian-99", ONLY_12), "debian-99"),
        (lambda matrix: matrix.instance(BUILD, Path("/nowhere")), "/nowhere"),
        (lambda matrix: matrix.instance(BUILD, ""), "has no line"),
    ],
)
def test_bad_input_starts_nothing(
    ask: Callable[[MatrixEngine], ConfiguredPostfix],
    message: str,
    engine: docker.DockerClient,
    tmp_path: Path,
) -> None:
    """Protects time and the error: what is wrong is named before a container starts."""
    with open_engine(runs=tmp_path) as matrix:
        with pytest.raises(UsageError, match=message):
            ask(matrix)
        assert containers_of(engine, matrix) == []


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    """Protects the error: a service, a client or an offer that there is not is named."""
    with open_engine(runs=tmp_path) as matrix, matrix.instance(BUILD, ONLY_12) as postfix:
        for service, client, offer, message in (
            ("2525", CLIENT, "TLSv1.2", "no service 2525"),
            ("smtp", "no-client", "TLSv1.2", "no-client"),
            ("smtp", CLIENT, "TLSv9", "TLSv9"),
        ):
            with pytest.raises((UsageError, InfrastructureError), match=message):
                postfix.measure(service, client=client, offer=offer)


def test_a_postfix_that_rejects_its_configuration_is_a_result(tmp_path: Path) -> None:
    """Protects the tool author: a broken template is an outcome with its log, not a traceback."""
    settings = {**ONLY_12, "smtpd_tls_security_level": "sometimes"}
    with open_engine(runs=tmp_path) as matrix, matrix.instance(BUILD, settings) as postfix:
        cell = postfix.measure(client=CLIENT, offer="TLSv1.2")
        assert cell.outcome in (Outcome.CONFIG_REJECTED, Outcome.PLAINTEXT, Outcome.REFUSED)


#: Opened, used by two threads, a container killed in every third cycle, closed.
CYCLES = """
    import sys, threading
    from pathlib import Path
    import docker
    from postfix_matrix.api import HarnessError, open_engine

    client = docker.from_env()
    for cycle in range(20):
        with open_engine(runs=Path(sys.argv[1])) as matrix:
            def use(offer):
                try:
                    settings = {"smtpd_tls_protocols": "TLSv1.2"}
                    with matrix.instance("debian-12", settings) as postfix:
                        postfix.measure("smtp", client="openssl-1.0.2h", offer=offer)
                except HarnessError:
                    assert cycle % 3 == 2
            threads = [threading.Thread(target=use, args=(o,)) for o in ("TLSv1", "TLSv1.2")]
            for thread in threads:
                thread.start()
            if cycle % 3 == 2:
                threads[0].join(1.5 + cycle / 4)
                for container in client.containers.list():
                    if container.name.startswith(f"postfix-matrix-{matrix.folder.name}-debian"):
                        container.kill()
            if cycle % 3 != 1:
                for thread in threads:
                    thread.join()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    client.close()
    print("all cycles ended")
"""


@pytest.mark.nightly
def test_twenty_cycles_leave_nothing_behind(engine: docker.DockerClient, tmp_path: Path) -> None:
    """Protects long-lived use: no hang, no container, no network, no warning that is an error."""
    script = tmp_path / "cycles.py"
    # In every cycle whose number leaves 1, the engine is closed while its threads are at work.
    text = textwrap.dedent(CYCLES).replace("assert cycle % 3 == 2", "assert cycle % 3 != 0")
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
        env={"PYTHONPATH": ".", "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout == "all cycles ended\n", done.stderr
    assert done.stderr == ""
    for folder in (tmp_path / "runs").iterdir():
        assert leftovers(engine, folder.name) == []
