"""The Python API: real Postfix instances with a configuration, and real clients' handshakes.

    from postfix_matrix.api import open_engine

    with open_engine() as engine:
        with engine.instance("debian-12", "smtpd_tls_protocols = TLSv1.2\n") as postfix:
            cell = postfix.measure("smtp", client="openssl-1.0.2h", offer="TLSv1")
            print(cell.outcome, cell.reason)

The wheel has this package as ``harness`` and as ``postfix_matrix``. Every method may be called from
any thread; what is asked for twice is started once. All errors are :class:`HarnessError`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from harness.catalog.builds import Build
from harness.catalog.clients import Client, user_client
from harness.config_input.forms import Footing
from harness.config_input.text import STDIN
from harness.errors import HarnessError, UsageError
from harness.images.registry import parse_registry
from harness.observations.record import Observation, Outcome, Stage
from harness.reports import write_reports
from harness.run.engine import Engine, EngineClosedError, Options
from harness.run.events import Event, Listener
from harness.run.instances import HeldInstance
from harness.run.run_folders import RUNS
from harness.run.session_run import SessionRun, parse_cell
from harness.scenarios.candidate import format_setting, make_candidate, make_test_id
from harness.scenarios.configuration_source import (
    ConfigurationSource,
    read_source,
)
from harness.scenarios.scenario import Scenario

__all__ = [
    "Configuration",
    "ConfiguredPostfix",
    "Event",
    "HarnessError",
    "MatrixEngine",
    "Observation",
    "Outcome",
    "Stage",
    "open_engine",
]

#: Settings by name; the text of a main.cf, or in any form that ``verify`` reads on standard input;
#: the Path of a file, of a folder such as /etc/postfix, or of a tar of one; several such paths; or
#: a scenario. A string is never taken for a path.
Configuration = Mapping[str, str] | str | Path | Sequence[Path] | Scenario


def open_engine(
    *,
    runs: Path | str = RUNS,
    jobs: int = 8,
    time_limit: float = 10.0,
    mirrors: Sequence[str] = (),
    registry: str | None = None,
    registry_lock: Path | None = None,
    clients: Mapping[str, str] | None = None,
    listener: Listener = lambda _: None,
) -> MatrixEngine:
    """An engine, to be used as a context manager or closed with :meth:`MatrixEngine.close`.

    Args:
        runs: where the folder with the evidence of all cells is made.
        jobs: how many dialogues there are at a time, 64 at most.
        time_limit: of one dialogue, in seconds.
        mirrors: URLs that sources are looked for at first.
        registry: where images are pulled from, HOST/NAME; what it does not have is built here.
        registry_lock: a file of digests, without which no image is pulled (docs/builds.md).
        clients: client images of your own by name (docs/client-contract.md).
        listener: gets each step, and each cell that was measured.

    Raises:
        UsageError: an option, or the name of a client, is not valid.
        InfrastructureError: no Docker engine answers, or the folder cannot be written.
    """
    options = Options(jobs=jobs, time_limit=time_limit)
    own = tuple(user_client(name, image) for name, image in (clients or {}).items())
    pulled_from = parse_registry(registry, registry_lock)
    engine = Engine(listener=listener, options=options, mirrors=mirrors, registry=pulled_from)
    return MatrixEngine(engine, Path(runs), own)


class MatrixEngine:
    """Starts instances, and keeps the evidence of what is measured on them in ``folder``."""

    def __init__(self, engine: Engine, runs: Path, clients: Sequence[Client]) -> None:
        """Use :func:`open_engine`."""
        self._engine = engine
        self._lock = threading.Lock()
        self._is_closed = False
        with ExitStack() as stack:
            stack.enter_context(engine)
            self.folder = runs.resolve() / engine.session.id
            self._run = SessionRun(engine, self.folder, clients)
            stack.pop_all()

    def __enter__(self) -> MatrixEngine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def instance(
        self,
        build: str,
        configuration: Configuration,
        *,
        name: str = "",
        whole: bool | None = None,
        as_is: bool = False,
    ) -> ConfiguredPostfix:
        """Start a build's Postfix with a configuration; to be used as a context manager.

        At most 96 instances are up at a time; a further call waits until one is released.

        Args:
            build: a build's id, such as ``debian-12`` or ``postfix-3.1.0+openssl-1.0.2h``.
            configuration: what it is configured with (:data:`Configuration`).
            name: what it is called in the run folder.
            whole: True for a whole configuration, to which nothing is added that decides TLS; False
                for lines of one; None: as the text shows.
            as_is: nothing is replaced that needs another machine's surroundings.

        A scenario has ``name``, ``whole`` and ``as_is`` of its own; those given here do not count.

        Raises:
            UsageError: there is no such build, or the configuration cannot be read.
            HarnessError: the build is unavailable. A Postfix that rejects its configuration is no
                error: ``started`` is False, and the outcome of each cell says so.
        """
        parsed = Build.parse(build)
        scenario = read_scenario(configuration, name=name, whole=whole, as_is=as_is)
        held = self._engine.run(self._run.hold(parsed, scenario))
        return ConfiguredPostfix(self._engine, self._run, parsed, scenario, held)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The cells that were measured so far, in the order of their ends."""
        return tuple(self._run.observations)

    def close(self) -> None:
        """End everything, complete the run folder, and write its reports. May be called again."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        try:
            self._engine.run(self._run.close())
        finally:
            self._engine.close()
        if (self.folder / "run.json").is_file():
            write_reports(self.folder)


class ConfiguredPostfix:
    """An instance of Postfix that listens, with the configuration that it was given."""

    def __init__(
        self,
        engine: Engine,
        run: SessionRun,
        build: Build,
        scenario: Scenario,
        held: HeldInstance,
    ) -> None:
        """Use :meth:`MatrixEngine.instance`."""
        self._engine = engine
        self._run = run
        self._build = build
        self._scenario = scenario
        self._held = held
        self._lock = threading.Lock()
        self._is_released = False

    def __enter__(self) -> ConfiguredPostfix:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    @property
    def started(self) -> bool:
        """Whether Postfix accepts its configuration so far that master(8) runs."""
        return self._held.endpoint.instance.started

    @property
    def services(self) -> tuple[str, ...]:
        """The services that take mail, by their names."""
        return tuple(
            str(listener.service) for listener in self._held.endpoint.instance.config.listeners
        )

    @property
    def startup_log(self) -> tuple[str, ...]:
        """What master(8) has logged, and printed where it did not start."""
        instance = self._held.endpoint.instance
        return (*self._held.endpoint.startup(), *instance.output.splitlines())

    def measure(
        self, service: str = "smtp", *, client: str = "openssl-3.5.7", offer: str = "default"
    ) -> Observation:
        """Have a client connect to a service and make an offer; gives what happened.

        The same cell is measured once for the engine, unless that ended with an error.

        Args:
            service: smtp, submission or submissions, or the port of any other entry.
            client: a client's name ('postfix-matrix list clients').
            offer: a TLS version such as ``TLSv1.2``, a range such as ``TLSv1..TLSv1.2``,
                ``default`` for the client as it comes, or ``plaintext``.

        Raises:
            UsageError: no such service, client or offer, or the instance was released.
            InfrastructureError: the client is unavailable, or the container has died.
        """
        if self._is_released:
            raise UsageError("the instance was released", next_step="measure before it is")
        cell = parse_cell(self._build, self._scenario, service, client, offer)
        work = self._run.measure(self._held, self._scenario, cell)
        return self._engine.run(work)

    def release(self) -> None:
        """Stop the instance, unless another caller has it too. May be called again."""
        with self._lock:
            if self._is_released:
                return
            self._is_released = True
        # Closing the engine has stopped it already.
        with suppress(EngineClosedError):
            self._engine.run(self._run.release(self._build, self._scenario, self._held))


def read_scenario(
    configuration: Configuration, *, name: str = "", whole: bool | None = None, as_is: bool = False
) -> Scenario:
    """A configuration as a scenario, with an id of its own: ``test-NAME-DIGEST``.

    A scenario stays as it is; ``name``, ``whole`` and ``as_is`` are parts of it.

    Raises:
        UsageError: it cannot be read, or sets nothing.
    """
    if isinstance(configuration, Scenario):
        return configuration
    if isinstance(configuration, Mapping):
        configuration = "".join(map(format_setting, configuration, configuration.values()))
    if isinstance(configuration, str):
        if re.fullmatch(r"[^\s=]+", configuration):
            raise UsageError(
                f"{configuration!r} is no configuration",
                cause="a string is taken for the text of one",
                next_step=f"for a file or folder, give Path({configuration!r})",
            )
        source = ConfigurationSource({STDIN: configuration})
    else:
        paths = [configuration] if isinstance(configuration, Path) else configuration
        source = read_source(map(str, paths))
    footing = None
    if whole is not None:
        footing = Footing.WHOLE if whole else Footing.LINES
    candidate = make_candidate(source, footing=footing)
    scenario = replace(candidate, as_is=as_is, title=name or candidate.title)
    return replace(scenario, id=make_test_id(name, scenario.digest))
