"""What the tests against real containers share: the engine, and one run of the whole matrix."""

from __future__ import annotations

import io
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import docker
import platformdirs
import pytest

from harness.cli.commands.run import make_job, run_command
from harness.cli.output import output_console
from harness.docker_engine.session import (
    LABEL_RUN,
    connect,
)
from harness.images.image_builder import ImageBuilder
from harness.observations.run_folder import RunData, load_run
from harness.paths import images_dir
from harness.reports.problems import describe_problems
from harness.reports.terminal import print_matrix
from harness.run.choosing import Selection
from harness.run.engine import Engine
from harness.run.job import exit_code, measure_job
from tests.docker.registry_machine import remove_marked

CLI = [sys.executable, "-m", "harness.cli"]


@cache
def _load_run(folder: Path, _changed: int) -> RunData:
    """A run folder in one state, told by the time at which its run.json was written."""
    return load_run(folder)


@dataclass(frozen=True, slots=True)
class Finished:
    """A run of the command line that has ended."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def data(self) -> RunData:
        """The run that it left; read once, since a fleet's takes seconds."""
        folder = self.folder.resolve()
        return _load_run(folder, (folder / "run.json").stat().st_mtime_ns)


#: Options of ``run`` that are of the engine: a run with one of them has an engine of its own.
_ENGINE_OPTIONS = {
    "--jobs",
    "--time-limit",
    "--keep",
    "--mirror",
    "--image",
    "--client",
    "--shard",
    "--dask",
}


class SharedEngine:
    """The engine that runs of the tests share: opened by the first one, closed after the last."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._engine: Engine | None = None

    def open(self) -> Engine:
        """The engine."""
        if self._engine is None:
            self._engine = self._stack.enter_context(Engine())
        return self._engine

    def close(self) -> None:
        """Remove its containers, if it was opened."""
        self._stack.close()
        self._engine = None


_SHARED = SharedEngine()


@pytest.fixture(scope="session", autouse=True)
def shared_engine() -> Iterator[SharedEngine]:
    """Closes the shared engine after the last test."""
    yield _SHARED
    _SHARED.close()


def run_cli(runs: Path, *words: str) -> Finished:
    """What ``postfix-matrix run`` measures, on the engine that all tests share.

    An option of the engine's own needs a process: :func:`run_process`.
    """
    options = {word.partition("=")[0] for word in words}
    assert not options & _ENGINE_OPTIONS, "use run_process"
    context = run_command.make_context("run", ["--runs", str(runs), *words])
    params = context.params
    axes = ("builds", "scenarios", "services", "clients", "offers")
    selection = Selection(**{axis: params[axis] for axis in axes})
    job = make_job(selection, params["scenarios_dir"], params["resume"])
    folder = measure_job(_SHARED.open(), job, runs)
    data, out = load_run(folder), io.StringIO()
    with redirect_stdout(out):
        print_matrix(data, output_console())
    return Finished(exit_code(data), out.getvalue(), describe_problems(data), folder)


def run_process(runs: Path, *words: str, env: dict[str, str] | None = None) -> Finished:
    """``postfix-matrix run`` as a process, with its runs in a folder of the test's own."""
    done = subprocess.run(
        [*CLI, "run", "--runs", str(runs), *words],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr, runs / "latest")


def write_scenarios(
    root: Path,
    texts: Mapping[str, tuple[str, str]],
    kinds: Mapping[str, Mapping[str, str]] | None = None,
) -> Path:
    """A folder of scenarios, from main.cf and master.cf by name; an empty text is no file.

    ``kinds`` are the tables [files] of some of them: what is to lie at a path.
    """
    for name, (main_cf, master_cf) in texts.items():
        folder = root / "scenarios" / name
        folder.mkdir(parents=True)
        (folder / "scenario.toml").write_text(
            f'title = "{name}"\nsource = "a test"\nclaim = "It is refused."\n'
            + "[files]\n"
            + "".join(
                f'"{path}" = "{kind}"\n' for path, kind in (kinds or {}).get(name, {}).items()
            )
        )
        for file, text in (("main.cf", main_cf), ("master.cf", master_cf)):
            if text:
                (folder / file).write_text(text)
    return root / "scenarios"


def leftovers(client: docker.DockerClient, session: str) -> list[str]:
    """Names of containers and networks that carry a session's label."""
    wanted: dict[str, str | list[str] | bool] = {"label": [f"{LABEL_RUN}={session}"]}
    return [
        *(str(c.name) for c in client.containers.list(all=True, filters=wanted)),
        *(str(n.name) for n in client.networks.list(filters=wanted)),
    ]


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The Docker engine; without one these tests fail, they do not skip."""
    client = connect()
    yield client
    client.close()


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The whole matrix, measured once for all tests of what is in it."""
    return run_process(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def builder(engine: docker.DockerClient) -> ImageBuilder:
    """An image builder with the user's own cache, where much of this may exist already."""
    cache = platformdirs.user_cache_path("postfix-matrix")
    return ImageBuilder(
        engine, images_dir=images_dir(), cache_dir=cache, on_step=lambda _, __: None
    )


@pytest.fixture
def mark(engine: docker.DockerClient) -> Iterator[str]:
    """A value for TEST_LABEL of a test's images; what carries it is removed at the end."""
    mark = secrets.token_hex(8)
    yield mark
    remove_marked(engine, mark)
