"""What the tests against real containers share: the engine, and one run of the whole matrix."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from harness.docker_engine.session import (
    LABEL_RUN,
    connect,
)
from harness.observations.run_folder import (
    RunData,
    load_run,
)

CLI = [sys.executable, "-m", "harness.cli"]


@dataclass(frozen=True, slots=True)
class Finished:
    """A run of the command line that has ended."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def data(self) -> RunData:
        """The run that it left."""
        return load_run(self.folder)


def run_cli(runs: Path, *words: str, env: dict[str, str] | None = None) -> Finished:
    """``postfix-matrix run`` with its runs in a folder of the test's own."""
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
    return run_cli(tmp_path_factory.mktemp("runs"))
